use axum::{Json, debug_handler};
use serde::Serialize;
use session_axum::{SessionError, SignedIn};

use crate::cart::CART;
use crate::login::COUNT;
use crate::site::App;

/// The session of the user, for scripts. Times are in the form of RFC 3339.
#[derive(Serialize)]
pub struct SessionJson {
    user: String,
    visits: u64,
    in_cart: u32,
    authenticated_by: Vec<String>,
    authenticated_at: Option<String>,
    remembered: bool,
    ends_at: String,
}

/// Tells the session of the user. A script without one gets 401 with JSON, and a browser is led to the sign-in page.
#[debug_handler(state = App)]
pub async fn show(user: SignedIn) -> Result<Json<SessionJson>, SessionError> {
    Ok(Json(SessionJson {
        user: user.principal().to_owned(),
        visits: user.attr(COUNT)?.unwrap_or_default(),
        in_cart: user.attr(CART)?.unwrap_or_default().pieces(),
        authenticated_by: user.authentication_methods(),
        authenticated_at: user.authenticated_at().map(|time| time.to_string()),
        remembered: user.persistent(),
        ends_at: user.expires_at().to_string(),
    }))
}
