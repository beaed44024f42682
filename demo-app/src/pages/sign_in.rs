use askama::Template;
use axum::Form;
use axum::debug_handler;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use session_axum::{CsrfToken, Flash, FlashLevel, MaybeSession, NewSession, ReturnTo, SessionError};

use crate::frame::Frame;
use crate::login::{self, MONTH};
use crate::page::{Page, once_more};
use crate::paths::SHOP;
use crate::site::App;

/// A form with the name, the password, and "stay signed in".
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    frame: Frame,
    csrf: String,
}

/// The fields of the form. A box that is not ticked is not sent.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SignInForm {
    user_name: String,
    password: String,
    remember: Option<String>,
}

/// Shows the form.
#[debug_handler(state = App)]
pub async fn show(frame: Frame, csrf: CsrfToken) -> Result<Page<SignInPage>, SessionError> {
    Ok(Page(SignInPage { frame, csrf: csrf.field()? }))
}

/// Signs in, and leads back to the page that led here.
#[debug_handler(state = App)]
pub async fn submit(
    visitor: MaybeSession,
    next: ReturnTo,
    flash: Flash,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<SignInForm>,
) -> Result<Response, SessionError> {
    if !login::is_right(&form.user_name, &form.password) {
        flash.push(FlashLevel::Error, "Invalid user name or password!")?;
        return Ok(once_more(&uri).into_response());
    }
    visitor.start(form.remembered(login::new_session(&visitor, &form.user_name, &headers)))?;
    Ok(next.or(SHOP))
}

impl SignInForm {
    fn remembered(&self, new: NewSession) -> NewSession {
        if self.remember.is_some() { new.remember(MONTH) } else { new }
    }
}
