//! The application of a process: the real layer, and handlers that say whom they see.

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::routing::{get, post};
use fastrand::Rng;
use session_axum::{
    AnyStore, Authentication, DeviceBound, EndSession, MaybeSession, NewSession, Session, SessionError, SessionLayer,
};

use super::setup::Setup;
use crate::clock::ProcessClock;
use crate::random::Seeded;

/// The session's cookie.
pub const SESSION: &str = "__Host-sessid";
/// The bound cookie.
pub const BOUND: &str = "__Host-sessid-bound";
/// What a handler says to whom it does not know.
pub const NOBODY: &str = "nobody";

/// The constant attribute that is the number of a login.
const LOGIN: &str = "Login";

/// Starts the application on this store.
pub fn start(setup: &Setup, store: AnyStore, clock: ProcessClock, rng: Rng) -> Router {
    let layer = Arc::new(layer(setup, store, clock, rng));
    let manager = layer.manager().clone();
    let others = async move |sess: Session| -> Result<String, SessionError> {
        manager.end_others(&sess).await?;
        Ok(seen(Some(sess)))
    };
    let routes = Router::new()
        .route("/login", post(login))
        .route("/page", get(async |sess: Option<Session>| seen(sess)))
        .route("/strict", get(async |sess: Session| seen(Some(sess))))
        .route("/count", post(count))
        .route("/renew", post(renew))
        .route("/again", post(again))
        .route("/cart", post(cart))
        .route("/others", post(others))
        .route("/logout", post(async |ending: EndSession| ending.end()))
        .route("/assets/logo", get(async || "logo"));
    routes.layer((*layer).clone())
}

fn layer(setup: &Setup, store: AnyStore, clock: ProcessClock, rng: Rng) -> SessionLayer {
    let mut device_bound = DeviceBound::new().lifetime(setup.lifetime).out_of_scope(["/assets"]);
    if let Some(grace) = setup.skip_grace {
        device_bound = device_bound.skip_grace(grace);
    }
    let common = &setup.common;
    let mut builder = SessionLayer::builder(store)
        .clock(clock)
        .random_source(Seeded::new(rng))
        .idle_timeout(common.idle_timeout)
        .without_background_purge()
        .device_bound(device_bound);
    builder = match common.absolute_timeout {
        Some(timeout) => builder.absolute_timeout(timeout),
        None => builder.without_absolute_timeout(),
    };
    if let Some(limit) = common.limit {
        builder = builder.max_sessions_per_principal(limit);
    }
    if let Some(every) = common.renewals.and_then(|renewals| renewals.every) {
        builder = builder.renew_every(every);
    }
    if let Some(grace) = common.renewals.and_then(|renewals| renewals.grace) {
        builder = builder.renewal_grace(grace);
    }
    if setup.clears_site_data {
        builder = builder.clear_site_data(["cookies"]);
    }
    builder.build().expect("the settings are allowed")
}

/// The number of the login, as a handler sees it.
fn seen(session: Option<Session>) -> String {
    let number = |session: Session| session.constant::<usize>(LOGIN).ok().flatten();
    session.and_then(number).map_or(NOBODY.to_owned(), |number| format!("#{number}"))
}

async fn login(uri: Uri, visitor: MaybeSession) -> Result<(), SessionError> {
    let asked = uri.query().unwrap_or_default();
    let given = |name: &str| asked.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number: usize = given("number").and_then(|number| number.parse().ok()).unwrap_or_default();
    let new = NewSession::new().principal(given("user").unwrap_or_default()).constant(LOGIN, &number);
    visitor.start(new)?;
    Ok(())
}

async fn count(sess: Session) -> Result<String, SessionError> {
    sess.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await?;
    Ok(seen(Some(sess)))
}

async fn renew(sess: Session) -> Result<String, SessionError> {
    sess.renew_id()?;
    Ok(seen(Some(sess)))
}

async fn again(sess: Session) -> Result<String, SessionError> {
    sess.reauthenticate(Authentication::by(["otp"]))?;
    Ok(seen(Some(sess)))
}

async fn cart(visitor: MaybeSession) -> Result<String, SessionError> {
    let session = visitor.session_or_start()?;
    session.set_attr("Cart", &1)?;
    Ok(seen(Some(session)))
}
