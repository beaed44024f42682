use std::sync::Arc;

use axum::RequestPartsExt;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use session_axum::{CsrfToken, Flash, FlashLevel, FlashMessage, SessionError, SignedIn};

use crate::paths::{DEVICES, SESSION_JSON, SETTINGS, SHOP, SIGN_IN};
use crate::site::Site;

/// What stands around the content of every page: navigation, who is signed in, and messages that are shown once.
///
/// As an argument of a handler, it is the frame of the page that the handler makes.
pub struct Frame {
    /// The settings of the demo.
    pub site: Arc<Site>,
    /// Who is signed in. `None` for strangers, and on pages that don't ask.
    pub account: Option<Account>,
    /// What the last form has to say.
    pub messages: Vec<FlashMessage>,
    path: String,
}

/// Whoever is signed in.
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The hidden field that each of the user's forms needs.
    pub csrf: String,
}

/// A link of the navigation.
pub struct Link {
    /// Where it leads.
    pub path: &'static str,
    /// What it says.
    pub name: &'static str,
    /// Whether it leads to this page.
    pub is_here: bool,
}

impl Frame {
    /// The frame of a page that doesn't ask for the session, such as one that says that there is no such page.
    pub fn without_session(site: Arc<Site>) -> Self {
        Frame { site, account: None, messages: Vec::new(), path: String::new() }
    }

    /// The links of the navigation.
    pub fn links(&self) -> impl Iterator<Item = Link> {
        let links = [(SHOP, "Shop"), (DEVICES, "Devices"), (SETTINGS, "Settings"), (SESSION_JSON, "JSON")];
        links.into_iter().map(|(path, name)| Link { path, name, is_here: self.path == path })
    }

    /// Whether the frame has a link to the sign-in page.
    pub fn offers_sign_in(&self) -> bool {
        self.account.is_none() && !self.path.is_empty() && self.path != SIGN_IN
    }

    /// The hidden field of a form. Empty if nobody is signed in.
    pub fn csrf(&self) -> &str {
        self.account.as_ref().map_or("", |account| &account.csrf)
    }

    /// Whether a message says that something has gone wrong.
    pub fn has_error(&self) -> bool {
        self.messages.iter().any(|message| message.level == FlashLevel::Error)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Frame
where
    Arc<Site>: FromRef<S>,
{
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionError> {
        let account = match parts.extract::<Option<SignedIn>>().await? {
            Some(user) => {
                Some(Account { name: user.principal().to_owned(), csrf: parts.extract::<CsrfToken>().await?.field()? })
            }
            None => None,
        };
        let messages = parts.extract::<Flash>().await?.take()?;
        Ok(Frame { site: Arc::from_ref(state), account, messages, path: parts.uri.path().to_owned() })
    }
}
