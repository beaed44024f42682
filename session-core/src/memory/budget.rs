//! How many sessions a store in memory may hold, and how many bytes they may take.

use crate::error::{ConfigError, StoreError};

use super::kind::Kind;

/// The bounds of a store in memory, made by [`MemoryStoreBuilder`](super::MemoryStoreBuilder).
///
/// Numbers and bytes become one bound: each session has a weight, and those of a kind may weigh so much together. A
/// session weighs 1, or more if it takes more than its share of the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    signed_in: Share,
    anonymous: Share,
    /// How many tombstones, and how many moved notes.
    pub(super) marks: usize,
}

/// What the sessions of one kind may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// What they may weigh together: so many may there be, if none is large.
    pub(super) weight: usize,
    /// A session that takes at most so many bytes weighs 1.
    bytes_of_one: usize,
}

impl Share {
    fn of(max_sessions: usize, bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let weight = max_sessions.min(bytes / SMALLEST_SESSION).max(1);
        Share { weight, bytes_of_one: bytes / weight }
    }
}

/// What a session takes beside its record: its place in the index, among those of its principal, and in the order of use.
pub(super) const PLACE: usize = 400;

/// Less is not set aside for a session, or every one would be large.
const SMALLEST_SESSION: usize = 768;

/// What a tombstone or a moved note takes in a table that is half full.
const MARK: u64 = 128;

impl Budget {
    /// The smallest budget, of which anonymous sessions get 3 MiB. A session has at most 1 MiB as JSON.
    pub(super) const MIN_BYTES: u64 = 8 << 20;

    /// The budget where the application says nothing: 32 KiB for each session, from 32 MiB to 2 GiB, but at least 2 KiB for
    /// each.
    pub(super) fn default_bytes(max_sessions: u64) -> u64 {
        let of_all = |bytes| max_sessions.saturating_mul(bytes);
        of_all(32 << 10).clamp(32 << 20, 2 << 30).max(of_all(2 << 10))
    }

    /// One half for signed-in sessions, three eighths for anonymous ones, and one eighth for tombstones and moved notes.
    pub(super) fn new(max_sessions: u64, max_bytes: u64) -> Self {
        let sessions = usize::try_from(max_sessions).unwrap_or(usize::MAX);
        let marks = max_bytes / 8 / 2 / MARK;
        Budget {
            signed_in: Share::of(sessions, max_bytes / 2),
            anonymous: Share::of(sessions, max_bytes / 8 * 3),
            marks: usize::try_from(marks).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn check(max_sessions: u64, max_bytes: u64) -> Result<(), ConfigError> {
        if max_sessions == 0 {
            return Err(ConfigError::new("`MemoryStore::builder().max_sessions` is 0; it must be at least 1"));
        }
        if max_bytes < Budget::MIN_BYTES {
            return Err(ConfigError::new(format!(
                "`MemoryStore::builder().max_bytes` is {max_bytes}; it must be at least {} (8 MiB)",
                Budget::MIN_BYTES
            )));
        }
        Ok(())
    }

    pub(super) fn share(&self, kind: Kind) -> Share {
        match kind {
            Kind::SignedIn => self.signed_in,
            Kind::Anonymous => self.anonymous,
        }
    }

    /// The error for a session that has no room here, even if it were alone.
    pub(super) fn check_weight(&self, kind: Kind, weight: u32) -> Result<(), StoreError> {
        let Share { weight: bound, bytes_of_one } = self.share(kind);
        if weight as usize <= bound {
            return Ok(());
        }
        let cause = format!(
            "the session takes about {} bytes of memory, and sessions of its kind may take {}: give \
             `MemoryStore::builder()` more `max_bytes`, or keep less in the session",
            weight as usize * bytes_of_one,
            bound * bytes_of_one,
        );
        Err(StoreError::refused(super::NAME, cause))
    }

    /// The weight of a session of this kind that takes so many bytes.
    pub(super) fn weight(&self, kind: Kind, bytes: usize) -> u32 {
        let weight = bytes.div_ceil(self.share(kind).bytes_of_one).max(1);
        u32::try_from(weight).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_number_nor_the_bytes_are_exceeded_by_sessions_of_any_size() {
        for (max_sessions, max_bytes) in [(1, 8 << 20), (1000, 32 << 20), (1_000_000, 2 << 30), (u64::MAX, u64::MAX)] {
            let budget = Budget::new(max_sessions, max_bytes);
            for (kind, part) in [(Kind::SignedIn, max_bytes / 2), (Kind::Anonymous, max_bytes / 8 * 3)] {
                let share = budget.share(kind);
                assert!(share.weight as u64 <= max_sessions);
                for bytes in [SMALLEST_SESSION, 1000, 10_000, 1 << 20] {
                    let fit = share.weight / budget.weight(kind, bytes) as usize;
                    assert!(fit as u64 * bytes as u64 <= part, "{fit} of {bytes} in {part}");
                }
            }
        }
    }

    #[test]
    fn as_many_small_sessions_of_each_kind_as_asked_for_fit_by_default() {
        for sessions in [1, 1000, 1_000_000, 5_000_000] {
            let budget = Budget::new(sessions as u64, Budget::default_bytes(sessions as u64));
            for kind in [Kind::SignedIn, Kind::Anonymous] {
                assert_eq!(budget.share(kind).weight, sessions);
                assert_eq!(budget.weight(kind, SMALLEST_SESSION), 1);
            }
        }
    }

    #[test]
    fn what_leaves_no_room_for_one_session_is_refused() {
        assert!(Budget::check(0, 1 << 30).is_err());
        assert!(Budget::check(1, Budget::MIN_BYTES - 1).is_err());
        assert!(Budget::check(1, Budget::MIN_BYTES).is_ok());
    }
}
