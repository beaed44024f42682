use std::fmt;

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use session_core::AttrKey;

use crate::error::SessionError;
use crate::extract::MaybeSession;

/// Messages that the visitor's next page shows once ("flash messages"), as a handler's argument.
///
/// They are kept in the session, under the attribute `flash`. A visitor without a session gets an anonymous one with the
/// first message.
///
/// ```
/// use axum::response::Redirect;
/// use session_axum::{Flash, FlashLevel, SessionError};
///
/// async fn save(flash: Flash) -> Result<Redirect, SessionError> {
///     flash.push(FlashLevel::Success, "Your address is saved.")?;
///     Ok(Redirect::to("/account"))
/// }
///
/// async fn account(flash: Flash) -> Result<String, SessionError> {
///     let messages = flash.take()?;
///     Ok(messages.iter().map(|message| format!("[{}] {}\n", message.level, message.text)).collect())
/// }
/// # let _ = (save, account);
/// ```
#[derive(Clone)]
pub struct Flash(MaybeSession);

/// A message that is shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlashMessage {
    /// What kind of message it is.
    pub level: FlashLevel,
    /// What it says. It is plain text: escape it in HTML.
    pub text: String,
}

/// What kind of message it is. As text, and in CSS classes, it is its name in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlashLevel {
    /// For developers.
    Debug,
    /// Something that is good to know.
    Info,
    /// Something has worked.
    Success,
    /// Something may go wrong.
    Warning,
    /// Something has gone wrong.
    Error,
}

const FLASH: AttrKey<Vec<FlashMessage>> = AttrKey::new("flash");

impl Flash {
    /// The most messages that wait to be shown: 20. The oldest is dropped for the next one.
    pub const MAX: usize = 20;

    /// Adds a message for the next page.
    ///
    /// Two requests at the same moment may overwrite each other's.
    ///
    /// # Errors
    ///
    /// [`SessionError`] if the session has ended, if it becomes too large, or if the response head has left.
    pub fn push(&self, level: FlashLevel, text: impl Into<String>) -> Result<(), SessionError> {
        let session = self.0.session_or_start()?;
        let mut messages = session.attr(FLASH)?.unwrap_or_default();
        if messages.len() >= Flash::MAX {
            messages.remove(0);
        }
        messages.push(FlashMessage { level, text: text.into() });
        Ok(session.set_attr(FLASH, &messages)?)
    }

    /// The messages that wait to be shown, oldest first, those of this request included. They are gone afterwards.
    ///
    /// Call it where the page is made that shows them. A HEAD request leaves them.
    ///
    /// [`SessionError`] if the session has ended, or the application keeps something else under their name.
    pub fn take(&self) -> Result<Vec<FlashMessage>, SessionError> {
        let Some(session) = self.0.session() else { return Ok(Vec::new()) };
        Ok(session.take_attr(FLASH)?.unwrap_or_default())
    }
}

impl fmt::Display for FlashLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FlashLevel::Debug => "debug",
            FlashLevel::Info => "info",
            FlashLevel::Success => "success",
            FlashLevel::Warning => "warning",
            FlashLevel::Error => "error",
        })
    }
}

impl fmt::Debug for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flash").finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Flash {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionError> {
        MaybeSession::from_request_parts(parts, state).await.map(Flash)
    }
}
