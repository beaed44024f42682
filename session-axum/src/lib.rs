//! Sessions for axum: declare `sess: Session` in a handler, and everything else is right by
//! default.
//!
//! ```
//! use axum::{Router, Form, response::Redirect, routing::{get, post}};
//! use session_axum::{AttrKey, MaybeSession, NewSession, Session, SessionError, SessionLayer};
//! use session_core::MemoryStore;
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
//! async fn logout(sess: Session) -> Redirect {
//!     sess.remove();
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
//! the layer saves what was done, and its [`Transport`] tells the client.
//!
//! A handler declares `session_axum::Session`. `session_core::Session`, to which it derefs, is no
//! extractor, and the compiler then says no more than that the handler is none: look at the `use`.
//!
//! # Where else to look
//!
//! - Clients that keep no cookies: [`HeaderTransport`], or a [`Transport`] of your own.
//! - Cookies that are signed or encrypted, with keys that rotate: the features `signed` and
//!   `private`, which give [`SessionCookie`] methods of these names.
//! - Records that are encrypted where they are stored: the feature `encryption` of session-core.
//! - Streams, server-sent events, WebSockets: a [`Session`] may be kept after the response head has
//!   left, and then saves by [`save().await`](session_core::Session::save). What must tell the
//!   client an id, starting and renewing, has to come before.
//! - Services without axum: [`Session`] and [`MaybeSession`] are `axum_core::extract::FromRequestParts`.
//! - Forms of your own pages only: [`csrf_token`](session_core::Session::csrf_token).
//!
//! # What the layer does to requests and responses
//!
//! - A handler without an extractor costs next to nothing and gets no header.
//! - A response to a request whose session was looked up carries `Vary`; one that sets or clears
//!   the cookie carries `Cache-Control: no-store`, whatever the handler said.
//! - What a handler collected is saved before the response head leaves, whatever its status and
//!   whether or not the client is still there. If that fails the response is a 503 without a
//!   cookie. To show a page of your own there, map responses of that status in a layer outside.
//! - A handler that panics, or is cancelled by a layer outside, changes nothing.
//!
//! # Other layers
//!
//! Layers that answer in a handler's place go *outside* the session layer, which means after it:
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use session_axum::SessionLayer;
//! # use session_core::MemoryStore;
//! # use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
//! # let app: Router =
//! Router::new()
//!     .route("/", get(async || "…"))
//!     .layer(SessionLayer::new(MemoryStore::new()))
//!     .layer(TimeoutLayer::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, std::time::Duration::from_secs(30)))
//!     .layer(CatchPanicLayer::new());
//! ```
//!
//! A timeout layer *inside* looks like a handler that returned, so that half of what the handler
//! meant to do is saved; outside, the handler is cancelled and nothing is. A panic that is caught
//! inside drops what its handler did, but only where the handler still held the session; outside,
//! it always does.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod extract;
mod http_headers;
mod layer;
mod purge_service;
mod rejection;
mod service;
mod settings;
mod slot;
mod transport;

pub use error::SessionError;
pub use extract::{MaybeSession, Session};
pub use layer::{SessionLayer, SessionLayerBuilder};
pub use purge_service::PurgeService;
pub use rejection::{NoSession, SessionRejection};
pub use service::{ResponseFuture, SessionService};
pub use session_core::{AttrKey, ConfigError, NewSession, SessionManager};
#[cfg(any(feature = "signed", feature = "private"))]
pub use tower_cookies::Key;
pub use tower_cookies::cookie::SameSite;
pub use transport::cookie::{CookieTransport, SessionCookie};
pub use transport::header::HeaderTransport;
pub use transport::{Outgoing, Transport};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
