use std::sync::atomic::{AtomicI64, Ordering};

use crate::time::Time;

/// Until when sessions of other libraries may be taken over. A layer that does so says it, after the manager was made.
pub(crate) struct OldSessions(AtomicI64);

impl OldSessions {
    const NONE: i64 = i64::MIN;

    /// Notes that old sessions are taken over until then, perhaps beside others.
    pub(crate) fn expect_until(&self, until: Time) {
        self.0.fetch_max(until.unix_millis(), Ordering::Relaxed);
    }

    /// `None` if none are. [`Time::MAX`] if nobody has set an end.
    pub(crate) fn until(&self) -> Option<Time> {
        match self.0.load(Ordering::Relaxed) {
            OldSessions::NONE => None,
            until => Some(Time::from_unix_millis(until)),
        }
    }
}

impl Default for OldSessions {
    fn default() -> Self {
        OldSessions(AtomicI64::new(OldSessions::NONE))
    }
}
