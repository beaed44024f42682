use std::pin::Pin;
use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use http::HeaderMap;
use http::request::Parts;
use session_core::{Committed, Error, PresentedIds, Session, Visit};
use tower_cookies::Cookies;

use crate::error::SessionError;
use crate::settings::Settings;
use crate::transport::Outgoing;

/// The place for the visitor's session, which a layer puts into a request. Nothing is loaded until an
/// extractor asks.
#[derive(Clone)]
pub(crate) struct Slot {
    /// Made with the layer's settings.
    visit: Visit,
    /// The jar of tower-cookies, if its layer is outside ours and so sends what we add.
    cookies: Option<Cookies>,
}

type Opened = Result<Option<Session>, Error>;

/// The outcome of opening a slot.
pub(crate) enum Opening {
    Done(Opened),
    /// The store has to be waited for. The future is on the heap, so that stores in memory don't pay for
    /// its size.
    Waits(Pin<Box<dyn Future<Output = Opened> + Send>>),
}

impl Slot {
    pub(crate) fn new(settings: &Arc<Settings>, cookies: Option<Cookies>) -> Self {
        let host = Arc::clone(settings);
        Slot { visit: Visit::of_host(host), cookies }
    }

    /// The innermost layer's slot.
    pub(crate) fn of(parts: &Parts) -> Result<&Slot, SessionError> {
        parts.extensions.get().ok_or(SessionError::NoLayer)
    }

    pub(crate) fn settings(&self) -> &Settings {
        self.visit.host().expect("a slot's visit is made with settings")
    }

    pub(crate) fn visit(&self) -> &Visit {
        &self.visit
    }

    pub(crate) fn visit_mut(&mut self) -> &mut Visit {
        &mut self.visit
    }

    /// The ids that a request presents.
    pub(crate) fn presented(&self, headers: &HeaderMap) -> PresentedIds {
        let mut presented = PresentedIds::default();
        self.settings().transport.read(headers, &mut presented);
        presented
    }

    /// Loads the session, unless that was done.
    pub(crate) fn open(&self, headers: &HeaderMap) -> Opening {
        if self.visit.is_opened() {
            return Opening::Done(Ok(self.visit.session()));
        }
        let presented = self.presented(headers);
        match self.visit.open_now(&presented) {
            Some(opened) => Opening::Done(opened),
            None => {
                let visit = self.visit.clone();
                Opening::Waits(Box::pin(async move { visit.open(&presented).await }))
            }
        }
    }

    /// Writes into the response's headers what became of the session.
    pub(crate) fn tell(&self, headers: &mut HeaderMap, committed: &Committed) {
        let Settings { transport, vary, .. } = self.settings();
        let mut outgoing = Outgoing::new(headers, self.cookies.as_ref());
        outgoing.mark_read(vary);
        match committed {
            Committed::Unchanged => return,
            Committed::Issue(issued) => transport.issue(issued, &mut outgoing),
            Committed::Forget => transport.forget(&mut outgoing),
        }
        outgoing.mark_secret();
    }

    /// The response to a request whose changes could not be saved.
    pub(crate) fn failed(&self, error: Error) -> Response {
        let mut response = SessionError::from(error).into_response();
        self.tell(response.headers_mut(), &Committed::Unchanged);
        response
    }
}
