use std::sync::Arc;

use axum::Form;
use axum::debug_handler;
use axum::extract::rejection::FormRejection;
use axum::extract::{RawQuery, State};
use axum::response::Redirect;
use serde::Deserialize;
use session_axum::{AttrKey, EndSession, MaybeSession, NewSession, Session, SessionError};

use crate::pages::{DemoPage, Site, Visitor};

/// Where the page is.
pub const PAGE: &str = "/demo";

/// What the page's address has after a login that was refused. The name that was typed is not in it: addresses are
/// logged, and people type passwords into the wrong field.
const REFUSED: &str = "refused";

const USER: AttrKey<String> = AttrKey::new("UserName");
const COUNT: AttrKey<u64> = AttrKey::new("Count");

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
#[debug_handler]
pub async fn show(
    State(site): State<Arc<Site>>,
    visitor: MaybeSession,
    RawQuery(query): RawQuery,
) -> Result<DemoPage, SessionError> {
    let signed_in = match visitor.session() {
        Some(session) => count(&session).await?,
        None => None,
    };
    let visitor = signed_in.unwrap_or(Visitor::Anonymous { refused: query.as_deref() == Some(REFUSED) });
    Ok(DemoPage { site, visitor })
}

/// Takes a form, then sends the browser to the page, so that neither going back nor reloading sends the form again.
/// For someone who is signed in, anything but a logout counts as a visit, because the page follows.
#[debug_handler]
pub async fn submit(
    visitor: MaybeSession,
    ending: EndSession,
    form: Result<Form<DemoForm>, FormRejection>,
) -> Result<Redirect, SessionError> {
    let form = match form {
        Ok(Form(form)) => form,
        // The form is too large, so nobody has this name and password.
        Err(FormRejection::BytesRejection(_)) => DemoForm { login: "Login".into(), ..DemoForm::default() },
        // Anything else that is no form of the page counts as a visit.
        Err(_) => DemoForm::default(),
    };
    match visitor.session() {
        None if !form.login.is_empty() => return log_in(&visitor, form),
        // Also where another window has just been given a new id.
        _ if !form.logout.is_empty() => ending.end(),
        _ => {}
    }
    Ok(Redirect::to(PAGE))
}

/// One visit more. `None` if the visitor logged out in another window while this request ran.
async fn count(session: &Session) -> Result<Option<Visitor>, SessionError> {
    let user = session.constant(USER)?.unwrap_or_default();
    match session.update_attr(COUNT, |visits| visits.unwrap_or(0) + 1).await {
        Ok(visits) => Ok(Some(Visitor::SignedIn { user, visits })),
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn log_in(visitor: &MaybeSession, form: DemoForm) -> Result<Redirect, SessionError> {
    if !form.is_right() {
        return Ok(Redirect::to(&format!("{PAGE}?{REFUSED}")));
    }
    let user = form.user_name;
    // The page that follows is the first visit.
    visitor.start(NewSession::new().principal(&user).constant(USER, &user).attr(COUNT, &0))?;
    Ok(Redirect::to(PAGE))
}

impl DemoForm {
    /// Accepts any name with the password `a`. A real application asks its database.
    fn is_right(&self) -> bool {
        !self.user_name.is_empty() && self.password == "a"
    }
}
