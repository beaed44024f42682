use crate::id::SessionId;
use crate::record::{Record, RecordKey, Version};
use crate::time::Time;

use super::changes::Changes;

/// The session whose attributes a new one copies.
pub(crate) struct Kept {
    pub(crate) key: RecordKey,
    /// Changes to it that were on their way to the store. Once the store has them, they are in its record.
    pub(crate) in_flight: Changes,
    /// The changes that the request had made to it since.
    pub(crate) changes: Changes,
}

/// A session that the store does not have yet.
pub(crate) struct Started {
    pub(crate) id: SessionId,
    pub(crate) record: Record,
    /// The session whose attributes it copies, and the attributes that it sets itself.
    kept: Option<(Kept, Changes)>,
    /// The session before it was removed in the same request, so it must be deleted even if this one fails.
    pub(crate) after_remove: bool,
}

impl Started {
    pub(crate) fn new(id: SessionId, record: Record, kept: Option<(Kept, Changes)>) -> Self {
        Started { id, record, kept, after_remove: false }
    }

    /// Makes the record that goes to the store.
    pub(super) fn send(&mut self, changes: Changes, now: Time, mark: u32) {
        changes.apply_to(&mut self.record);
        if let Some((_, own)) = &mut self.kept {
            *own = std::mem::take(own).followed_by(changes);
        }
        self.record.accessed = self.record.accessed.max(now);
        self.record.version = Version::first(mark);
    }

    /// Copies the attributes again, from the present record of the kept session.
    pub(crate) fn keep_again(&mut self, stored: &Record) {
        if let Some((kept, own)) = &self.kept
            && kept.key == stored.key
        {
            let landed = kept.in_flight.applied_to(&stored.attributes);
            self.record.attributes = own.applied_to(&kept.changes.applied_to(&landed));
        }
    }

    /// The kept session was saved: what was on its way is in this record, and with it what others wrote.
    pub(super) fn kept_was_saved(&mut self, stored: &Record) {
        if let Some((kept, _)) = &mut self.kept {
            kept.in_flight = Changes::default();
        }
        self.keep_again(stored);
    }

    pub(crate) fn keep_nothing(&mut self) {
        if let Some((_, own)) = self.kept.take() {
            self.record.attributes = own.into_attributes();
        }
    }
}
