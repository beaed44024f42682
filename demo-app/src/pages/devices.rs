use askama::Template;
use axum::Form;
use axum::debug_handler;
use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;
use session_axum::{
    AttributeError, Flash, FlashLevel, Record, RecordKey, SessionError, SessionManager, SignedIn, Time,
};

use crate::browser;
use crate::frame::Frame;
use crate::login::USER_AGENT;
use crate::page::Page;
use crate::paths::DEVICES;
use crate::site::App;
use crate::words::{ago, counted, left};

/// Where a user is signed in.
#[derive(Template)]
#[template(path = "devices.html")]
pub struct DevicesPage {
    frame: Frame,
    /// `None` if the store can't find the sessions of a user.
    devices: Option<Vec<Device>>,
}

/// A session in the list, in words.
struct Device {
    handle: RecordKey,
    browser: String,
    is_this: bool,
    badges: Vec<&'static str>,
    used: String,
    used_at: Time,
    started: String,
    ends: String,
}

/// The session that a button stands for.
#[derive(Deserialize)]
pub struct EndForm {
    handle: RecordKey,
}

/// Lists the sessions of the user.
#[debug_handler(state = App)]
pub async fn list(
    frame: Frame,
    user: SignedIn,
    State(sessions): State<SessionManager>,
) -> Result<Page<DevicesPage>, SessionError> {
    let devices = match sessions.capabilities().principals {
        true => Some(devices(&user, &sessions).await?),
        false => None,
    };
    Ok(Page(DevicesPage { frame, devices }))
}

/// Ends one session of the user.
#[debug_handler(state = App)]
pub async fn end(
    user: SignedIn,
    State(sessions): State<SessionManager>,
    flash: Flash,
    Form(form): Form<EndForm>,
) -> Result<Redirect, SessionError> {
    // Only the user's own: a handle is no secret.
    match sessions.end_one_of(user.principal(), &form.handle).await? {
        true => flash.push(FlashLevel::Success, "That device is signed out.")?,
        false => flash.push(FlashLevel::Info, "That device was signed out already.")?,
    }
    Ok(Redirect::to(DEVICES))
}

/// Ends all sessions of the user but this one.
#[debug_handler(state = App)]
pub async fn end_others(
    user: SignedIn,
    State(sessions): State<SessionManager>,
    flash: Flash,
) -> Result<Redirect, SessionError> {
    let count = sessions.end_others(&user).await?;
    flash.push(FlashLevel::Success, format!("{} signed out.", counted(count as u64, "other device")))?;
    Ok(Redirect::to(DEVICES))
}

/// This device first, then the newest.
async fn devices(user: &SignedIn, sessions: &SessionManager) -> Result<Vec<Device>, SessionError> {
    let records = sessions.sessions_of(user.principal()).await?;
    let devices = records.into_iter().map(|record| Device::new(record, &user.handle(), sessions.now()));
    let mut devices = devices.collect::<Result<Vec<_>, _>>()?;
    devices.sort_by_key(|device| !device.is_this);
    Ok(devices)
}

impl Device {
    fn new(mut record: Record, this: &RecordKey, now: Time) -> Result<Self, AttributeError> {
        let is_this = record.key == *this;
        if is_this {
            // The store is told of this request's use later, if at all.
            record.accessed = now;
        }
        let badges = [(is_this, "This device"), (record.persistent, "Remembered")];
        Ok(Device {
            handle: record.key,
            browser: browser::name(&record.constant(USER_AGENT)?.unwrap_or_default()),
            is_this,
            badges: badges.into_iter().filter(|(applies, _)| *applies).map(|(_, badge)| badge).collect(),
            used: ago(now.since(record.accessed)),
            used_at: record.accessed,
            started: ago(now.since(record.created)),
            ends: ends(&record, now),
        })
    }
}

fn ends(record: &Record, now: Time) -> String {
    let left = left(record.expires_at().since(now));
    // Use puts off the idle deadline alone.
    let is_final = record.absolute_deadline == Some(record.expires_at());
    if is_final { format!("ends in {left}") } else { format!("ends in {left} if unused") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser;

    use super::*;
    use crate::options::Options;
    use crate::site::Site;

    #[test]
    fn a_store_that_can_not_list_is_said() {
        let site = Arc::new(Site::new(&Options::parse_from(["demo-app"])));
        let page = DevicesPage { frame: Frame::without_session(site), devices: None };
        assert!(page.render().unwrap().contains("This store can't find the sessions of a user."));
    }
}
