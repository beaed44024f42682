use std::sync::Arc;

use axum::Form;
use axum::debug_handler;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use serde::Deserialize;
use session_axum::{AttrKey, MaybeSession, NewSession, Session, SessionError};

use crate::pages::{DemoPage, Site, Visitor};

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
pub async fn show(State(site): State<Arc<Site>>, visitor: MaybeSession) -> Result<DemoPage, SessionError> {
    let visitor = match visitor.session() {
        Some(session) => count(&session).await?,
        None => Visitor::anonymous(),
    };
    Ok(DemoPage { site, visitor })
}

/// Takes a form. For someone who is signed in, anything but a logout counts as a visit.
#[debug_handler]
pub async fn submit(
    State(site): State<Arc<Site>>,
    visitor: MaybeSession,
    form: Result<Form<DemoForm>, FormRejection>,
) -> Result<DemoPage, SessionError> {
    let form = match form {
        Ok(Form(form)) => form,
        // The form is too large, so nobody has this name and password.
        Err(FormRejection::BytesRejection(_)) => DemoForm { login: "Login".into(), ..DemoForm::default() },
        // Anything else that is no form of the page counts as a visit.
        Err(_) => DemoForm::default(),
    };
    let visitor = match visitor.session() {
        Some(session) if !form.logout.is_empty() => log_out(&session),
        Some(session) => count(&session).await?,
        None if !form.login.is_empty() => log_in(&visitor, form)?,
        None => Visitor::anonymous(),
    };
    Ok(DemoPage { site, visitor })
}

async fn count(session: &Session) -> Result<Visitor, SessionError> {
    let user = session.constant(USER)?.unwrap_or_default();
    match session.update_attr(COUNT, |visits| visits.unwrap_or(0) + 1).await {
        Ok(visits) => Ok(Visitor::SignedIn { user, visits }),
        // The visitor logged out in another window while this request ran.
        Err(error) if error.is_gone() => Ok(Visitor::anonymous()),
        Err(error) => Err(error.into()),
    }
}

fn log_in(visitor: &MaybeSession, form: DemoForm) -> Result<Visitor, SessionError> {
    if !form.is_right() {
        return Ok(Visitor::Anonymous { refused: Some(form.user_name) });
    }
    let user = form.user_name;
    visitor.start(NewSession::new().principal(&user).constant(USER, &user).attr(COUNT, &1))?;
    Ok(Visitor::SignedIn { user, visits: 1 })
}

fn log_out(session: &Session) -> Visitor {
    session.remove();
    Visitor::anonymous()
}

impl DemoForm {
    /// Accepts any name with the password `a`. A real application asks its database.
    fn is_right(&self) -> bool {
        !self.user_name.is_empty() && self.password == "a"
    }
}
