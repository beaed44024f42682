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

/// Both forms of the page: fields are empty in the one that does not have them.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DemoForm {
    user_name: String,
    password: String,
    login: String,
    logout: String,
}

/// Shows the page. For someone signed in, that is one more visit.
#[debug_handler]
pub async fn show(State(site): State<Arc<Site>>, visitor: MaybeSession) -> Result<DemoPage, SessionError> {
    let visitor = match visitor.session() {
        Some(session) => count(&session).await?,
        None => Visitor::anonymous(),
    };
    Ok(DemoPage { site, visitor })
}

/// Takes a form. For someone signed in, all but a logout is one more visit.
#[debug_handler]
pub async fn submit(
    State(site): State<Arc<Site>>,
    visitor: MaybeSession,
    form: Result<Form<DemoForm>, FormRejection>,
) -> Result<DemoPage, SessionError> {
    let form = match form {
        Ok(Form(form)) => form,
        // Larger than a form may be: credentials of nobody.
        Err(FormRejection::BytesRejection(_)) => DemoForm { login: "Login".into(), ..DemoForm::default() },
        // What is no form of ours is a visit like any other.
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
        // Logged out in another window since this request began.
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
    /// Any name and the password `a`; a real application looks them up.
    fn is_right(&self) -> bool {
        !self.user_name.is_empty() && self.password == "a"
    }
}
