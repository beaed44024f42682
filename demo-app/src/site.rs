use std::sync::Arc;

use axum::extract::FromRef;
use session_axum::SessionManager;

use crate::options::{AbsoluteTimeout, Options};
use crate::words::timeout_in_words;

/// What handlers take from the router's state.
#[derive(Clone, FromRef)]
pub struct App {
    /// The settings that pages show.
    pub site: Arc<Site>,
    /// Lists and ends sessions without their cookies.
    pub sessions: SessionManager,
}

/// The settings that every page shows.
pub struct Site {
    /// How long a session lives without a visit, in words.
    pub idle_timeout: String,
    /// How long a session lives in any case, in words. `None` if there is no such limit.
    pub absolute_timeout: Option<String>,
    /// Whether cookies travel over plain HTTP.
    pub allows_http: bool,
    /// Whether there is a page for an administrator.
    pub has_administration: bool,
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
            allows_http: options.allows_http(),
            has_administration: options.admin_token.is_some(),
        }
    }
}
