use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum_core::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use session_core::internals::{DeviceBinding, DeviceSession};
use session_core::{DeviceRefusal, Error, PresentedIds, Record, Visit};

use crate::error::SessionError;
use crate::transport::BoundCookie;

use super::answer::Answer;
use super::bad_proof::BadProof;
use super::binder::{Binder, BindingLayer, Endpoint};
use super::identifier::{identifier, named};
use super::place::Place;
use super::proof;
use super::public_key::PublicKey;
use super::stamp::{Purpose, Stamp, Times, stamp};

const PROOF: HeaderName = HeaderName::from_static("secure-session-response");

/// For this long after an offer or a registration, what does not fit may be of the binding before.
const UNDER_WAY: Duration = Duration::from_secs(60);

/// How long after the first skip a good proof lets another one start.
const BETWEEN_SKIPS: Duration = Duration::from_secs(86_400);

/// The handler of [`DeviceBound::routes`](super::DeviceBound::routes), which a layer around them never calls.
pub(super) async fn not_served() -> (StatusCode, &'static str) {
    let fix = "no session layer with this `DeviceBound` is around these routes: give a clone of it to \
               `SessionLayer::builder(store).device_bound(…)`, and add the layer to the router after them";
    (StatusCode::INTERNAL_SERVER_ERROR, fix)
}

/// Answers what a browser asks of the layer itself. `None` if the request is not to one of its addresses after all.
///
/// `first` is what [`Binder::endpoint`] has found.
pub(crate) fn serve<L: BindingLayer>(
    layer: &Arc<L>,
    first: Endpoint,
    parts: &Parts,
    place: Place,
) -> Option<impl Future<Output = Response> + Send + 'static> {
    let binder = layer.binder()?;
    let mut presented = PresentedIds::default();
    layer.transport().read(parts, &mut presented);
    let cookie = layer.transport().bound_cookie(presented.way())?;
    // The path of a registration may end with that of a refresh, or the other way round: the whole address decides.
    let is_asked =
        |endpoint: &Endpoint| place.address(cookie, binder.path_of(*endpoint)).as_deref() == Some(place.path());
    let endpoint = [first, Endpoint::Refresh].into_iter().find(is_asked)?;
    let identifier = match endpoint {
        Endpoint::Register => identifier(cookie, &place),
        Endpoint::Refresh => named(&parts.headers, cookie, &place),
    };
    // Several lines are one value (RFC 9110, 5.3), and no proof.
    let lines: Vec<&[u8]> = parts.headers.get_all(PROOF).iter().map(HeaderValue::as_bytes).collect();
    let proof = (!lines.is_empty()).then(|| lines.join(&b", "[..]));
    let asked = Asked { layer: Arc::clone(layer), presented, place, identifier, proof };
    Some(async move {
        let answer = match endpoint {
            Endpoint::Register => asked.register().await,
            Endpoint::Refresh => asked.refresh().await,
        };
        let answer = answer.unwrap_or_else(|error| {
            SessionError::from(error).log();
            Answer::Later
        });
        answer.into_response(&asked.identifier)
    })
}

/// What a browser has asked.
struct Asked<L> {
    layer: Arc<L>,
    presented: PresentedIds,
    place: Place,
    identifier: String,
    proof: Option<Vec<u8>>,
}

impl<L: BindingLayer> Asked<L> {
    fn binder(&self) -> &Binder {
        self.layer.binder().expect("only a layer with device bound sessions is asked")
    }

    fn cookie(&self) -> &BoundCookie {
        self.layer.transport().bound_cookie(self.presented.way()).expect("it was there before")
    }

    async fn find(&self) -> Result<(Visit, DeviceSession), Error> {
        let visit = Visit::of_host(Arc::clone(&self.layer) as _);
        let found = visit.find_for_device(&self.presented).await?;
        Ok((visit, found))
    }

    /// The browser registers its key.
    async fn register(&self) -> Result<Answer, Error> {
        let (visit, record) = match self.find().await? {
            (visit, DeviceSession::Found(record)) => (visit, record),
            (_, DeviceSession::Replaced) => return Ok(Answer::Later),
            (_, DeviceSession::Missing) => return Ok(Answer::Ended),
        };
        let Some(binding) = DeviceBinding::of(&record) else { return Ok(Answer::Ended) };
        let Some(key) = self.registered_key(&binding, &visit) else {
            if self.proof.is_some() {
                visit.report_device_refused(&record, DeviceRefusal::BadRegistration);
            }
            // What answers an older offer must not end what answers this one.
            let is_under_way = visit.now() < binding.offered_at().saturating_add(UNDER_WAY);
            return Ok(if is_under_way { Answer::Later } else { Answer::Ended });
        };
        let registered = match binding.key() {
            Some(_) => Some(*record),
            None => {
                let registered = visit.register_device(&key, visit.now()).await?;
                if let Some(registered) = registered.as_ref().filter(|record| has_key(record, &key)) {
                    visit.report_registered(registered);
                }
                registered
            }
        };
        let Some(registered) = registered else { return Ok(Answer::Ended) };
        let Some(binding) = DeviceBinding::of(&registered) else { return Ok(Answer::Ended) };
        match binding.key() {
            Some(stored) if stored == key => Ok(self.good(&binding, &visit)),
            Some(_) => {
                visit.report_device_refused(&registered, DeviceRefusal::OtherKey);
                Ok(Answer::Ended)
            }
            // It was offered anew meanwhile.
            None => Ok(Answer::Later),
        }
    }

    /// The key of a registration that answers the session's challenge.
    fn registered_key(&self, binding: &DeviceBinding<'_>, visit: &Visit) -> Option<String> {
        let proven = proof::registration(self.proof.as_deref()?).inspect_err(log_bad_proof).ok()?;
        self.is_good(Purpose::Register, &proven.challenge, &binding.without_key(), visit)
            .then(|| proven.key.to_stored())
    }

    /// The browser wants the bound cookie anew.
    async fn refresh(&self) -> Result<Answer, Error> {
        let (visit, record) = match self.find().await? {
            (visit, DeviceSession::Found(record)) => (visit, record),
            (_, DeviceSession::Replaced) => return Ok(Answer::Later),
            (_, DeviceSession::Missing) => return Ok(Answer::Ended),
        };
        let Some(binding) = DeviceBinding::of(&record) else { return Ok(Answer::Ended) };
        let (now, registered_at) = (visit.now(), binding.registered_at());
        let is_recent = now < registered_at.unwrap_or(binding.offered_at()).saturating_add(UNDER_WAY);
        let Some(key) = binding.key() else {
            // The browser's session may be that of the login before, while the key of this one is being registered.
            return Ok(if is_recent { Answer::Later } else { Answer::Ended });
        };
        let challenge = || Answer::Challenge(self.stamp(Purpose::Refresh, &binding, &visit));
        let Some(proof) = &self.proof else { return Ok(challenge()) };
        let Some(key) = PublicKey::from_stored(key) else {
            tracing::error!(session = %record.key.fingerprint(), "the stored key of a session's device can't be read");
            return Ok(Answer::Later);
        };
        match proof::refresh(proof, &key).inspect_err(log_bad_proof) {
            Ok(answered) if self.is_good(Purpose::Refresh, &answered, &binding, &visit) => {
                self.end_skips(&binding, &visit).await;
                Ok(self.good(&binding, &visit))
            }
            Ok(_) => Ok(challenge()),
            Err(_) => {
                visit.report_device_refused(&record, DeviceRefusal::BadProof);
                Ok(if is_recent { Answer::Later } else { challenge() })
            }
        }
    }

    /// A good proof lets another skip start, a day after the first.
    async fn end_skips(&self, binding: &DeviceBinding<'_>, visit: &Visit) {
        if binding.skipped_at().is_some_and(|first| first.saturating_add(BETWEEN_SKIPS) <= visit.now())
            && let Err(error) = visit.end_skips().await
        {
            // The refresh does not depend on it.
            SessionError::from(error).log();
        }
    }

    fn stamp(&self, purpose: Purpose, binding: &DeviceBinding<'_>, visit: &Visit) -> String {
        stamp(purpose, self.cookie().layer(), binding, visit.now())
    }

    fn is_good(&self, purpose: Purpose, answered: &str, binding: &DeviceBinding<'_>, visit: &Visit) -> bool {
        let times = Times { now: visit.now(), lifetime: self.binder().lifetime };
        let layer = self.cookie().layer();
        Stamp::parse(answered.as_bytes()).is_some_and(|stamp| stamp.is_good(purpose, layer, binding, times))
    }

    /// The bound cookie, what the browser is to know of it, and the challenge for the next time.
    fn good(&self, binding: &DeviceBinding<'_>, visit: &Visit) -> Answer {
        let cookie = self.cookie();
        let value = self.stamp(Purpose::Cookie, binding, visit);
        Answer::Good {
            instructions: self.instructions(cookie),
            cookie: cookie.carrying(value, self.binder().lifetime).to_string(),
            challenge: self.stamp(Purpose::Refresh, binding, visit),
        }
    }

    fn instructions(&self, cookie: &BoundCookie) -> String {
        let base = self.place.address(cookie, "").unwrap_or_default();
        let excluded = self.binder().out_of_scope.iter();
        let excluded: Vec<_> =
            excluded.map(|path| json!({"type": "exclude", "domain": "*", "path": format!("{base}{path}")})).collect();
        let instructions = json!({
            "session_identifier": self.identifier,
            "refresh_url": format!("{base}{}", self.binder().refresh),
            "scope": {"include_site": cookie.domain().is_some(), "scope_specification": excluded},
            "credentials": [{"type": "cookie", "name": cookie.name(), "attributes": cookie.attributes()}],
        });
        instructions.to_string()
    }
}

fn has_key(record: &Record, key: &str) -> bool {
    DeviceBinding::of(record).is_some_and(|binding| binding.key() == Some(key))
}

fn log_bad_proof(bad: &BadProof) {
    tracing::debug!(%bad, "a proof of a device was refused");
}
