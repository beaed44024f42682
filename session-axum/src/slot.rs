use std::sync::{Arc, OnceLock};

use axum_core::response::Response;
use http::HeaderMap;
use http::request::Parts;
use session_core::{Committed, Error, PresentedIds, Visit};
use tower_cookies::Cookies;

use crate::SessionRejection;
use crate::settings::Settings;
use crate::transport::Outgoing;

/// The place for the visitor's session that a layer puts into a request. It stays empty until
/// an extractor asks.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Inner>);

struct Inner {
    settings: Arc<Settings>,
    visit: OnceLock<Visit>,
    /// tower-cookies' jar, where its layer is outside ours and so will send what we add.
    cookies: Option<Cookies>,
}

impl Slot {
    pub(crate) fn new(settings: &Arc<Settings>, cookies: Option<Cookies>) -> Self {
        Slot(Arc::new(Inner { settings: Arc::clone(settings), visit: OnceLock::new(), cookies }))
    }

    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.0.settings
    }

    /// The visit of the innermost layer's slot, with its session loaded.
    pub(crate) async fn open(parts: &Parts) -> Result<(&Settings, Visit), SessionRejection> {
        let Slot(inner) = parts.extensions.get::<Slot>().ok_or(SessionRejection::NoLayer)?;
        let visit = inner.visit.get_or_init(|| inner.settings.manager.visit());
        if !visit.is_opened() {
            let mut presented = PresentedIds::default();
            inner.settings.transport.read(&parts.headers, &mut presented);
            visit.open(&presented).await.map_err(crate::SessionError::from)?;
        }
        Ok((&inner.settings, visit.clone()))
    }

    /// The visit, if an extractor asked for it.
    pub(crate) fn visit(&self) -> Option<&Visit> {
        self.0.visit.get()
    }

    /// Says in the response's headers what became of the session.
    pub(crate) fn tell(&self, headers: &mut HeaderMap, committed: &Committed) {
        let transport = &*self.0.settings.transport;
        let mut outgoing = Outgoing::new(headers, self.0.cookies.as_ref());
        outgoing.mark_read(&self.0.settings.vary);
        match committed {
            Committed::Unchanged => return,
            Committed::Issue(issued) => transport.issue(issued, &mut outgoing),
            Committed::Forget => transport.forget(&mut outgoing),
        }
        outgoing.mark_secret();
    }

    /// The response to a request whose changes could not be saved.
    pub(crate) fn failed(&self, error: Error) -> Response {
        let mut response = axum_core::response::IntoResponse::into_response(crate::SessionError::from(error));
        self.tell(response.headers_mut(), &Committed::Unchanged);
        response
    }
}
