use std::pin::Pin;
use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, Method, Request, StatusCode};
use session_core::{Committed, Error, PresentedIds, Session, Visit};
use tower_cookies::Cookies;

use crate::error::SessionError;
use crate::http_headers::{ask_for_bearer, forbid_sharing};
use crate::no_use::NoUse;
use crate::public_response::PublicResponse;
use crate::settings::Settings;
use crate::transport::Outgoing;
use crate::turned_away::Asked;

/// The place for the visitor's session, which a layer puts into a request. Nothing is loaded until an
/// extractor asks.
#[derive(Clone)]
pub(crate) struct Slot {
    /// Made with the layer's settings.
    visit: Visit,
    /// The jar of tower-cookies, if its layer is outside ours and so sends what we add.
    cookies: Option<Cookies>,
}

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

type Opened = Result<Option<Session>, Error>;

/// The outcome of opening a slot.
pub(crate) enum Opening {
    Done(Opened),
    /// The store has to be waited for. The future is on the heap, so that stores in memory don't pay for
    /// its size.
    Waits(Pin<Box<dyn Future<Output = Opened> + Send>>),
}

impl Slot {
    /// Makes a slot and puts a clone of it into the request.
    pub(crate) fn put_into<B>(request: &mut Request<B>, settings: &Arc<Settings>) -> Self {
        let host = Arc::clone(settings);
        let slot = Slot { visit: Visit::of_host(host), cookies: request.extensions().get().cloned() };
        request.extensions_mut().insert(slot.clone());
        if let Some(mark) = settings.mark {
            mark(request.extensions_mut());
        }
        slot
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

    /// Reads the ids that a request presents.
    pub(crate) fn read(&self, parts: &Parts, presented: &mut PresentedIds) {
        // axum runs the handler of GET, but the visitor sees nothing of what it shows.
        if parts.method == Method::HEAD {
            self.visit.look_only();
        }
        if parts.extensions.get::<NoUse>().is_some() {
            self.visit.without_use();
        }
        self.settings().transport.read(parts, presented);
    }

    /// Loads the session, unless that was done.
    pub(crate) fn open(&self, parts: &Parts) -> Opening {
        if self.visit.is_opened() {
            return Opening::Done(Ok(self.visit.session()));
        }
        let mut presented = PresentedIds::default();
        self.read(parts, &mut presented);
        match self.visit.open_now(&presented) {
            Some(opened) => Opening::Done(opened),
            None => {
                let visit = self.visit.clone();
                Opening::Waits(Box::pin(async move { visit.open(&presented).await }))
            }
        }
    }

    /// Writes into the response's headers what became of the session.
    pub(crate) fn tell(&mut self, response: &mut Response, committed: &Committed) {
        #[cfg(feature = "testing")]
        crate::session_effect::note(response, self.settings().transport.name(), self.visit(), committed);
        let is_signed_in = self.visit.is_signed_in();
        let Settings { transport, vary, signed_in, clear_site_data, .. } = self.settings();
        let is_public = response.extensions().get::<PublicResponse>().is_some();
        let status = response.status();
        let mut outgoing = Outgoing::new(response.headers_mut(), self.cookies.as_ref());
        match committed {
            Committed::Unchanged if is_public => {}
            Committed::Unchanged => forbid_sharing(outgoing.headers(), is_signed_in.then_some(signed_in)),
            Committed::Issue(issued) => {
                transport.issue(issued, &mut outgoing.in_way(self.visit.way()));
                outgoing.mark_secret();
            }
            Committed::Forget => {
                transport.forget(&mut outgoing.in_way(self.visit.way()));
                outgoing.mark_secret();
                if let Some(kinds) = clear_site_data {
                    outgoing.headers().insert(CLEAR_SITE_DATA, kinds.clone());
                }
            }
        }
        outgoing.mark_read(vary);
        if status == StatusCode::UNAUTHORIZED && self.visit.is_by_bearer() {
            ask_for_bearer(outgoing.headers());
        }
    }

    /// Replaces the response, if the application wants that, where changes were dropped because the session has ended.
    pub(crate) fn tell_of_lost_changes(&self, response: &mut Response) {
        if let Some(status) = self.settings().lost_changes
            && self.visit.has_lost_changes()
        {
            *response = (status, "Your session has ended, and your changes were not saved.").into_response();
        }
    }

    /// The response to a request whose changes could not be saved.
    pub(crate) fn failed(&mut self, error: Error, asked: Option<&Asked>) -> Response {
        let mut response = SessionError::from(error).into_response();
        self.settings().answers.improve(&mut response, asked);
        self.tell(&mut response, &Committed::Unchanged);
        response
    }
}
