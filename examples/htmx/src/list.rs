//! The shopping list, and what is shown of it.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use session_axum::{AttrKey, CsrfToken, Flash, FlashMessage, SessionError, SignedIn};

use crate::shown::shown;

/// What is on the list.
pub const LIST: AttrKey<Vec<Item>> = AttrKey::new("List");

/// The most that may be on it. The oldest gives way.
const LONGEST: usize = 100;

/// One line of the list.
#[derive(Clone, Serialize, Deserialize)]
pub struct Item {
    number: u32,
    name: String,
}

/// The list with one item more.
pub fn with(items: Option<Vec<Item>>, name: &str) -> Vec<Item> {
    let mut items = items.unwrap_or_default();
    let number = items.last().map_or(1, |last| last.number + 1);
    items.push(Item { number, name: name.to_owned() });
    items.split_off(items.len().saturating_sub(LONGEST))
}

/// The list without an item.
pub fn without(items: Option<Vec<Item>>, number: u32) -> Vec<Item> {
    items.into_iter().flatten().filter(|item| item.number != number).collect()
}

/// The list of the user who is signed in, as an argument of handlers.
pub struct List {
    pub user: SignedIn,
    pub flash: Flash,
    csrf: CsrfToken,
    is_for_htmx: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for List {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionError> {
        Ok(List {
            user: SignedIn::from_request_parts(parts, state).await?,
            flash: Flash::from_request_parts(parts, state).await?,
            csrf: CsrfToken::from_request_parts(parts, state).await?,
            is_for_htmx: parts.headers.contains_key("hx-request"),
        })
    }
}

/// The whole page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    user: &'a str,
    section: Section,
}

/// The part of the page that htmx replaces.
#[derive(Template)]
#[template(path = "section.html")]
struct Section {
    items: Vec<Item>,
    messages: Vec<FlashMessage>,
    csrf: String,
}

impl List {
    /// The whole page.
    pub fn page(&self) -> Result<Response, SessionError> {
        Ok(shown(&Page { user: self.user.principal(), section: self.section()? }))
    }

    /// What follows a change: for htmx the part of the page. A browser without scripts is led to the page, which shows the
    /// messages then, and sends nothing again when it is reloaded.
    pub fn changed(&self) -> Result<Response, SessionError> {
        if self.is_for_htmx { Ok(shown(&self.section()?)) } else { Ok(Redirect::to("/").into_response()) }
    }

    fn section(&self) -> Result<Section, SessionError> {
        let items = self.user.attr(LIST)?.unwrap_or_default();
        Ok(Section { items, messages: self.flash.take()?, csrf: self.csrf.field()? })
    }
}
