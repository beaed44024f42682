//! The kit for the tests of an application, `session_axum::testing`: what it promises to whoever tests handlers with it.

mod clients;
mod clock;
mod effects;
mod failing;
mod forms;
mod jar;
mod signing_in;
mod units;

use axum::Router;
use axum::routing::{get, post};
use session_axum::testing::TestSessions;
use session_axum::{AttrKey, EndSession, MaybeSession, NewSession, Session, SessionError, SessionLayer, SignedIn};

const CART: AttrKey<Vec<String>> = AttrKey::new("Cart");

fn ann() -> NewSession {
    NewSession::new().principal("ann")
}

async fn home(user: SignedIn) -> String {
    user.principal().to_owned()
}

async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(ann()).map(drop)
}

async fn add(visitor: MaybeSession) -> Result<(), SessionError> {
    let sess = visitor.session_or_start()?;
    let mut cart = sess.attr(CART)?.unwrap_or_default();
    cart.push("tea".to_owned());
    Ok(sess.set_attr(CART, &cart)?)
}

async fn cart(sess: Session) -> Result<String, SessionError> {
    Ok(sess.attr(CART)?.unwrap_or_default().join(" "))
}

async fn renew(sess: Session) -> Result<(), SessionError> {
    Ok(sess.renew_id()?)
}

async fn logout(ending: EndSession) {
    ending.end();
}

/// A small shop at this layer.
fn shop(layer: SessionLayer) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/cart", get(cart).post(add))
        .route("/renew", post(renew))
        .route("/logout", post(logout))
        .layer(layer)
}

/// A shop with the layer's defaults.
fn plain_shop() -> (TestSessions, SessionLayer, Router) {
    let sessions = TestSessions::new();
    let layer = sessions.layer().build().unwrap();
    let app = shop(layer.clone());
    (sessions, layer, app)
}
