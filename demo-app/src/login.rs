//! What each login has in common, whichever form it comes from.

use std::time::Duration;

use axum::http::HeaderMap;
use session_axum::{AttrKey, Authentication, MaybeSession, NewSession};

use crate::browser;

/// The name that was typed at the login.
pub const USER: AttrKey<String> = AttrKey::new("UserName");

/// How often the user has seen the page of the demo since the login.
pub const COUNT: AttrKey<u64> = AttrKey::new("Count");

/// The browser that the user signed in with, as it named itself.
pub const USER_AGENT: AttrKey<String> = AttrKey::new("UserAgent");

/// For how long a browser is remembered.
pub const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// Accepts any name with the password `a`. A real application asks its database.
pub fn is_right(user: &str, password: &str) -> bool {
    !user.is_empty() && password == "a"
}

/// How the user has proven who they are, for the login and where the password is asked for again.
pub fn proof() -> Authentication {
    Authentication::by(["pwd"])
}

/// The session of a user who has given the right password. A cart that was filled before comes along.
pub fn new_session(visitor: &MaybeSession, user: &str, headers: &HeaderMap) -> NewSession {
    let new = NewSession::new()
        .principal(user)
        .authenticated(proof())
        .constant(USER, user)
        .constant(USER_AGENT, &browser::presented(headers))
        .attr(COUNT, &0);
    match visitor.session() {
        Some(before) => new.keep(&before),
        None => new,
    }
}
