use std::cmp::Reverse;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::debug_handler;
use axum::extract::State;
use axum::response::Redirect;
use serde::Deserialize;
use session_axum::{Counters, Record, RecordKey, SessionError, SessionManager, Time};

use crate::frame::Frame;
use crate::page::Page;
use crate::paths::ADMIN;
use crate::site::{App, Site};
use crate::words::exactly;

/// How many sessions are on one page at most.
const LIMIT: usize = 200;

/// The page with all sessions, for an administrator.
#[derive(Template)]
#[template(path = "admin.html")]
pub struct AdminPage {
    frame: Frame,
    /// Live sessions; `None` if the store can't list them.
    sessions: Option<Vec<SessionRow>>,
    /// Whether there may be more.
    more: bool,
    /// How often things happened since the start.
    counters: Counters,
}

/// One session in the list, in words.
struct SessionRow {
    handle: RecordKey,
    user: Arc<str>,
    age: String,
    unused: String,
    left: String,
}

/// Which session to end.
#[derive(Deserialize)]
pub struct EndForm {
    handle: String,
}

/// Lists sessions by their handles, the most recently used first.
#[debug_handler(state = App)]
pub async fn list(
    State(site): State<Arc<Site>>,
    State(sessions): State<SessionManager>,
) -> Result<Page<AdminPage>, SessionError> {
    let (frame, counters) = (Frame::without_session(site), sessions.counters());
    let mut page = AdminPage { frame, sessions: None, more: false, counters };
    if sessions.capabilities().list {
        let mut records = sessions.list(LIMIT).await?;
        records.sort_by_key(|record| Reverse(record.accessed));
        page.more = records.len() == LIMIT;
        page.sessions = Some(records.iter().map(|record| SessionRow::new(record, sessions.now())).collect());
    }
    Ok(Page(page))
}

/// Ends the session of a handle, whichever browser has it.
#[debug_handler(state = App)]
pub async fn end(State(sessions): State<SessionManager>, Form(form): Form<EndForm>) -> Result<Redirect, SessionError> {
    // Text that is no handle names no session, so nothing has to be ended.
    if let Ok(handle) = form.handle.parse::<RecordKey>() {
        sessions.end(&handle).await?;
    }
    Ok(Redirect::to(ADMIN))
}

impl SessionRow {
    fn new(record: &Record, now: Time) -> Self {
        SessionRow {
            handle: record.key,
            user: record.principal.clone().unwrap_or_else(|| "anonymous".into()),
            age: exactly(now.since(record.created)),
            unused: exactly(now.since(record.accessed)),
            left: exactly(record.expires_at().since(now)),
        }
    }
}
