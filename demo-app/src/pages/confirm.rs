use askama::Template;
use axum::Form;
use axum::debug_handler;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use session_axum::{Flash, FlashLevel, ReturnTo, SessionError, SignedIn};

use crate::frame::Frame;
use crate::login;
use crate::page::{Page, once_more};
use crate::paths::SETTINGS;
use crate::site::App;

/// Asks for the password of whoever is signed in.
#[derive(Template)]
#[template(path = "confirm.html")]
pub struct ConfirmPage {
    frame: Frame,
}

/// The field of the form.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConfirmForm {
    password: String,
}

/// Shows the form.
#[debug_handler(state = App)]
pub async fn show(frame: Frame, _: SignedIn) -> Page<ConfirmPage> {
    Page(ConfirmPage { frame })
}

/// Takes the password, gives the session a new id, and leads back to what asked for it.
#[debug_handler(state = App)]
pub async fn submit(
    user: SignedIn,
    next: ReturnTo,
    flash: Flash,
    uri: Uri,
    Form(form): Form<ConfirmForm>,
) -> Result<Response, SessionError> {
    if !login::is_right(user.principal(), &form.password) {
        flash.push(FlashLevel::Error, "That is not the password.")?;
        return Ok(once_more(&uri).into_response());
    }
    user.reauthenticate(login::proof())?;
    Ok(next.or(SETTINGS))
}
