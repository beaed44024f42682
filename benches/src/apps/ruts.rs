use std::fmt::Display;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use ruts::store::{SessionStore, Ttl};
use ruts::{CookieOptions, Session, SessionLayer};
use tower_cookies::CookieManagerLayer;

const HOUR: u32 = 3600;

/// On any store, as its README shows.
pub fn on<S: SessionStore>(store: S) -> Router {
    let cookie = CookieOptions::build().name("session").http_only(true).secure(true).max_age(HOUR.into()).path("/");
    Router::new()
        .route("/plain", get(async || "hello"))
        .route("/read", get(read::<S>))
        .route("/set", get(set::<S>))
        .route("/count", get(count::<S>))
        .route("/login", get(log_in::<S>))
        .route("/logout", get(log_out::<S>))
        .layer(SessionLayer::new(Arc::new(store)).with_cookie_options(cookie))
        .layer(CookieManagerLayer::new())
}

fn hour() -> Ttl {
    Ttl::new(HOUR.into()).expect("an hour can be stored")
}

async fn read<S: SessionStore>(session: Session<S>) -> Result<String, String> {
    let count: u32 = session.get("count").await.map_err(text)?.unwrap_or(0);
    Ok(count.to_string())
}

async fn set<S: SessionStore>(session: Session<S>) -> Result<&'static str, String> {
    session.set("count", &7_u32, hour(), None).await.map_err(text)?;
    Ok("hello")
}

async fn count<S: SessionStore>(session: Session<S>) -> Result<String, String> {
    let count: u32 = session.get("count").await.map_err(text)?.unwrap_or(0) + 1;
    session.set("count", &count, hour(), None).await.map_err(text)?;
    Ok(count.to_string())
}

async fn log_in<S: SessionStore>(session: Session<S>) -> Result<&'static str, String> {
    session.prepare_regenerate();
    session.set("count", &0_u32, hour(), None).await.map_err(text)?;
    session.set("user", &"ann", hour(), None).await.map_err(text)?;
    Ok("hello")
}

async fn log_out<S: SessionStore>(session: Session<S>) -> Result<&'static str, String> {
    session.delete().await.map_err(text)?;
    Ok("hello")
}

fn text(error: impl Display) -> String {
    error.to_string()
}
