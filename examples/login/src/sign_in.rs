//! Signing in and up: for whoever is not signed in yet.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use session_axum::{Authentication, MaybeSession, NewSession, ReturnTo, SessionError};

use crate::account::Account;
use crate::passwords::SHORTEST_PASSWORD;
use crate::problem::Problem;
use crate::state::App;
use crate::users::User;

/// How long "remember me" lasts.
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// What both forms send.
#[derive(Deserialize)]
pub struct Credentials {
    name: String,
    password: String,
    /// A checkbox that is not ticked sends nothing.
    remember: Option<String>,
}

/// Shows the page with the form that belongs to the address, or leads on whoever is signed in.
pub async fn page(account: Option<Account>, next: ReturnTo, page: FormPage) -> Response {
    if account.is_some() { next.or("/") } else { page.into_response() }
}

/// Signs a user in, and leads back to the page that asked for it.
pub async fn sign_in(
    State(app): State<App>,
    visitor: MaybeSession,
    next: ReturnTo,
    page: FormPage,
    Form(form): Form<Credentials>,
) -> Result<Response, Problem> {
    if !app.attempts.begin(&form.name) {
        return Ok(page.refuse(StatusCode::TOO_MANY_REQUESTS, "Too many wrong passwords. Please wait a minute."));
    }
    let Some(user) = app.users.with_password(&form.name, form.password).await? else {
        return Ok(page.refuse(StatusCode::UNAUTHORIZED, "Wrong name or password."));
    };
    app.attempts.forget(&form.name);
    start(&visitor, &user, form.remember.is_some())?;
    Ok(next.or("/"))
}

/// Adds a user, and signs them in.
pub async fn sign_up(
    State(app): State<App>,
    visitor: MaybeSession,
    next: ReturnTo,
    page: FormPage,
    Form(form): Form<Credentials>,
) -> Result<Response, Problem> {
    if form.name.is_empty() || form.password.chars().count() < SHORTEST_PASSWORD {
        return Ok(
            page.refuse(StatusCode::UNPROCESSABLE_ENTITY, "Give a name, and a password of 8 characters or more.")
        );
    }
    let Some(user) = app.users.add(&form.name, form.password).await? else {
        return Ok(page.refuse(StatusCode::CONFLICT, "This name is taken."));
    };
    start(&visitor, &user, form.remember.is_some())?;
    Ok(next.or("/"))
}

/// Starts a session under a fresh id, with what was in the session of the visitor before.
fn start(visitor: &MaybeSession, user: &User, remember: bool) -> Result<(), SessionError> {
    let proof = Authentication::by(["pwd"]).credentials(&user.password_hash);
    let mut new = NewSession::new().principal(user.id.to_string()).authenticated(proof);
    if let Some(before) = visitor.session() {
        new = new.keep(&before);
    }
    if remember {
        new = new.remember(MONTH);
    }
    visitor.start(new)?;
    Ok(())
}

/// The page with one of the two forms. A form has no `action`, so it is sent to the address of its page: with the way back
/// in the query.
#[derive(Template)]
#[template(path = "form.html")]
pub struct FormPage {
    is_new: bool,
    query: String,
    message: &'static str,
}

impl FormPage {
    fn refuse(mut self, status: StatusCode, message: &'static str) -> Response {
        self.message = message;
        (status, self).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for FormPage {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(FormPage { is_new: parts.uri.path() == "/sign-up", query, message: "" })
    }
}

impl IntoResponse for FormPage {
    fn into_response(self) -> Response {
        self.render().map(Html).map_err(|error| Problem::Failure(error.into())).into_response()
    }
}
