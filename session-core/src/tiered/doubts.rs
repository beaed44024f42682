use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::record::RecordKey;
use crate::time::Time;

/// The sessions whose copy in the fast tier is in doubt: it may be stale, because a write did not reach the
/// fast tier.
///
/// This process does not read such a copy until it has been invalidated, or until its time is over and no
/// process serves it any more.
pub(super) struct Doubts {
    keys: Mutex<BTreeMap<RecordKey, Doubt>>,
    /// The number of keys, which can be read without the lock.
    count: AtomicUsize,
    /// Until then every copy is in doubt, because there were more keys than [`MAX_KEYS`].
    all_until: AtomicI64,
    numbers: AtomicU64,
    /// Held while one copy is invalidated.
    pub(super) invalidating: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// Tells two doubts about one key apart.
    number: u64,
    until: Time,
    /// Whether the session is known to be gone, and not only to have changed.
    pub(super) is_gone: bool,
}

/// About 5 MB.
const MAX_KEYS: usize = 50_000;

impl Doubts {
    pub(super) fn new() -> Self {
        Doubts {
            keys: Mutex::default(),
            count: AtomicUsize::new(0),
            all_until: AtomicI64::new(i64::MIN),
            numbers: AtomicU64::new(0),
            invalidating: tokio::sync::Mutex::default(),
        }
    }

    /// The doubt about this key, if there is one.
    pub(super) fn about(&self, key: &RecordKey, now: Time) -> Option<Doubt> {
        if now.unix_millis() < self.all_until.load(Ordering::Acquire) {
            return Some(Doubt { number: u64::MAX, until: Time::MAX, is_gone: false });
        }
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut keys = self.keys.lock();
        let doubt = *keys.get(key)?;
        if doubt.until <= now {
            keys.remove(key);
            self.count.store(keys.len(), Ordering::Release);
            return None;
        }
        Some(doubt)
    }

    /// Guards a write that begins now: unless it is settled, the copy of this key is in doubt until then.
    pub(super) fn unless_settled(&self, key: &RecordKey, until: Time) -> Unsettled<'_> {
        Unsettled { doubts: self, key: *key, until, is_gone: false, is_settled: false }
    }

    /// The keys whose sessions are gone.
    pub(super) fn gone(&self) -> Vec<RecordKey> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        self.keys.lock().iter().filter(|(_, doubt)| doubt.is_gone).map(|(key, _)| *key).collect()
    }

    /// Ends a doubt, unless another has arisen since.
    pub(super) fn end(&self, key: &RecordKey, doubt: Doubt) {
        let mut keys = self.keys.lock();
        if keys.get(key) == Some(&doubt) {
            keys.remove(key);
            self.count.store(keys.len(), Ordering::Release);
        }
    }

    /// Some of the keys, at most `limit`.
    pub(super) fn some(&self, limit: usize) -> Vec<RecordKey> {
        self.keys.lock().keys().take(limit).copied().collect()
    }

    fn add(&self, key: RecordKey, until: Time, is_gone: bool) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut keys = self.keys.lock();
        if keys.len() >= MAX_KEYS && !keys.contains_key(&key) {
            self.all_until.fetch_max(until.unix_millis(), Ordering::AcqRel);
            return;
        }
        let known = keys.get(&key);
        let is_gone = is_gone || known.is_some_and(|known| known.is_gone);
        let until = known.map_or(until, |known| known.until.max(until));
        keys.insert(key, Doubt { number, until, is_gone });
        self.count.store(keys.len(), Ordering::Release);
    }
}

/// A write that the fast tier does not know yet. Dropped unsettled, because of a failure or because the
/// request was cancelled, it leaves a doubt.
#[must_use]
pub(super) struct Unsettled<'a> {
    doubts: &'a Doubts,
    key: RecordKey,
    until: Time,
    pub(super) is_gone: bool,
    is_settled: bool,
}

impl Unsettled<'_> {
    pub(super) fn settled_if(mut self, is_settled: bool) {
        self.is_settled = is_settled;
    }
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.doubts.add(self.key, self.until, self.is_gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Time {
        Time::from_unix_millis(millis)
    }

    fn key(byte: u8) -> RecordKey {
        RecordKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_write_that_was_not_settled_leaves_a_doubt_until_its_time() {
        let doubts = Doubts::new();
        doubts.unless_settled(&key(1), at(10)).settled_if(true);
        assert_eq!(doubts.about(&key(1), at(0)), None);
        drop(doubts.unless_settled(&key(1), at(10)));
        assert!(doubts.about(&key(1), at(9)).is_some());
        assert_eq!(doubts.about(&key(2), at(9)), None);
        assert_eq!(doubts.about(&key(1), at(10)), None);
    }

    #[test]
    fn a_doubt_that_arose_meanwhile_does_not_end() {
        let doubts = Doubts::new();
        drop(doubts.unless_settled(&key(1), at(10)));
        let first = doubts.about(&key(1), at(0)).unwrap();
        drop(doubts.unless_settled(&key(1), at(5)));
        doubts.end(&key(1), first);
        let second = doubts.about(&key(1), at(9)).unwrap();
        doubts.end(&key(1), second);
        assert_eq!(doubts.about(&key(1), at(0)), None);
    }

    #[test]
    fn too_many_doubts_are_about_everything() {
        let doubts = Doubts::new();
        for number in 0..=MAX_KEYS as u64 {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            drop(doubts.unless_settled(&RecordKey::from_bytes(bytes), at(10)));
        }
        assert!(doubts.about(&key(9), at(9)).is_some());
        assert_eq!(doubts.about(&key(9), at(10)), None);
    }
}
