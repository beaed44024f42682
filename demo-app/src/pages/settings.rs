use askama::Template;
use axum::Form;
use axum::debug_handler;
use axum::response::Redirect;
use serde::Deserialize;
use session_axum::{Flash, FlashLevel, Fresh, SessionError};

use crate::frame::Frame;
use crate::login::MONTH;
use crate::page::Page;
use crate::pages::shop::ADDRESS;
use crate::paths::SETTINGS;
use crate::site::App;

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
    Ok(Redirect::to(SETTINGS))
}

impl SettingsForm {
    fn address(&self) -> String {
        self.address.trim().chars().take(MAX_ADDRESS).collect()
    }
}
