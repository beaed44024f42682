use crate::time::Time;

use super::device_binding::{DeviceBinding, DeviceSecret, Stage};
use super::record::Record;

/// A change of what a session keeps of its device. It is saved with the session, and after a conflict made again in the
/// newer record.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DeviceChange {
    /// The key of a device that was proven to have it, by a challenge under this secret.
    Register { key: Box<str>, secret: DeviceSecret, at: Time },
    /// A proof has come.
    Reach(Stage),
    /// A request is let in whose browser had to skip the proof.
    Skip { at: Time },
    /// A good proof of the key has come, so that skips are let in anew.
    EndSkips,
}

impl DeviceChange {
    /// The registration of a key in this record. `None` if its session can't be bound.
    pub(crate) fn register(key: &str, record: &Record, at: Time) -> Option<Self> {
        let secret = DeviceBinding::of(record)?.own_secret();
        Some(DeviceChange::Register { key: key.into(), secret, at })
    }

    /// Makes the change. Does nothing where it has been made before, or where the record has another key.
    pub(crate) fn apply_to(&self, record: &mut Record) {
        if self.is_made_in(record) {
            return;
        }
        let before = record.clone();
        let Some(binding) = DeviceBinding::of(&before) else { return };
        let after = match self {
            DeviceChange::Register { key, at, .. } => binding.registered(key, *at),
            DeviceChange::Reach(stage) => binding.at_least(*stage),
            DeviceChange::Skip { at } => binding.skipping(Some(*at)),
            DeviceChange::EndSkips => binding.skipping(None),
        };
        after.write(record);
    }

    /// Whether nothing is left to change.
    pub(crate) fn is_made_in(&self, record: &Record) -> bool {
        let Some(binding) = DeviceBinding::of(record) else { return true };
        match self {
            // Nobody else can register a key, nor one that answers an older offer.
            DeviceChange::Register { secret, .. } => binding.key().is_some() || binding.own_secret() != *secret,
            DeviceChange::Reach(stage) => binding.key().is_none() || binding.has_stage(*stage),
            DeviceChange::Skip { .. } => binding.skipped_at().is_some(),
            DeviceChange::EndSkips => binding.skipped_at().is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::random::SystemRandom;
    use crate::record::sample;

    /// D3: a session that has a key gets no other.
    #[test]
    fn a_key_is_registered_once() {
        let mut record = sample();
        let now = record.created;
        assert!(DeviceChange::register("first", &record, now).is_none(), "nothing was offered");
        offer(&mut record);
        let late = DeviceChange::register("late", &record, now).unwrap();
        DeviceChange::register("first", &record, now).unwrap().apply_to(&mut record);
        let registered = record.clone();
        let later = now.saturating_add(Duration::from_secs(1));
        DeviceChange::register("second", &record, later).unwrap().apply_to(&mut record);
        assert!(record == registered);
        assert_eq!(DeviceBinding::of(&record).unwrap().key(), Some("first"));
        // What answers an older offer is not for this one.
        offer(&mut record);
        let offered = record.clone();
        late.apply_to(&mut record);
        assert!(record == offered);
    }

    fn offer(record: &mut Record) {
        DeviceSecret::generate(&SystemRandom).unwrap().offer_in(record, sample().created);
    }

    #[test]
    fn a_proof_without_a_key_enforces_nothing() {
        let mut record = sample();
        offer(&mut record);
        let offered = record.clone();
        DeviceChange::Reach(Stage::Enforced).apply_to(&mut record);
        assert!(record == offered);
    }
}
