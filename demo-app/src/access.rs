use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

/// The secret that opens the routes of an administrator. `Debug` hides it.
#[derive(Clone)]
pub struct AdminToken(Arc<str>);

/// An empty token would let everybody in.
#[derive(Debug, thiserror::Error)]
#[error("give at least one character; a random text is best")]
pub struct EmptyToken;

impl FromStr for AdminToken {
    type Err = EmptyToken;

    fn from_str(token: &str) -> Result<Self, EmptyToken> {
        if token.is_empty() { Err(EmptyToken) } else { Ok(AdminToken(token.into())) }
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(***)")
    }
}

impl AdminToken {
    /// The token as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
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

/// Lets a request through if it presents the token. Browsers add the password also to what other sites send, so that must
/// be refused as well.
pub async fn require_token(State(token): State<AdminToken>, request: Request, next: Next) -> Response {
    if !token.is_presented(request.headers()) {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"session demo\", charset=\"UTF-8\"")];
        return (StatusCode::UNAUTHORIZED, challenge, "Please give the admin token.\n").into_response();
    }
    next.run(request).await
}
