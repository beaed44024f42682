use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::RandomError;
use crate::random::RandomSource;
use crate::time::Time;

use super::attribute::Attribute;
use super::format::BOUND;
use super::record::Record;

/// The name of the extension that has it before a key is registered. Any release may open such a session.
const UNBOUND: &str = "device";

/// How long after the registration of a key a request without proof is let in: it may have been sent before.
const UNDER_WAY: Duration = Duration::from_secs(60);

/// What a session keeps of the device to which it is bound, or may be bound.
///
/// It lives in the record beside the attributes, and is none: nothing copies it to another session, and no list shows
/// it. It has no `Debug`, because it holds a secret.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceBinding<'a> {
    #[serde(rename = "s")]
    secret: DeviceSecret,
    /// When registration was offered, in Unix milliseconds.
    #[serde(rename = "o")]
    offered: i64,
    #[serde(rename = "k", borrow, default, skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    /// When the key was registered, in Unix milliseconds.
    #[serde(rename = "r", default, skip_serializing_if = "is_zero")]
    registered: i64,
    #[serde(rename = "e", default, skip_serializing_if = "Stage::is_first")]
    stage: Stage,
    /// When a request was first let in whose browser had to skip the proof, in Unix milliseconds.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    skipped: Option<i64>,
}

/// The random bytes from which a layer derives what it gives to the device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeviceSecret([u8; 32]);

/// How far a binding has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", from = "u8")]
pub(crate) enum Stage {
    /// No proof has come, so nobody knows whether the device has learned that its key is registered.
    #[default]
    Registered,
    /// A proof has come to a layer that only reports. Nothing is refused.
    Observed,
    /// A proof has come. From now on, a request without one has no session.
    Enforced,
}

/// The check of what a request shows of its device. An integration makes one for each request that shows anything.
pub trait DeviceCheck: Send + Sync {
    /// Whether the request comes from the device to which the session is bound. Called at most once for each session
    /// that is looked up.
    fn is_passed(&self, binding: &DeviceBinding<'_>, now: Time) -> bool;

    /// For how long after the first skip the session goes on without proof, where the browser says that it had to skip
    /// the proof. Default: not at all.
    fn skip_grace(&self) -> Option<Duration> {
        None
    }

    /// Whether the client may come again with a proof. A session that begins by itself, such as that of a cart, then must
    /// not take the place of its id. Default: it may not, as it has lost the key.
    fn may_come_again(&self) -> bool {
        false
    }

    /// Whether requests without proof are only reported. Default: they are refused.
    fn only_reports(&self) -> bool {
        false
    }
}

/// What a binding means for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The session is bound to no device, or that is not enforced yet.
    Free,
    /// The request has shown a proof. With the stage that begins by it.
    Proven {
        begins: Option<Stage>,
    },
    /// The browser had to skip the proof, and the layer allows that for a while.
    Skipped {
        is_first: bool,
    },
    /// It would be refused, if the layer did not only report.
    Reported,
    Refused,
}

impl<'a> DeviceBinding<'a> {
    /// What the record keeps. `None` if its session can't be bound, or if that can't be read.
    pub fn of(record: &'a Record) -> Option<Self> {
        if record.extensions.is_empty() {
            return None;
        }
        let stored = record.extensions.get(BOUND).or_else(|| record.extensions.get(UNBOUND))?;
        DeviceBinding::deserialize(stored).ok()
    }

    /// One with a secret of this byte alone: for tests of integrations.
    pub fn sample(byte: u8, key: &'a str) -> Self {
        let secret = DeviceSecret([byte; 32]);
        DeviceBinding { secret, offered: 0, key: Some(key), registered: 0, stage: Stage::Registered, skipped: None }
    }

    /// The secret of this session alone.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret.0
    }

    /// The registered key, as [`Visit::register_device`](crate::visit::Visit::register_device) was given it. `None` before.
    pub fn key(&self) -> Option<&'a str> {
        self.key
    }

    /// This binding as it was before a key was registered.
    pub fn without_key(self) -> Self {
        DeviceBinding { key: None, ..self }
    }

    /// Whether a request without proof has no session.
    pub fn is_enforced(&self) -> bool {
        self.stage == Stage::Enforced
    }

    /// When registration was last offered.
    pub fn offered_at(&self) -> Time {
        Time::from_unix_millis(self.offered)
    }

    /// When the key was registered. `None` without a key.
    pub fn registered_at(&self) -> Option<Time> {
        self.key.map(|_| Time::from_unix_millis(self.registered))
    }

    /// When a request was first let in whose browser had to skip the proof, since the last reset.
    pub fn skipped_at(&self) -> Option<Time> {
        self.skipped.map(Time::from_unix_millis)
    }

    pub(super) fn own_secret(&self) -> DeviceSecret {
        self.secret
    }

    pub(super) fn registered(self, key: &'a str, now: Time) -> Self {
        DeviceBinding { key: Some(key), registered: now.unix_millis(), stage: Stage::Registered, ..self }
    }

    pub(super) fn at_least(self, stage: Stage) -> Self {
        DeviceBinding { stage: self.stage.max(stage), ..self }
    }

    pub(super) fn skipping(self, since: Option<Time>) -> Self {
        DeviceBinding { skipped: since.map(Time::unix_millis), ..self }
    }

    pub(super) fn has_stage(&self, stage: Stage) -> bool {
        self.stage >= stage
    }

    pub(super) fn write(&self, record: &mut Record) {
        let name = if self.key.is_some() { BOUND } else { UNBOUND };
        if let Ok(extension) = Attribute::new(name, self) {
            record.extensions = record.extensions.without(UNBOUND).without(BOUND).with(extension);
        }
    }

    fn admission(&self, check: Option<&dyn DeviceCheck>, now: Time) -> Admission {
        let only_reports = check.is_some_and(DeviceCheck::only_reports);
        if check.is_some_and(|check| check.is_passed(self, now)) {
            let begins = if only_reports { Stage::Observed } else { Stage::Enforced };
            return Admission::Proven { begins: (self.stage < begins).then_some(begins) };
        }
        let needed = if only_reports { Stage::Observed } else { Stage::Enforced };
        let registered = Time::from_unix_millis(self.registered);
        if self.stage < needed || now < registered.saturating_add(UNDER_WAY) {
            return Admission::Free;
        }
        match (check.and_then(DeviceCheck::skip_grace), self.skipped_at()) {
            (Some(_), None) => return Admission::Skipped { is_first: true },
            (Some(grace), Some(first)) if now < first.saturating_add(grace) => {
                return Admission::Skipped { is_first: false };
            }
            _ => {}
        }
        if only_reports { Admission::Reported } else { Admission::Refused }
    }
}

impl DeviceSecret {
    pub(crate) fn generate(random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut secret = [0; 32];
        random.fill(&mut secret)?;
        Ok(DeviceSecret(secret))
    }

    /// Lets the session be bound to a device from now on. A session that is bound, and for which that is enforced, stays
    /// as it is. A key that nobody has proven to have is forgotten, with all that was made of the secret before.
    pub(crate) fn offer_in(self, record: &mut Record, now: Time) {
        if is_device_bound(record) {
            return;
        }
        let offered = DeviceBinding {
            secret: self,
            offered: now.unix_millis(),
            key: None,
            registered: 0,
            stage: Stage::Registered,
            skipped: None,
        };
        offered.write(record);
    }
}

// Here and not beside the record's other methods, because a record knows nothing of what is in its extensions.
impl Record {
    /// Whether the session is bound to a device: a request that does not prove to come from there has no such session.
    pub fn is_device_bound(&self) -> bool {
        is_device_bound(self)
    }
}

/// Whether a device may still ask about the session: it has registered a key, or was just asked to.
pub(crate) fn is_known_to_device(record: &Record, now: Time) -> bool {
    let Some(binding) = DeviceBinding::of(record) else { return false };
    binding.key.is_some() || now < binding.offered_at().saturating_add(UNDER_WAY)
}

/// Whether a request without proof has no such session. What can't be read counts as bound.
pub(crate) fn is_device_bound(record: &Record) -> bool {
    if record.extensions.is_empty() {
        return false;
    }
    let Some(stored) = record.extensions.get(BOUND) else { return false };
    DeviceBinding::deserialize(stored).map_or(true, |binding| binding.is_enforced())
}

/// What the binding of a session means for a request that shows `check`.
#[inline]
pub(crate) fn admission(record: &Record, check: Option<&dyn DeviceCheck>, now: Time) -> Admission {
    let Some(stored) = record.extensions.get(BOUND) else { return Admission::Free };
    match DeviceBinding::deserialize(stored) {
        Ok(binding) => binding.admission(check, now),
        // Whoever could change it could otherwise free the session.
        Err(_) => Admission::Refused,
    }
}

/// Replaces the secret and the key in a record that leaves the library, and leaves whether it is bound.
pub(crate) fn hide_device(record: &mut Record) {
    if record.extensions.is_empty() {
        return;
    }
    let is_bound = is_device_bound(record);
    record.extensions = record.extensions.without(UNBOUND).without(BOUND);
    if is_bound && let Ok(extension) = Attribute::new(BOUND, &true) {
        record.extensions = record.extensions.with(extension);
    }
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Stage {
    fn is_first(&self) -> bool {
        *self == Stage::Registered
    }
}

impl From<Stage> for u8 {
    fn from(stage: Stage) -> u8 {
        match stage {
            Stage::Registered => 0,
            Stage::Observed => 1,
            Stage::Enforced => 2,
        }
    }
}

/// A stage of a later release counts as enforced.
impl From<u8> for Stage {
    fn from(number: u8) -> Stage {
        match number {
            0 => Stage::Registered,
            1 => Stage::Observed,
            _ => Stage::Enforced,
        }
    }
}

impl Serialize for DeviceSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for DeviceSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        // The estimate of the length is larger than the length.
        let mut decoded = [0; 36];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut decoded) {
            Ok(32) => Ok(DeviceSecret(std::array::from_fn(|at| decoded[at]))),
            // The error must not quote the text.
            _ => Err(serde::de::Error::custom("no secret of a device")),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::{DeviceChange, RecordFormat, sample};

    const NOW: Time = Time::from_unix_millis(1_767_225_600_000);

    pub(in crate::record) struct Shown {
        passes: bool,
        grace: Option<Duration>,
        reports: bool,
    }

    impl DeviceCheck for Shown {
        fn is_passed(&self, _: &DeviceBinding<'_>, _: Time) -> bool {
            self.passes
        }
        fn skip_grace(&self) -> Option<Duration> {
            self.grace
        }
        fn only_reports(&self) -> bool {
            self.reports
        }
    }

    const NOTHING: Shown = Shown { passes: false, grace: None, reports: false };
    const PROOF: Shown = Shown { passes: true, ..NOTHING };

    fn offered() -> Record {
        let mut record = sample();
        DeviceSecret([7; 32]).offer_in(&mut record, NOW);
        record
    }

    fn after(seconds: u64) -> Time {
        NOW.saturating_add(Duration::from_secs(seconds))
    }

    fn changed(mut record: Record, change: DeviceChange) -> Record {
        change.apply_to(&mut record);
        record
    }

    fn registered() -> Record {
        let record = offered();
        let change = DeviceChange::register("key", &record, NOW).unwrap();
        changed(record, change)
    }

    fn enforced() -> Record {
        changed(registered(), DeviceChange::Reach(Stage::Enforced))
    }

    #[test]
    fn what_is_written_is_read() {
        let record = enforced();
        let binding = DeviceBinding::of(&record).unwrap();
        assert_eq!((binding.secret(), binding.key()), (&[7; 32], Some("key")));
        assert_eq!((binding.registered_at(), binding.offered_at()), (Some(NOW), NOW));
        assert!(binding.is_enforced() && is_device_bound(&record));
        assert!(DeviceBinding::of(&sample()).is_none() && !is_device_bound(&sample()));
    }

    /// D1: before a key is registered, any release may open the session; from then on only one that knows what it means.
    #[test]
    fn only_a_registered_key_is_critical() {
        let names = |record: &Record| record.extensions.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!((names(&offered()), names(&registered())), (vec![UNBOUND.to_owned()], vec![BOUND.to_owned()]));
        assert!(BOUND.starts_with('!') && !registered().is_beyond_us());
        assert_eq!(RecordFormat::V1.with(&registered().extensions), RecordFormat::V2);
    }

    #[test]
    fn nothing_is_demanded_before_the_first_proof() {
        for record in [sample(), offered(), registered()] {
            for check in [None, Some(&NOTHING as &dyn DeviceCheck)] {
                assert_eq!(admission(&record, check, after(1_000_000)), Admission::Free);
            }
        }
        let begins = Some(Stage::Enforced);
        assert_eq!(admission(&registered(), Some(&PROOF), after(1)), Admission::Proven { begins });
        assert_eq!(admission(&enforced(), Some(&PROOF), after(1)), Admission::Proven { begins: None });
    }

    #[test]
    fn without_proof_there_is_no_session_but_for_the_minute_after_the_registration() {
        for check in [None, Some(&NOTHING as &dyn DeviceCheck)] {
            assert_eq!(admission(&enforced(), check, after(59)), Admission::Free);
            assert_eq!(admission(&enforced(), check, after(60)), Admission::Refused);
        }
    }

    #[test]
    fn a_skip_is_let_in_for_its_grace_which_begins_once() {
        let skips = Shown { grace: Some(Duration::from_secs(300)), ..NOTHING };
        assert_eq!(admission(&enforced(), Some(&skips), after(100)), Admission::Skipped { is_first: true });
        let record = changed(enforced(), DeviceChange::Skip { at: after(100) });
        let record = changed(record, DeviceChange::Skip { at: after(350) });
        assert_eq!(admission(&record, Some(&skips), after(399)), Admission::Skipped { is_first: false });
        assert_eq!(admission(&record, Some(&skips), after(400)), Admission::Refused);
        let record = changed(record, DeviceChange::EndSkips);
        assert_eq!(admission(&record, Some(&skips), after(400)), Admission::Skipped { is_first: true });
    }

    #[test]
    fn a_layer_that_only_reports_refuses_nothing_and_enforces_nothing() {
        let reports = Shown { reports: true, ..NOTHING };
        let begins = Some(Stage::Observed);
        let proves = Shown { passes: true, ..reports };
        assert_eq!(admission(&registered(), Some(&proves), after(1)), Admission::Proven { begins });
        let observed = changed(registered(), DeviceChange::Reach(Stage::Observed));
        assert_eq!(admission(&observed, Some(&reports), after(60)), Admission::Reported);
        assert_eq!(admission(&observed, Some(&NOTHING), after(60)), Admission::Free, "it is not enforced");
        assert_eq!(admission(&enforced(), Some(&reports), after(60)), Admission::Reported);
    }

    #[test]
    fn what_can_not_be_read_is_refused() {
        for stored in [serde_json::json!("nonsense"), serde_json::json!({"s": "AAAA", "o": 1, "k": "key"})] {
            let mut record = sample();
            record.extensions = [(BOUND.to_owned(), stored)].into_iter().collect();
            assert_eq!(admission(&record, Some(&PROOF), NOW), Admission::Refused);
            assert!(is_device_bound(&record) && DeviceBinding::of(&record).is_none());
        }
    }

    #[test]
    fn a_new_offer_replaces_a_key_without_proof_and_no_other() {
        let mut record = registered();
        DeviceSecret([8; 32]).offer_in(&mut record, after(9));
        let binding = DeviceBinding::of(&record).unwrap();
        assert_eq!((binding.secret(), binding.key(), binding.offered_at()), (&[8; 32], None, after(9)));
        assert_eq!(record.extensions.len(), 1);
        let mut record = enforced();
        DeviceSecret([8; 32]).offer_in(&mut record, after(9));
        assert_eq!(record.extensions, enforced().extensions);
    }

    /// D2: a record that an application gets has neither the secret nor the key.
    #[test]
    fn a_list_shows_only_whether_a_session_is_bound() {
        for (mut record, is_bound) in [(sample(), false), (offered(), false), (registered(), false), (enforced(), true)]
        {
            hide_device(&mut record);
            assert_eq!(is_device_bound(&record), is_bound);
            assert!(DeviceBinding::of(&record).is_none());
            assert_eq!(record.extensions.len(), usize::from(is_bound));
        }
    }
}
