use std::pin::Pin;
use std::sync::Arc;

use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, Method, Request, StatusCode};
use session_core::{Committed, Error, IssuedId, PresentedIds, Session, Visit};
use tower_cookies::Cookies;

use crate::adopt::adopting::Adopting;
use crate::adopt::adoption::Adoption;
#[cfg(feature = "device-bound")]
use crate::device_bound::comes_from_elsewhere;
use crate::error::SessionError;
use crate::http_headers::{ask_for_bearer, forbid_sharing};
use crate::no_use::NoUse;
use crate::noted::Noted;
use crate::public_response::PublicResponse;
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
    /// Where sessions of another library are taken over.
    adopting: Option<Arc<Adopting>>,
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
        let slot = Slot {
            visit: Visit::of_host(host),
            cookies: request.extensions().get().cloned(),
            adopting: settings.adoption.is_some().then(Arc::default),
        };
        request.extensions_mut().insert(slot.clone());
        if let Some(mark) = settings.mark {
            mark(request.extensions_mut());
        }
        slot
    }

    /// Turns a request away that found no session because that needs a proof, which the browser sends if a page of ours makes
    /// this request again.
    // A function of its own in every build, so that requests with a session don't pay for it.
    #[inline(never)]
    pub(crate) fn without_session(&self, _parts: &Parts) -> Result<(), SessionError> {
        #[cfg(feature = "device-bound")]
        if self.settings().binder.is_some() && comes_from_elsewhere(_parts) && self.visit.is_unproven() {
            return Err(SessionError::ComeAgain);
        }
        Ok(())
    }

    /// The innermost layer's slot.
    pub(crate) fn of(parts: &Parts) -> Result<&Slot, SessionError> {
        parts.extensions.get().ok_or(SessionError::NoLayer)
    }

    pub(crate) fn settings(&self) -> &Settings {
        self.visit.host().expect("a slot's visit is made with settings")
    }

    /// What this request does about old sessions, and the setting.
    fn adopting(&self) -> Option<(&Adopting, &Adoption)> {
        let adopting = self.adopting.as_deref()?;
        self.settings().adoption.as_ref().map(|adoption| (adopting, adoption))
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
        let settings = self.settings();
        settings.transport.read(parts, presented);
        if settings.needs_requests {
            self.read_more(parts, presented.way());
        }
    }

    /// Reads what few layers need: what the request shows of its device, and old sessions.
    #[cold]
    fn read_more(&self, parts: &Parts, _way: u16) {
        let settings = self.settings();
        #[cfg(feature = "device-bound")]
        if let Some(binder) = &settings.binder {
            binder.show(parts, settings.transport.bound_cookie(_way), &self.visit);
        }
        if let Some((adopting, adoption)) = self.adopting() {
            adopting.read(parts, adoption, &settings.manager);
        }
    }

    /// Loads the session, unless that was done.
    pub(crate) fn open(&self, parts: &Parts) -> Opening {
        if self.visit.is_opened() && self.adopting.as_ref().is_none_or(|adopting| adopting.is_done()) {
            if parts.extensions.get::<NoUse>().is_some() && !self.visit.is_without_use() {
                self.settings().warn_of_late_mark();
            }
            return Opening::Done(Ok(self.visit.session()));
        }
        let mut presented = PresentedIds::default();
        self.read(parts, &mut presented);
        match (self.visit.open_now(&presented), &self.adopting) {
            (Some(opened), None) => Opening::Done(opened),
            (None, None) => {
                let visit = self.visit.clone();
                Opening::Waits(Box::pin(async move { visit.open(&presented).await }))
            }
            (opened, Some(_)) => self.open_or_adopt(opened, presented),
        }
    }

    /// Takes an old session over where no session of ours was found.
    fn open_or_adopt(&self, opened: Option<Opened>, presented: PresentedIds) -> Opening {
        let is_due = |found: Option<&Session>| self.adopting.as_ref().is_some_and(|it| it.is_due(&self.visit, found));
        match opened {
            Some(Ok(found)) if !is_due(found.as_ref()) => Opening::Done(Ok(found)),
            Some(Err(error)) => Opening::Done(Err(error)),
            opened => {
                let slot = self.clone();
                Opening::Waits(Box::pin(async move {
                    let found = match opened {
                        Some(opened) => opened?,
                        None => slot.visit.open(&presented).await?,
                    };
                    match slot.adopting() {
                        Some((adopting, adoption)) => adopting.opened(&slot.visit, adoption, found).await,
                        None => Ok(found),
                    }
                }))
            }
        }
    }

    /// A commit that also ends sessions of another library. `None` if the request presents none.
    pub(crate) fn commit_with_old(&self) -> Option<impl Future<Output = Result<Committed, Error>> + Send + use<>> {
        self.adopting.as_ref().filter(|adopting| adopting.has_old(&self.visit))?;
        let slot = self.clone();
        Some(async move {
            match slot.adopting() {
                Some((adopting, adoption)) => adopting.commit(&slot.visit, adoption).await,
                None => slot.visit.commit().await,
            }
        })
    }

    /// Writes into the response's headers what became of the session.
    pub(crate) fn tell(&mut self, response: &mut Response, committed: &Committed, noted: Option<&Noted>) {
        #[cfg(feature = "testing")]
        {
            let has_adopted = self.adopting.as_ref().is_some_and(|adopting| adopting.has_adopted());
            let name = self.settings().transport.name();
            crate::session_effect::note(response, name, self.visit(), committed, has_adopted);
        }
        let is_signed_in = self.visit.is_signed_in();
        let Settings { vary, signed_in, .. } = self.settings();
        let removal = self.adopting().and_then(|(adopting, adoption)| adopting.removal(adoption));
        let is_public = response.extensions().get::<PublicResponse>().is_some();
        let status = response.status();
        let mut outgoing = Outgoing::new(response.headers_mut(), self.cookies.as_ref());
        // Before our own, which may have its name.
        if let Some(removal) = removal {
            outgoing.set_cookie(removal);
        }
        match committed {
            Committed::Unchanged if is_public => {}
            Committed::Unchanged => forbid_sharing(outgoing.headers(), is_signed_in.then_some(signed_in)),
            Committed::Issue(issued) => self.issue(issued, noted, &mut outgoing),
            Committed::Forget => self.forget(&mut outgoing),
        }
        outgoing.mark_read(vary);
        if status == StatusCode::UNAUTHORIZED && self.visit.is_by_bearer() {
            ask_for_bearer(outgoing.headers());
        }
    }

    /// Gives the client an id, and offers to bind the session to its device.
    // Few requests do, and the others should not pay for it.
    #[inline(never)]
    fn issue(&self, issued: &IssuedId, _noted: Option<&Noted>, outgoing: &mut Outgoing<'_>) {
        let (settings, way) = (self.settings(), self.visit.way());
        settings.transport.issue(issued, &mut outgoing.in_way(way));
        outgoing.mark_secret();
        #[cfg(feature = "device-bound")]
        if let (Some(binder), Some(place)) = (&settings.binder, _noted.and_then(|noted| noted.place.as_ref())) {
            binder.offer(&self.visit, settings.transport.bound_cookie(way), place, outgoing.headers());
        }
    }

    /// Takes the client's id away, and whatever else a logout is to clear.
    #[inline(never)]
    fn forget(&self, outgoing: &mut Outgoing<'_>) {
        let (settings, way) = (self.settings(), self.visit.way());
        settings.transport.forget(&mut outgoing.in_way(way));
        outgoing.mark_secret();
        #[cfg(feature = "device-bound")]
        if settings.binder.is_some()
            && let Some(bound) = settings.transport.bound_cookie(way)
        {
            outgoing.set_cookie(bound.removal());
        }
        if let Some(kinds) = &settings.clear_site_data {
            outgoing.headers().insert(CLEAR_SITE_DATA, kinds.clone());
        }
    }

    /// Turns the request away, if the application wants that, where changes were dropped because the session has ended.
    pub(crate) fn tell_of_lost_changes(&mut self, response: &mut Response, noted: Option<&Noted>) {
        if self.visit.has_lost_changes()
            && let Some(refusal) = self.settings().lost_changes
        {
            *response = SessionError::from(refusal).into_response();
            self.improve(response, noted);
        }
    }

    /// Makes the answer to a request that was turned away, if the response says that it was.
    #[inline]
    pub(crate) fn improve(&self, response: &mut Response, noted: Option<&Noted>) {
        // Most responses say nothing to the layer.
        if !response.extensions().is_empty() {
            self.settings().answers.improve(response, noted.and_then(|noted| noted.asked.as_ref()));
        }
    }

    /// The response to a request whose changes could not be saved.
    pub(crate) fn failed(&mut self, error: Error, noted: Option<&Noted>) -> Response {
        let mut response = SessionError::from(error).into_response();
        self.improve(&mut response, noted);
        self.tell(&mut response, &Committed::Unchanged, noted);
        response
    }
}
