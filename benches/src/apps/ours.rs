use axum::Router;
use axum::routing::get;
use session_axum::{AttrKey, MaybeSession, NewSession, Session, SessionError, SessionLayer};
use session_core::{MemoryStore, SessionManager, Store};

pub const COUNT: AttrKey<u32> = AttrKey::new("count");
pub const USER: AttrKey<String> = AttrKey::new("user");

pub fn router() -> Router {
    on(MemoryStore::new())
}

/// On any store.
pub fn on(store: impl Store) -> Router {
    routes().route("/login", get(log_in)).layer(SessionLayer::new(SessionManager::new(store)))
}

/// All but the login.
pub fn routes() -> Router {
    Router::new()
        .route("/plain", get(async || "hello"))
        .route("/read", get(read))
        .route("/set", get(set))
        .route("/count", get(count))
        .route("/logout", get(log_out))
}

async fn read(sess: Session) -> Result<String, SessionError> {
    Ok(sess.attr(COUNT)?.unwrap_or(0).to_string())
}

async fn set(sess: Session) -> Result<&'static str, SessionError> {
    sess.set_attr(COUNT, &7)?;
    Ok("hello")
}

async fn count(sess: Session) -> Result<String, SessionError> {
    Ok(sess.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await?.to_string())
}

async fn log_in(visitor: MaybeSession) -> Result<&'static str, SessionError> {
    visitor.start(NewSession::new().attr(COUNT, &0).attr(USER, "ann"))?;
    Ok("hello")
}

async fn log_out(sess: Session) -> &'static str {
    sess.remove();
    "hello"
}
