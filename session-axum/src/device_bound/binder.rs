use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use session_core::internals::{DeviceBinding, DeviceCheck, Host};
use session_core::{Session, Time, Visit};

use crate::transport::{BoundCookie, Transport};

use super::navigation::is_started_elsewhere;
use super::place::Place;
use super::stamp::{Purpose, Stamp, Times, stamp};

const REGISTRATION: HeaderName = HeaderName::from_static("secure-session-registration");
/// The browser says that it has left out a refresh. Anybody can say so.
const SKIPPED: HeaderName = HeaderName::from_static("secure-session-skipped");

/// How many bound cookies of a request are looked at. A browser sends one, but another host of the domain can plant more
/// where the cookie has no `__Host-`.
const MAX_COOKIES: usize = 8;

/// A layer that may bind sessions to devices, as far as this room has to know it.
pub(crate) trait BindingLayer: Host {
    /// What it does for that. `None` if it binds none.
    fn binder(&self) -> Option<&Binder>;

    fn transport(&self) -> &dyn Transport;
}

/// What a layer with device bound sessions does beside the session itself.
pub(crate) struct Binder {
    pub(super) lifetime: Duration,
    pub(super) register: String,
    pub(super) refresh: String,
    pub(super) out_of_scope: Vec<String>,
    pub(super) skip_grace: Option<Duration>,
    pub(super) asks: Asks,
    pub(super) only_reports: bool,
    pub(super) has_routes: Arc<AtomicBool>,
    pub(super) has_warned: AtomicBool,
}

/// Which sessions are asked to register a key. `None` for all.
#[derive(Clone)]
pub(crate) struct Asks(pub(super) Option<Arc<Asking>>);

type Asking = dyn Fn(&Session) -> bool + Send + Sync;

/// What a browser asks of the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Register,
    Refresh,
}

/// What a request shows of its device.
struct Shown {
    cookies: [Option<Stamp>; MAX_COOKIES],
    /// The layer, which the cookies are made for.
    layer: Arc<str>,
    lifetime: Duration,
    skip_grace: Option<Duration>,
    may_come_again: bool,
    /// It has a cookie of the session that is over. A browser sends none; it may repeat a request that was under way for
    /// long, and has a newer cookie by now.
    is_late: AtomicBool,
    only_reports: bool,
}

impl DeviceCheck for Shown {
    fn is_passed(&self, binding: &DeviceBinding<'_>, now: Time) -> bool {
        if binding.key().is_none() {
            return false;
        }
        let times = Times { now, lifetime: self.lifetime };
        let any = |is: &dyn Fn(&Stamp) -> bool| self.cookies.iter().flatten().any(is);
        if any(&|stamp| stamp.is_good(Purpose::Cookie, &self.layer, binding, times)) {
            return true;
        }
        if any(&|stamp| stamp.is_genuine(Purpose::Cookie, &self.layer, binding)) {
            self.is_late.store(true, Ordering::Relaxed);
        }
        false
    }

    fn skip_grace(&self) -> Option<Duration> {
        self.skip_grace
    }

    fn may_come_again(&self) -> bool {
        self.may_come_again || self.is_late.load(Ordering::Relaxed)
    }

    fn only_reports(&self) -> bool {
        self.only_reports
    }
}

impl Binder {
    /// What a request may ask of the layer itself: the first whose path fits, as one path may end with the other. `None` for
    /// what is certainly a request to the application.
    pub(crate) fn endpoint(&self, method: &Method, path: &str) -> Option<Endpoint> {
        if *method != Method::POST {
            return None;
        }
        [Endpoint::Register, Endpoint::Refresh].into_iter().find(|endpoint| path.ends_with(self.path_of(*endpoint)))
    }

    pub(super) fn path_of(&self, endpoint: Endpoint) -> &str {
        match endpoint {
            Endpoint::Register => &self.register,
            Endpoint::Refresh => &self.refresh,
        }
    }

    /// Passes on to the visit what its request shows of the device, before the session is opened.
    pub(crate) fn show(&self, parts: &Parts, cookie: Option<&BoundCookie>, visit: &Visit) {
        let Some(bound) = cookie else { return };
        let (mut cookies, mut count) = ([None; MAX_COOKIES], 0);
        bound.values(&parts.headers, |value| {
            if let Some(stamp) = Stamp::parse(value) {
                cookies[count] = Some(stamp);
                count += 1;
            }
            if count < MAX_COOKIES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let says_skipped = parts.headers.contains_key(SKIPPED);
        let may_come_again = says_skipped || is_started_elsewhere(&parts.headers);
        if count > 0 || may_come_again || self.only_reports {
            let Binder { lifetime, only_reports, skip_grace, .. } = *self;
            let skip_grace = skip_grace.filter(|_| says_skipped);
            let layer = Arc::clone(bound.layer());
            let is_late = AtomicBool::new(false);
            visit.show_device(Box::new(Shown {
                cookies,
                layer,
                lifetime,
                skip_grace,
                may_come_again,
                is_late,
                only_reports,
            }));
        }
    }

    /// Asks the browser to register a key, if the session that the response begins may be bound.
    pub(crate) fn offer(&self, visit: &Visit, cookie: Option<&BoundCookie>, place: &Place, headers: &mut HeaderMap) {
        let Some(cookie) = cookie else { return };
        let Some(record) = visit.offered_binding() else { return };
        let Some(binding) = DeviceBinding::of(&record) else { return };
        if let Asks(Some(asks)) = &self.asks
            && !visit.session().is_some_and(|session| asks(&session))
        {
            return;
        }
        let Some(path) = self.address_of_registration(cookie, place) else { return };
        let challenge = stamp(Purpose::Register, cookie.layer(), &binding, visit.now());
        let offer = format!("(ES256 RS256);path=\"{path}\";challenge=\"{challenge}\"");
        if let Ok(mut offer) = HeaderValue::try_from(offer) {
            offer.set_sensitive(true);
            headers.insert(REGISTRATION, offer);
        }
    }

    fn address_of_registration(&self, cookie: &BoundCookie, place: &Place) -> Option<String> {
        let address = place.address(cookie, &self.register);
        if address.is_none() {
            self.warn(place, "the cookie's `path` is not below the path where the router with this layer is nested");
        } else if let Some(domain) = cookie.domain()
            && place.host().as_deref() != Some(domain)
        {
            self.warn(
                place,
                "the cookie has a `domain`, and browsers bind such a session only to a login at the host of that name; let \
                 users sign in there, or leave `domain` out",
            );
            return None;
        } else if !place.nested_at().is_empty() && !self.has_routes.load(Ordering::Relaxed) {
            self.warn(
                place,
                "the router with this layer is nested, and may never see the requests of browsers that register a key; \
                 merge `DeviceBound::routes()` into it",
            );
        }
        address
    }

    fn warn(&self, place: &Place, problem: &'static str) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(nested_at = place.nested_at(), problem, "sessions may not be bound to devices");
        }
    }
}
