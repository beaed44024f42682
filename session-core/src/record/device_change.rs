use crate::time::Time;

use super::device_binding::{DeviceBinding, Stage};
use super::record::Record;

/// A change of what a session keeps of its device. It is saved with the session, and after a conflict made again in the
/// newer record.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DeviceChange {
    /// The key of a device that was proven to have it.
    Register { key: Box<str>, at: Time },
    /// A proof has come.
    Reach(Stage),
    /// A request is let in whose browser had to skip the proof.
    Skip { at: Time },
    /// A good proof of the key has come, so that skips are let in anew.
    EndSkips,
}

impl DeviceChange {
    pub(crate) fn register(key: &str, at: Time) -> Self {
        DeviceChange::Register { key: key.into(), at }
    }

    /// Makes the change. Does nothing where it has been made before, or where the record has another key.
    pub(crate) fn apply_to(&self, record: &mut Record) {
        if self.is_made_in(record) {
            return;
        }
        let before = record.clone();
        let Some(binding) = DeviceBinding::of(&before) else { return };
        let after = match self {
            DeviceChange::Register { key, at } => binding.registered(key, *at),
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
            // Nobody else can register a key.
            DeviceChange::Register { .. } => binding.key().is_some(),
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
    use crate::record::{DeviceSecret, sample};

    /// D3: a session that has a key gets no other.
    #[test]
    fn a_key_is_registered_once() {
        let mut record = sample();
        let now = record.created;
        DeviceChange::register("first", now).apply_to(&mut record);
        assert!(record.extensions.is_empty(), "nothing was offered");
        DeviceSecret::generate(&SystemRandom).unwrap().offer_in(&mut record, now);
        DeviceChange::register("first", now).apply_to(&mut record);
        let registered = record.clone();
        DeviceChange::register("second", now.saturating_add(Duration::from_secs(1))).apply_to(&mut record);
        assert!(record == registered);
        assert_eq!(DeviceBinding::of(&record).unwrap().key(), Some("first"));
    }

    #[test]
    fn a_proof_without_a_key_enforces_nothing() {
        let mut record = sample();
        DeviceSecret::generate(&SystemRandom).unwrap().offer_in(&mut record, sample().created);
        let offered = record.clone();
        DeviceChange::Reach(Stage::Enforced).apply_to(&mut record);
        assert!(record == offered);
    }
}
