use std::cmp::Reverse;

use axum::Form;
use axum::debug_handler;
use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;
use session_axum::{RecordKey, SessionError, SessionManager};

use crate::pages::{AdminPage, SessionRow};

/// How many sessions are on one page at most.
const LIMIT: usize = 200;

/// Which session to end.
#[derive(Deserialize)]
pub struct EndForm {
    handle: String,
}

/// Lists sessions by their handles, the most recently used first.
#[debug_handler]
pub async fn list(State(sessions): State<SessionManager>) -> Result<AdminPage, SessionError> {
    let mut page = AdminPage { sessions: None, more: false, counters: sessions.counters() };
    if sessions.capabilities().list {
        let mut records = sessions.list(LIMIT).await?;
        records.sort_by_key(|record| Reverse(record.accessed));
        page.more = records.len() == LIMIT;
        page.sessions = Some(records.iter().map(|record| SessionRow::new(record, sessions.now())).collect());
    }
    Ok(page)
}

/// Ends the session of a handle, whichever browser has it.
#[debug_handler]
pub async fn end(State(sessions): State<SessionManager>, Form(form): Form<EndForm>) -> Result<Redirect, SessionError> {
    // Text that is no handle names no session, so nothing has to be ended.
    if let Ok(handle) = form.handle.parse::<RecordKey>() {
        sessions.end(&handle).await?;
    }
    Ok(Redirect::to("/demo/admin"))
}
