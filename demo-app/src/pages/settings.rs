use askama::Template;
use axum::Form;
use axum::debug_handler;
use axum::response::Redirect;
use serde::Deserialize;
use session_axum::{AttrKey, Flash, FlashLevel, Fresh, SessionError};

use crate::frame::Frame;
use crate::page::Page;
use crate::pages::sign_in::MONTH;
use crate::site::App;

/// Where the page is.
pub const PAGE: &str = "/demo/settings";

/// Where orders are sent. It is in the session, because the demo has no database.
pub const ADDRESS: AttrKey<String> = AttrKey::new("Address");

/// How many characters an address has at most.
const MAX_ADDRESS: usize = 200;

/// What only whoever knows the password may see and change.
#[derive(Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    frame: Frame,
    address: String,
    is_remembered: bool,
    max_address: usize,
}

/// The fields of the form. A box that is not ticked is not sent.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SettingsForm {
    address: String,
    remember: Option<String>,
}

/// Shows the settings to whoever has given the password a short time ago. All others are asked for it.
#[debug_handler(state = App)]
pub async fn show(frame: Frame, user: Fresh) -> Result<Page<SettingsPage>, SessionError> {
    let address = user.attr(ADDRESS)?.unwrap_or_default();
    Ok(Page(SettingsPage { frame, address, is_remembered: user.persistent(), max_address: MAX_ADDRESS }))
}

/// Saves the settings.
#[debug_handler(state = App)]
pub async fn submit(user: Fresh, flash: Flash, Form(form): Form<SettingsForm>) -> Result<Redirect, SessionError> {
    user.set_attr(ADDRESS, &form.address())?;
    match (form.remember.is_some(), user.persistent()) {
        (true, false) => user.remember(MONTH)?,
        (false, true) => user.stop_remembering()?,
        _ => {}
    }
    flash.push(FlashLevel::Success, "Your settings are saved.")?;
    Ok(Redirect::to(PAGE))
}

impl SettingsForm {
    fn address(&self) -> String {
        self.address.trim().chars().take(MAX_ADDRESS).collect()
    }
}
