//! A shopping list with htmx. The pages also work without scripts: each form is one that a browser sends by itself, and
//! htmx only replaces a part of the page where it can.
//!
//! Begin to read in [`app`].

mod list;
mod shown;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use session_axum::{
    ConfigError, CrossOriginProtection, CsrfToken, EndSession, FlashLevel, MaybeSession, MemoryStore, NewSession,
    ReturnTo, SessionError, SessionLayer, SessionLayerBuilder, Store,
};
use tokio::net::TcpListener;

use list::{LIST, List, with, without};
use shown::shown;

/// How large a form may be. So a hundred items fit into a session.
const MAX_FORM_BYTES: usize = 4096;

#[derive(Deserialize)]
struct NewItem {
    name: String,
}

#[derive(Deserialize)]
struct Removed {
    number: u32,
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

async fn show(list: List) -> Result<Response, SessionError> {
    list.page()
}

async fn add(list: List, Form(new): Form<NewItem>) -> Result<Response, SessionError> {
    list.user.update_attr(LIST, |items| with(items, &new.name)).await?;
    list.flash.push(FlashLevel::Success, format!("{} is on the list.", new.name))?;
    list.changed()
}

async fn remove(list: List, Form(removed): Form<Removed>) -> Result<Response, SessionError> {
    list.user.update_attr(LIST, |items| without(items, removed.number)).await?;
    list.flash.push(FlashLevel::Success, "It is off the list.")?;
    list.changed()
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    is_wrong: bool,
    csrf: String,
}

async fn sign_in_page(csrf: CsrfToken) -> Result<Response, SessionError> {
    Ok(shown(&SignInPage { is_wrong: false, csrf: csrf.field()? }))
}

async fn sign_in(
    visitor: MaybeSession,
    next: ReturnTo,
    csrf: CsrfToken,
    Form(form): Form<Credentials>,
) -> Result<Response, SessionError> {
    if form.user.is_empty() || form.password != "a" {
        // The example `login` shows what belongs here: a database, a password hash, a limit.
        let page = SignInPage { is_wrong: true, csrf: csrf.field()? };
        return Ok((StatusCode::UNAUTHORIZED, shown(&page)).into_response());
    }
    visitor.start(NewSession::new().principal(form.user))?;
    Ok(next.or("/"))
}

async fn sign_out(ending: EndSession) -> Redirect {
    ending.end();
    Redirect::to("/sign-in")
}

fn session_layer(builder: SessionLayerBuilder<impl Store>) -> Result<SessionLayer, ConfigError> {
    // Where the session is gone, browsers are led to this page, and htmx by the header `HX-Redirect`.
    builder.sign_in_page("/sign-in").never_return_to(["/sign-out"]).build()
}

fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route("/", get(show))
        .route("/add", post(add))
        .route("/remove", post(remove))
        .route("/sign-in", get(sign_in_page).post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(CrossOriginProtection::new().require_token()) // The token is for browsers from before 2020.
        .layer(layer)
        .route("/htmx.js", get(htmx))
        .layer(map_response(only_own_scripts))
}

/// The library, version 2.0.11, as its makers publish it.
async fn htmx() -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "public, max-age=86400")];
    (headers, include_str!("../static/htmx.min.js"))
}

/// Text of users that gets into a page by mistake does nothing there.
async fn only_own_scripts(mut response: Response) -> Response {
    let policy = "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                  frame-ancestors 'none'";
    let policy = HeaderValue::from_static(policy);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let builder = SessionLayer::builder(MemoryStore::new()).allow_http(); // HTTP is for development only.
    let app = app(session_layer(builder)?);
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    tracing::info!("open http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
