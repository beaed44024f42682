use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::debug_handler;
use axum::extract::rejection::FormRejection;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Redirect;
use serde::Deserialize;
use session_axum::{EndSession, MaybeSession, SessionError, SignedIn};

use crate::frame::Frame;
use crate::login::{self, COUNT, USER};
use crate::page::Page;
use crate::paths::DEMO;
use crate::site::{App, Site};

/// What the page's address has after a login that was refused. The name that was typed is not in it: addresses are
/// logged, and people type passwords into the wrong field.
const REFUSED: &str = "refused";

/// The page of the original: a login form, or a greeting with the number of visits.
#[derive(Template)]
#[template(path = "demo.html")]
pub struct DemoPage {
    frame: Frame,
    visitor: Visitor,
}

/// The visitor, as the page sees them.
enum Visitor {
    /// Nobody is signed in.
    Anonymous { refused: bool },
    /// Somebody is signed in, and has seen the page so many times since the login.
    SignedIn { user: String, visits: u64 },
}

/// The fields of both forms of the page. A field is empty in the form that lacks it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DemoForm {
    user_name: String,
    password: String,
    login: String,
    logout: String,
}

/// Shows the page, and counts a visit of someone who is signed in.
#[debug_handler(state = App)]
pub async fn show(
    State(site): State<Arc<Site>>,
    user: Option<SignedIn>,
    RawQuery(query): RawQuery,
) -> Result<Page<DemoPage>, SessionError> {
    let signed_in = match user {
        Some(user) => count(&user).await?,
        None => None,
    };
    let visitor = signed_in.unwrap_or(Visitor::Anonymous { refused: query.as_deref() == Some(REFUSED) });
    Ok(Page(DemoPage { frame: Frame::without_session(site), visitor }))
}

/// Takes a form, then sends the browser to the page, so that neither going back nor reloading sends the form again.
/// For someone who is signed in, anything but a logout counts as a visit, because the page follows.
#[debug_handler(state = App)]
pub async fn submit(
    visitor: MaybeSession,
    user: Option<SignedIn>,
    ending: EndSession,
    headers: HeaderMap,
    form: Result<Form<DemoForm>, FormRejection>,
) -> Result<Redirect, SessionError> {
    let form = DemoForm::of(form);
    match user {
        None if !form.login.is_empty() => return log_in(&visitor, form, &headers),
        // Also where another window has just been given a new id.
        _ if !form.logout.is_empty() => ending.end(),
        _ => {}
    }
    Ok(Redirect::to(DEMO))
}

/// One visit more. `None` if the visitor logged out in another window while this request ran.
async fn count(user: &SignedIn) -> Result<Option<Visitor>, SessionError> {
    let name = user.constant(USER)?.unwrap_or_default();
    match user.update_attr(COUNT, |visits| visits.unwrap_or(0) + 1).await {
        Ok(visits) => Ok(Some(Visitor::SignedIn { user: name, visits })),
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn log_in(visitor: &MaybeSession, form: DemoForm, headers: &HeaderMap) -> Result<Redirect, SessionError> {
    if !login::is_right(&form.user_name, &form.password) {
        return Ok(Redirect::to(&format!("{DEMO}?{REFUSED}")));
    }
    // The page that follows is the first visit.
    visitor.start(login::new_session(visitor, &form.user_name, headers))?;
    Ok(Redirect::to(DEMO))
}

impl DemoForm {
    fn of(form: Result<Form<DemoForm>, FormRejection>) -> DemoForm {
        match form {
            Ok(Form(form)) => form,
            // The form is too large, so nobody has this name and password.
            Err(FormRejection::BytesRejection(_)) => DemoForm { login: "Login".into(), ..DemoForm::default() },
            // Anything else that is no form of the page counts as a visit.
            Err(_) => DemoForm::default(),
        }
    }
}
