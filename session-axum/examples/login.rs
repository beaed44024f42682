//! Log in, count visits, log out: the program of the README.
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Form, Router};
use session_axum::{AttrKey, EndSession, MaybeSession, MemoryStore, NewSession, Session, SessionError, SessionLayer};

const COUNT: AttrKey<u32> = AttrKey::new("Count");

#[derive(serde::Deserialize)]
struct Login {
    user: String,
    password: String,
}

async fn login(visitor: MaybeSession, Form(form): Form<Login>) -> Result<StatusCode, SessionError> {
    if form.password != "secret" {
        // Ask your database here.
        return Ok(StatusCode::UNAUTHORIZED);
    }
    visitor.start(NewSession::new().principal(form.user))?;
    Ok(StatusCode::OK)
}

async fn visit(sess: Session) -> Result<String, SessionError> {
    let visits = sess.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await?;
    Ok(format!("Hello {}, visit {visits}\n", sess.principal().unwrap_or_default()))
}

async fn logout(ending: EndSession) {
    ending.end();
}

/// Async, because most stores connect here.
pub async fn app() -> Result<Router, SessionError> {
    let layer = SessionLayer::builder(MemoryStore::new()).allow_http().build()?; // HTTP: for development only.
    Ok(Router::new().route("/", get(visit)).route("/login", post(login)).route("/logout", post(logout)).layer(layer))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app().await?).await?)
}
