//! A kit for the tests of an application: sign in by one line, move the clock, make the store fail, see what a response did.
//!
//! It needs the feature `testing`, which belongs under the application's `dev-dependencies`:
//!
//! ```toml
//! [dev-dependencies]
//! session-axum = { path = "../session/session-axum", features = ["testing"] } # A checkout of its repository.
//! ```
//!
//! Nothing is checked less under test. The layer is the application's own, cookies are made and read by its transport, and
//! sessions are stored. The kit takes the places of what is around the layer: the client, the clock and the database. All
//! that the feature changes in the layer is a note in the extensions of a response, which says what became of the session.
//! One setting exists only with it: `DeviceBound::lifetime_for_tests` takes less than a minute, for a test with a real browser,
//! which can't wait for minutes.
//!
//! | what | by |
//! |---|---|
//! | the store and the clock of a test | [`TestSessions`] |
//! | a visitor's client that calls the application | [`TestClient`] |
//! | the cookies of a visitor, for any other client | [`Jar`] |
//! | what a response did to the session | [`SessionEffect`] |
//! | a `Session`, for functions that take one | [`TestSessions::session`] |
//! | any other extractor, and what becomes of the session | [`TestRequest`] |
//!
//! All of it panics where a test can't go on, with a message that says what to do.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), session_axum::SessionError> {
//! use std::time::Duration;
//!
//! use axum::Router;
//! use axum::routing::{get, post};
//! use session_axum::testing::{Operation, SessionEffect, TestSessions};
//! use session_axum::{ConfigError, EndSession, NewSession, SessionLayer, SessionLayerBuilder, SignedIn, Store};
//!
//! // The application: its settings go on any store, and its routes take any layer.
//! fn session_layer(builder: SessionLayerBuilder<impl Store>) -> Result<SessionLayer, ConfigError> {
//!     builder.idle_timeout(Duration::from_secs(900)).sign_in_page("/login").build()
//! }
//!
//! fn app(layer: SessionLayer) -> Router {
//!     Router::new()
//!         .route("/", get(async |user: SignedIn| format!("Hello {}", user.principal())))
//!         .route("/logout", post(async |ending: EndSession| ending.end()))
//!         .layer(layer)
//! }
//!
//! // Its test.
//! let sessions = TestSessions::new();
//! let layer = session_layer(sessions.layer())?;
//! let app = app(layer.clone());
//!
//! let mut ann = sessions.sign_in(&layer, NewSession::new().principal("ann")).await.client(app.clone());
//! assert_eq!(ann.get("/").await.body(), "Hello ann");
//!
//! // A stranger is led to the sign-in page.
//! assert_eq!(sessions.client(app).get("/").await.headers()["location"], "/login?next=%2F");
//!
//! // The store fails.
//! sessions.fail(Operation::READS);
//! assert_eq!(ann.get("/").await.status(), 503);
//! sessions.recover();
//!
//! // A cookie from before the logout is worth nothing after it.
//! let mut thief = ann.clone();
//! let response = ann.post("/logout").await;
//! assert_eq!(SessionEffect::of(&response), SessionEffect::Ended);
//! assert!(ann.jar().cookie_names().is_empty());
//! assert_eq!(thief.get("/").await.status(), 303);
//!
//! // Nobody used this session for 15 minutes.
//! ann.jar().sign_in(&layer, NewSession::new().principal("ann")).await;
//! sessions.advance(Duration::from_secs(900));
//! assert_eq!(ann.get("/").await.status(), 303);
//! # Ok(()) }
//! ```
//!
//! # Other clients
//!
//! [`Jar::header`] gives a name and a value of the crate `http`, which `axum-test`, `reqwest` and others take.
//! [`Jar::attach`] adds them to a request for `tower::ServiceExt::oneshot`, with the other headers that a browser sends.
//! [`Jar::keep`] takes what a response says. The guide "Testing" shows each.
//!
//! A client's own jar may lose the session: browsers and many jars keep no `Secure` cookie over `http://`, and a jar with the
//! computer's clock knows nothing of the test's. So let the kit's jar keep the cookies.

// This room may know everything. No other room may know it.
mod effect_of_layer;
mod jar;
mod kept_cookie;
mod test_client;
mod test_request;
mod test_sessions;

pub use jar::Jar;
pub use session_core::conformance::faulty::{Fault, Faults, FaultyStore, Gate, Operation, Plan};
pub use test_client::TestClient;
pub use test_request::TestRequest;
pub use test_sessions::TestSessions;

pub use crate::session_effect::SessionEffect;
