//! A single-page application: a page that calls a JSON API. Browsers have the cookie, also those that show the page of a
//! second origin, and the mobile client has a bearer token.
//!
//! Begin to read in [`app`].

pub(crate) mod pages;
#[cfg(test)]
mod tests;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use session_axum::{
    AttrKey, Authentication, ConfigError, CrossOriginProtection, EndSession, Fresh, MaybeSession, MemoryStore,
    NewSession, SessionError, SessionLayer, SessionLayerBuilder, SignedIn, Store,
};
use tokio::net::TcpListener;
use tower_http::cors::CorsLayer;

/// A text that the user is writing. It is gone when they sign out.
const DRAFT: AttrKey<String> = AttrKey::new("Draft");

/// How much a request may send. So every draft fits into a session.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

#[derive(Deserialize)]
struct Password {
    password: String,
}

#[derive(Serialize, Deserialize)]
struct Draft {
    text: String,
}

async fn sign_in(visitor: MaybeSession, Json(form): Json<Credentials>) -> Result<Response, SessionError> {
    if form.user.is_empty() || form.password != "a" {
        // The example `login` shows what belongs here: a database, a password hash, a limit.
        return Ok(refusal(StatusCode::UNAUTHORIZED, "wrong_password"));
    }
    visitor.start(NewSession::new().principal(&form.user))?;
    Ok(Json(serde_json::json!({ "user": form.user })).into_response())
}

async fn sign_out(ending: EndSession) -> StatusCode {
    ending.end();
    StatusCode::NO_CONTENT
}

async fn me(user: SignedIn) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "user": user.principal() }))
}

async fn draft(user: SignedIn) -> Result<Json<Draft>, SessionError> {
    Ok(Json(Draft { text: user.attr(DRAFT)?.unwrap_or_default() }))
}

async fn keep_draft(user: SignedIn, Json(draft): Json<Draft>) -> Result<StatusCode, SessionError> {
    user.set_attr(DRAFT, &draft.text)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes the draft. `Fresh` wants the password of the last 10 minutes, or else the answer is 403 with `not_fresh`.
async fn delete_draft(user: Fresh) -> Result<StatusCode, SessionError> {
    user.remove_attr(DRAFT)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the password again. The session gets a new id: in a cookie, or for the mobile client in the header `Session-Id`.
async fn confirm(user: SignedIn, Json(form): Json<Password>) -> Result<Response, SessionError> {
    if form.password != "a" {
        // Not 401, which says that nobody is signed in. Limit the attempts, as at the sign-in.
        return Ok(refusal(StatusCode::FORBIDDEN, "wrong_password"));
    }
    user.reauthenticate(Authentication::by(["pwd"]))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn session_layer(builder: SessionLayerBuilder<impl Store>) -> Result<SessionLayer, ConfigError> {
    // No `sign_in_page`: the page shows its own form when the API says 401. All that is turned away is answered alike.
    builder
        .cookie_or_bearer()
        .answer_with(|refused| Some(refusal(refused.refusal().status(), refused.refusal().code())))
        .build()
}

/// What a script gets in place of what it asked for.
fn refusal(status: StatusCode, reason: &str) -> Response {
    (status, Json(serde_json::json!({ "reason": reason }))).into_response()
}

/// The API, and the page that calls it. `second` is another origin whose page may call the API, if there is one.
pub(crate) fn app(layer: SessionLayer, second: Option<&str>) -> anyhow::Result<Router> {
    let mut api = Router::new()
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/confirm", post(confirm))
        .route("/me", get(me))
        .route("/draft", get(draft).put(keep_draft).delete(delete_draft));
    // Two things that look alike. The protection decides what the page of another origin may make a browser do, and
    // CORS what that page may read.
    let mut protection = CrossOriginProtection::new();
    if let Some(second) = second {
        protection = protection.trust(second)?;
    }
    api = api.layer(protection).layer(layer);
    if let Some(second) = second {
        let cors = CorsLayer::new()
            .allow_origin([HeaderValue::from_str(second)?])
            .allow_credentials(true) // The browser sends the cookie.
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([header::CONTENT_TYPE]);
        // The outermost, so that every answer can be read, and no session is looked up for a preflight.
        api = api.layer(cors);
    }
    Ok(pages::first().nest("/api", api).layer(DefaultBodyLimit::max(MAX_BYTES)))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let builder = SessionLayer::builder(MemoryStore::new()).allow_http(); // HTTP is for development only.
    // In production it is not set where page and API are one origin. So no origin of development goes live.
    let second = std::env::var("SECOND_ORIGIN").ok();
    let app = app(session_layer(builder)?, second.as_deref())?;
    let (first, second) = (TcpListener::bind("127.0.0.1:3000").await?, TcpListener::bind("127.0.0.1:3001").await?);
    tracing::info!("open http://127.0.0.1:3000; http://127.0.0.1:3001 needs SECOND_ORIGIN=http://127.0.0.1:3001");
    let second = axum::serve(second, pages::second("http://127.0.0.1:3000"));
    tokio::try_join!(axum::serve(first, app), second)?;
    Ok(())
}
