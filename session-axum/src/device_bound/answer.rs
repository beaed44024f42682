use axum_core::body::Body;
use axum_core::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use crate::http_headers::NO_STORE;

const CHALLENGE: HeaderName = HeaderName::from_static("secure-session-challenge");

/// What a browser is answered that asks the layer itself. It takes any other answer for the end of its session.
pub(super) enum Answer {
    /// It has proven to have the key.
    Good { instructions: String, cookie: String, challenge: String },
    /// It is to come again, with a proof for this challenge.
    Challenge(String),
    /// It is to keep its session, and to try again later.
    Later,
    /// Its session has ended.
    Ended,
}

impl Answer {
    /// The answer about the browser's session with this identifier.
    pub(super) fn into_response(self, identifier: &str) -> Response {
        let mut response = Response::new(Body::empty());
        match self {
            Answer::Good { instructions, cookie, challenge } => {
                *response.body_mut() = Body::from(instructions);
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                put(&mut response, SET_COOKIE, cookie);
                put_challenge(&mut response, &challenge, identifier);
            }
            Answer::Challenge(challenge) => {
                *response.status_mut() = StatusCode::FORBIDDEN;
                put_challenge(&mut response, &challenge, identifier);
            }
            Answer::Later => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
            Answer::Ended => {
                let ended = json!({"session_identifier": identifier, "continue": false});
                *response.body_mut() = Body::from(ended.to_string());
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
        }
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        response
    }
}

fn put_challenge(response: &mut Response, challenge: &str, identifier: &str) {
    put(response, CHALLENGE, format!("\"{challenge}\";id=\"{identifier}\""));
}

fn put(response: &mut Response, name: HeaderName, value: String) {
    if let Ok(mut value) = HeaderValue::try_from(value) {
        value.set_sensitive(true);
        response.headers_mut().append(name, value);
    }
}
