use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

/// The secret that opens the routes of an administrator.
#[derive(Clone)]
pub struct AdminToken(Arc<str>);

impl AdminToken {
    /// The token given on the command line.
    pub fn new(token: String) -> Self {
        AdminToken(token.into())
    }

    fn is(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }

    /// Whether the request presents the token: as a bearer token, or as the password that a browser asks
    /// for, with any user name.
    fn is_presented(&self, headers: &HeaderMap) -> bool {
        let presented = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match presented.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.is(token.trim().as_bytes()),
            Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
                let pair = STANDARD.decode(pair.trim()).unwrap_or_default();
                pair.iter().position(|byte| *byte == b':').is_some_and(|colon| self.is(&pair[colon + 1..]))
            }
            _ => false,
        }
    }
}

/// Lets a request through if it presents the token, and if no page of another site sent it.
pub async fn require_token(State(token): State<AdminToken>, request: Request, next: Next) -> Response {
    if !token.is_presented(request.headers()) {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"session demo\", charset=\"UTF-8\"")];
        return (StatusCode::UNAUTHORIZED, challenge, "Please give the admin token.\n").into_response();
    }
    if is_from_elsewhere(request.headers()) {
        return (StatusCode::FORBIDDEN, "This request must come from the demo's own page.\n").into_response();
    }
    next.run(request).await
}

/// Browsers add the password to requests that another site's page makes, but they name that site.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match text(header::ORIGIN) {
        Some(origin) => origin.split_once("://").map(|(_, host)| host) != text(header::HOST),
        None => headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site"),
    }
}
