use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, debug_handler};
use serde::Serialize;
use session_axum::{Refusal, Refused};

use crate::frame::Frame;
use crate::page::Page;
use crate::paths::DEMO;
use crate::site::Site;

/// Something that a page says instead of what was asked for.
struct Problem {
    status: StatusCode,
    title: &'static str,
    text: &'static str,
    way_out: &'static str,
}

const NOT_FOUND: Problem = Problem {
    status: StatusCode::NOT_FOUND,
    title: "There is no such page",
    text: "The address may be mistyped, or the page has moved.",
    way_out: "Go to the start",
};

const METHOD_NOT_ALLOWED: Problem = Problem {
    status: StatusCode::METHOD_NOT_ALLOWED,
    title: "This can't be done here",
    text: "The address takes no request of this kind. A form leads here, and following a link does not.",
    way_out: "Go to the start",
};

const CROSS_SITE: Problem = Problem {
    status: StatusCode::FORBIDDEN,
    title: "Please try once more",
    text: "This form has expired, or was sent from another site. Nothing was changed.",
    way_out: "Go to the start",
};

const OUTAGE: Problem = Problem {
    status: StatusCode::SERVICE_UNAVAILABLE,
    title: "Just a moment",
    text: "Sessions can't be read or saved right now. Nothing is lost: you are still logged in if you were. Please try again.",
    way_out: "Try again",
};

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    problem: &'static Problem,
    leads_to: &'static str,
}

/// RFC 9457, for scripts.
#[derive(Serialize)]
struct ProblemJson {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
}

/// Answers what matches no route. It asks for no session, so whoever tries addresses costs the store nothing.
#[debug_handler(state = crate::site::App)]
pub async fn not_found(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    NOT_FOUND.answer(site, &headers)
}

/// Answers what a route has no method for. The router adds the header `Allow`.
#[debug_handler(state = crate::site::App)]
pub async fn method_not_allowed(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    METHOD_NOT_ALLOWED.answer(site, &headers)
}

/// A page for people who are turned away, where the session layer would answer with a bare sentence. Scripts get the JSON
/// of the layer.
pub fn answer(site: Arc<Site>, refused: &Refused<'_>) -> Option<Response> {
    let problem = match refused.refusal() {
        Refusal::Unavailable => &OUTAGE,
        Refusal::CrossSite => &CROSS_SITE,
        _ => return None,
    };
    let is_for_scripts = asks_for_json(refused.headers()) || refused.uri().path().ends_with(".json");
    (!is_for_scripts).then(|| problem.page(site))
}

impl Problem {
    fn answer(&'static self, site: Arc<Site>, headers: &HeaderMap) -> Response {
        if asks_for_json(headers) { self.json() } else { self.page(site) }
    }

    fn page(&'static self, site: Arc<Site>) -> Response {
        let page = ProblemPage { frame: Frame::without_session(site), problem: self, leads_to: DEMO };
        let mut response = (self.status, Page(page)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }

    fn json(&self) -> Response {
        let json =
            ProblemJson { r#type: "about:blank", title: self.title, status: self.status.as_u16(), detail: self.text };
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], Json(json)).into_response()
    }
}

fn asks_for_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("json") && !accept.contains("text/html")
}
