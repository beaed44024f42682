//! Sign in, count visits, sign out: the program of the README.
use axum::{Router, extract::Path, routing::get, routing::post};
use session_axum::{AttrKey, MaybeSession, MemoryStore, NewSession, Session, SessionError, SessionLayer};

const COUNT: AttrKey<u32> = AttrKey::new("Count");

async fn login(visitor: MaybeSession, Path(user): Path<String>) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal(user)).map(drop) // Check a password first.
}
async fn visit(sess: Session) -> Result<String, SessionError> {
    let visits = sess.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await?;
    Ok(format!("Hello {}, visit {visits}\n", sess.principal().unwrap_or_default()))
}
async fn logout(sess: Session) {
    sess.remove();
}
pub(crate) fn app() -> Router {
    let layer = SessionLayer::builder(MemoryStore::new()).allow_http().build().unwrap(); // Development only.
    Router::new().route("/", get(visit)).route("/login/{user}", post(login)).route("/logout", post(logout)).layer(layer)
}
#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await.unwrap();
    axum::serve(listener, app()).await.unwrap();
}
