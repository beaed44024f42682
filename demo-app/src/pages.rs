use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use session_axum::{Counters, Record, RecordKey, Time};

use crate::options::{AbsoluteTimeout, Options};

/// The settings that every page shows.
pub struct Site {
    idle_timeout: String,
    absolute_timeout: Option<String>,
    allow_http: bool,
}

impl Site {
    /// Takes them from the options.
    pub fn new(options: &Options) -> Self {
        Site {
            idle_timeout: timeout_in_words(options.idle_timeout),
            absolute_timeout: match options.absolute_timeout {
                AbsoluteTimeout::After(timeout) => Some(timeout_in_words(timeout)),
                AbsoluteTimeout::Off => None,
            },
            allow_http: options.allow_http,
        }
    }

    /// Whether its pages may come over HTTP.
    pub fn allows_http(&self) -> bool {
        self.allow_http
    }
}

/// The visitor, as a page sees them.
pub enum Visitor {
    /// Nobody is signed in.
    Anonymous {
        /// Whether a login was just refused.
        refused: bool,
    },
    /// Somebody is signed in.
    SignedIn {
        /// Their name.
        user: String,
        /// Visits since the login.
        visits: u64,
    },
}

/// The page of the demo: a login form, or a greeting with the number of visits.
#[derive(Template)]
#[template(path = "demo.html")]
pub struct DemoPage {
    /// The demo.
    pub site: Arc<Site>,
    /// The visitor.
    pub visitor: Visitor,
}

/// The page that says that the store can't be reached.
#[derive(Template)]
#[template(path = "outage.html")]
pub struct OutagePage {
    site: Arc<Site>,
}

/// The page with all sessions, for an administrator.
#[derive(Template)]
#[template(path = "admin.html")]
pub struct AdminPage {
    /// Live sessions; `None` if the store can't list them.
    pub sessions: Option<Vec<SessionRow>>,
    /// Whether there may be more.
    pub more: bool,
    /// How often things happened since the start.
    pub counters: Counters,
}

/// One session in the administrator's list, in words.
pub struct SessionRow {
    handle: RecordKey,
    user: Arc<str>,
    age: String,
    unused: String,
    left: String,
}

impl SessionRow {
    /// Describes the session of a record, as it is now.
    pub fn new(record: &Record, now: Time) -> Self {
        SessionRow {
            handle: record.key,
            user: record.principal.clone().unwrap_or_else(|| "anonymous".into()),
            age: in_words(now.since(record.created)),
            unused: in_words(now.since(record.accessed)),
            left: in_words(record.expires_at().since(now)),
        }
    }
}

/// A timeout in hours or minutes if it is a whole number of them.
fn timeout_in_words(timeout: Duration) -> String {
    let count_of =
        |unit: u64| timeout.as_millis().is_multiple_of(u128::from(unit) * 1000).then(|| timeout.as_secs() / unit);
    match (count_of(3600), count_of(60)) {
        (Some(1), _) => "1 hour".to_owned(),
        (Some(hours), _) => format!("{hours} hours"),
        (_, Some(1)) => "1 minute".to_owned(),
        (_, Some(minutes)) => format!("{minutes} minutes"),
        _ => humantime::format_duration(timeout).to_string(),
    }
}

fn in_words(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// Replaces a bare 503 by a page that says what to do. Handlers, extractors and the session layer answer 503
/// when the store fails.
pub async fn explain_outage(State(site): State<Arc<Site>>, response: Response) -> Response {
    if response.status() != StatusCode::SERVICE_UNAVAILABLE {
        return response;
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], OutagePage { site }).into_response()
}

/// The style sheet of all pages.
pub async fn style() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, include_str!("../templates/style.css"))
}

/// Browsers must not show a page again from their cache, because it shows the state of one moment. Pages need
/// nothing but the style sheet, so the content security policy allows nothing else.
fn respond(page: &impl Template) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    match page.render() {
        Ok(html) => (headers, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "rendering a page failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl IntoResponse for DemoPage {
    fn into_response(self) -> Response {
        respond(&self)
    }
}

impl IntoResponse for OutagePage {
    fn into_response(self) -> Response {
        respond(&self)
    }
}

impl IntoResponse for AdminPage {
    fn into_response(self) -> Response {
        respond(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_said_as_people_set_them() {
        let minute = Duration::from_secs(60);
        assert_eq!(timeout_in_words(minute * 30), "30 minutes");
        assert_eq!(timeout_in_words(minute * 60), "1 hour");
        assert_eq!(timeout_in_words(minute * 60 * 24), "24 hours");
        assert_eq!(timeout_in_words(minute * 90), "90 minutes");
        assert_eq!(timeout_in_words(Duration::from_millis(1500)), "1s 500ms");
    }
}
