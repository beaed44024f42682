//! Sessions for axum: declare `sess: Session` in a handler, and the visitor's session is there.
//!
//! ```
//! # use session_axum::{MemoryStore, Session, SessionError, SessionLayer};
//! async fn visit(sess: Session) -> Result<String, SessionError> {
//!     Ok(format!("visit {}", sess.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await?))
//! }
//! # let app: axum::Router = axum::Router::new();
//! # let app =
//! app.route("/", axum::routing::get(visit)).layer(SessionLayer::new(MemoryStore::new()))
//! # ;
//! ```
//!
//! # What to read first
//!
//! - [`MaybeSession`] starts a session, at a login or for a stranger. [`NewSession`] is what it starts with.
//! - [`Session`] is what the other handlers declare. Its [methods](session_core::Session) read and change attributes.
//! - [`SignedIn`] and [`RequireSignedIn`] demand that somebody is signed in, [`EndSession`] signs out.
//! - [`SessionLayer::builder`] has the settings: what is kept where, for how long, in which cookie, and what a visitor
//!   without a session is answered. Everything works with its defaults.
//! - [`SessionManager`] lists and ends sessions without a request.
//!
//! An application depends on this crate alone. All of it together:
//!
//! ```
//! use axum::{Router, Form, response::Redirect, routing::{get, post}};
//! use session_axum::{AttrKey, EndSession, MaybeSession, MemoryStore, NewSession, Session, SessionError, SessionLayer};
//!
//! const USER: AttrKey<String> = AttrKey::new("UserName");
//! const COUNT: AttrKey<u32> = AttrKey::new("Count");
//!
//! #[derive(serde::Deserialize)]
//! struct Login { user: String }
//!
//! async fn login(visitor: MaybeSession, Form(form): Form<Login>) -> Result<Redirect, SessionError> {
//!     visitor.start(NewSession::new().principal(&form.user).constant(USER, &form.user).attr(COUNT, &0))?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! async fn visit(sess: Session) -> Result<String, SessionError> {
//!     let user = sess.constant(USER)?.unwrap_or_default();
//!     let visits = sess.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await?;
//!     Ok(format!("{user}: visit {visits}"))
//! }
//!
//! async fn logout(ending: EndSession) -> Redirect {
//!     ending.end();
//!     Redirect::to("/")
//! }
//!
//! # fn app() -> Router {
//! Router::new()
//!     .route("/", get(visit)).route("/login", post(login)).route("/logout", post(logout))
//!     .layer(SessionLayer::new(MemoryStore::new()))
//! # }
//! # let _ = app();
//! ```
//!
//! # Layout
//!
//! [`SessionLayer`] puts a place for the visitor's session into each request. [`Session`] and
//! [`MaybeSession`] load it, once, when a handler declares them. When the handler has returned,
//! the layer saves what was done, and the response tells the client its id.
//!
//! | for | names |
//! |---|---|
//! | handlers | [`SignedIn`], [`Fresh`], [`Session`], [`MaybeSession`], [`NewSession`], [`AttrKey`], [`Attributes`], [`SessionError`] |
//! | handlers of several layers | [`OfLayer`] |
//! | pages and forms | [`Flash`], [`CsrfToken`], [`ReturnTo`], [`Authentication`] |
//! | the router | [`SessionLayer`], [`RequireSignedIn`], [`CrossOriginProtection`], [`SaveOn`], [`SessionCookie`], [`SameSite`], [`HeaderTransport`], [`PublicResponse`], [`NoUse`], [`Adoption`] |
//! | where sessions are kept | [`MemoryStore`], [`TieredStore`], [`AnyStore`], and one per backend: see [Features](#features) |
//! | administration | [`SessionManager`], [`Record`], [`RecordKey`], [`Event`], [`Observer`], [`Counters`], [`PurgeService`] |
//! | tests | the module `testing` (a feature), [`ManualClock`], [`Clock`], [`Time`] |
//! | authors of stores and transports | [`Store`] and the module [`store`], the module [`transport`] |
//!
//! Items that come from the crate `session-core` say `session_core::` in the examples on their own
//! pages. With this crate alone, write `session_axum::`, or the module that has the item here.
//!
//! A handler declares `session_axum::Session`. `session_core::Session`, to which it derefs, is no
//! extractor. The compiler then says only that the handler is none: look at the `use`.
//!
//! # Features
//!
//! No feature is on by default. Without a backend no database client is built.
//!
//! | feature | what it adds |
//! |---|---|
//! | `sqlite` | `SqliteStore`: a file on one machine |
//! | `postgres` | `PostgresStore` |
//! | `redis` | `RedisStore`, `TrackedRedisStore` |
//! | `memcached` | `MemcachedStore` |
//! | `firestore` | `FirestoreStore` |
//! | `encryption` | `EncryptedCodec`: records that are encrypted where they are stored |
//! | `signed`, `private` | [`SessionCookie`] methods of these names: cookies that are signed or encrypted, with keys that rotate |
//! | `trusted-proxies` | `SessionCookie::secure_by_scheme` and `TrustedProxies`: HTTPS and HTTP behind proxies |
//! | `device-bound` | `SessionLayerBuilder::device_bound` and `DeviceBound`: a copied cookie is worth nothing after minutes |
//! | `public-suffix` | [`SessionCookie::domain`] refuses domains below which anybody can have a host, such as `co.uk` |
//! | `conformance` | `store::conformance`: tests for a store of your own |
//! | `testing` | `testing`: a kit for the tests of your application, which signs visitors in, moves the clock and lets the store fail. `DeviceBound::lifetime_for_tests` then takes less than a minute |
//!
//! # Where else to look
//!
//! - Clients that keep no cookies: [`HeaderTransport`], beside browsers
//!   [`cookie_or_bearer`](SessionLayerBuilder::cookie_or_bearer), or a [`transport`] of your own.
//! - Pages that poll: [`NoUse`].
//! - Streams, server-sent events, WebSockets: a [`Session`] may be kept after the response head has
//!   left, and then saves by [`save().await`](session_core::Session::save). Starting and renewing must come
//!   before, because the response head tells the client the id.
//! - Tasks that the handler spawns: [`Session::detach`] gives them a session that is independent of the request.
//! - Services without axum: [`Session`] and [`MaybeSession`] are `axum_core::extract::FromRequestParts`.
//! - Forms that only your own pages can send: [`CrossOriginProtection`].
//! - Programs without HTTP: the crate `session-core`, whose [`SessionManager`] this is.
//!
//! # What the layer does to requests and responses
//!
//! - A handler without an extractor costs next to nothing, and its response gets no header.
//! - A response carries `Vary` if the session was looked up. It carries `Cache-Control: no-store` if it
//!   sets or clears the cookie, whatever the handler said.
//! - Where a handler looked for a session, what it says to caches becomes `private`, unless it says [`PublicResponse`].
//!   Where it says nothing, whoever is signed in gets `private, no-cache`; any other response then has `Vary` alone.
//! - What a handler collected is saved before the response head leaves, whatever its status (unless
//!   [`SaveOn::Success`] is set), and also if the client has hung up. If saving fails, the response is a 503 without a
//!   cookie. To show a page of your own there, map responses of that status in a layer outside.
//! - A handler that panics, or is cancelled by a layer outside, changes nothing. Nor does one that returns a
//!   [`SessionError`] with a status of 500 or above, or of 409 because its request came with an id that was replaced, or an
//!   informational status other than 101. What it saved itself stays saved.
//! - A HEAD request is no use of the session, and what its handler collected is dropped.
//!
//! # Other layers
//!
//! Layers that answer in a handler's place go *outside* the session layer, which means after it:
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use session_axum::{MemoryStore, SessionLayer};
//! # use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
//! # let app: Router =
//! Router::new()
//!     .route("/", get(async || "…"))
//!     .layer(SessionLayer::new(MemoryStore::new()))
//!     .layer(TimeoutLayer::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, std::time::Duration::from_secs(30)))
//!     .layer(CatchPanicLayer::new());
//! ```
//!
//! Inside, a timeout layer looks like a handler that returned, so half of what the handler meant to do
//! is saved. Outside, the handler is cancelled, and nothing is saved. A layer inside that catches panics
//! drops what the handler did only if the handler still held the session; a layer outside always does.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adopt;
mod answer_settings;
mod cross_origin;
#[cfg(feature = "device-bound")]
mod device_bound;
mod end_session;
mod error;
mod exempt_routes;
mod extract;
mod flash;
mod guard;
mod http_headers;
mod layer;
mod manager_settings;
mod no_use;
mod noted;
mod of_layer;
mod public_response;
mod purge_service;
mod return_to;
mod save_on;
mod service;
#[cfg(feature = "testing")]
mod session_effect;
mod settings;
mod signed_in;
mod slot;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;
mod turned_away;

// What this crate adds: extractors, the layer and its settings.
pub use adopt::adoption::Adoption;
pub use cross_origin::{CrossOriginProtection, CrossOriginService, CsrfToken};
#[cfg(feature = "device-bound")]
pub use device_bound::DeviceBound;
pub use end_session::EndSession;
pub use error::{RefusedRequest, SessionError};
pub use extract::{MaybeSession, Session};
pub use flash::{Flash, FlashLevel, FlashMessage};
pub use guard::{Guard, RequireSignedIn};
pub use layer::{SessionLayer, SessionLayerBuilder};
pub use no_use::{NoUse, NoUseService};
pub use of_layer::OfLayer;
pub use public_response::PublicResponse;
pub use purge_service::PurgeService;
pub use return_to::ReturnTo;
pub use save_on::SaveOn;
pub use service::{ResponseFuture, SessionService};
pub use signed_in::{Fresh, SignedIn};
#[cfg(any(feature = "signed", feature = "private"))]
pub use tower_cookies::Key;
pub use tower_cookies::cookie::SameSite;
pub use transport::cookie::SessionCookie;
pub use transport::header::HeaderTransport;
#[cfg(feature = "trusted-proxies")]
pub use transport::trusted_proxies::TrustedProxies;
pub use turned_away::{ClientKind, Refusal, Refused};

// What handlers use of a session.
/// The error of a session's methods and of the manager. A handler returns [`SessionError`] instead, to
/// which `?` converts it: this one is no response.
pub use session_core::Error as CoreError;
pub use session_core::{AttrKey, AttrName, AttributeUpgrade, Attributes, Authentication, Name, NewSession, WriteName};
pub use session_core::{AttributeError, ConfigError, StoreError};

// Sessions without a request, and who is told of them.
pub use session_core::{
    Audience, IntoSessionManager, Record, RecordFormat, RecordKey, SessionManager, SessionManagerBuilder,
};
pub use session_core::{Clock, ManualClock, SystemClock, Time};
pub use session_core::{Counters, DeviceRefusal, Event, Observer};

// Where sessions are kept.
#[cfg(feature = "encryption")]
pub use session_core::EncryptedCodec;
pub use session_core::{AnyStore, MemoryStore, MemoryStoreBuilder, Store, TieredStore, WriteBehind};
#[cfg(feature = "firestore")]
pub use session_stores::FirestoreStore;
#[cfg(feature = "memcached")]
pub use session_stores::MemcachedStore;
#[cfg(feature = "postgres")]
pub use session_stores::PostgresStore;
#[cfg(feature = "sqlite")]
pub use session_stores::SqliteStore;
#[cfg(feature = "redis")]
pub use session_stores::{RedisStore, TrackedRedisStore};

/// What tests and fuzzing use. It is not part of the public interface, and changes without notice.
#[cfg(feature = "device-bound")]
#[doc(hidden)]
pub mod internals {
    pub use crate::device_bound::{BadProof, PublicKey, Registration, refresh, registration};
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
