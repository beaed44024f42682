use crate::record::RecordKey;

/// A fixed number of locks, each of which serves many sessions.
pub(super) struct Locks<L>(Box<[L]>);

const NUMBER: usize = 256;

impl<L: Default> Locks<L> {
    pub(super) fn new() -> Self {
        Locks((0..NUMBER).map(|_| L::default()).collect())
    }

    /// The lock of this session.
    pub(super) fn of(&self, key: &RecordKey) -> &L {
        &self.0[usize::from(key.as_bytes()[0]) % self.0.len()]
    }
}
