use smol_str::SmolStr;

use crate::id::SessionId;
use crate::record::{Attributes, Record, RecordKey, Version};
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

/// Which attributes of another session a new one copies.
pub(crate) enum Travelling {
    All,
    /// Those with these names.
    Only(Box<[SmolStr]>),
}

impl Travelling {
    /// The attributes that are copied.
    pub(crate) fn of(&self, all: Attributes) -> Attributes {
        match self {
            Travelling::All => all,
            Travelling::Only(_) => {
                all.entries().iter().filter(|attribute| self.includes(attribute.name())).cloned().collect()
            }
        }
    }

    pub(crate) fn includes(&self, name: &str) -> bool {
        match self {
            Travelling::All => true,
            Travelling::Only(names) => names.iter().any(|travels| travels == name),
        }
    }
}

/// What a new session copies, for as long as the other session may still change.
pub(crate) struct Keeping {
    pub(crate) kept: Kept,
    pub(crate) travelling: Travelling,
    /// The attributes that the new session sets itself.
    pub(crate) own: Changes,
}

/// A session that the store does not have yet.
pub(crate) struct Started {
    pub(crate) id: SessionId,
    pub(crate) record: Record,
    kept: Option<Keeping>,
    /// The session before it was removed in the same request, so it must be deleted even if this one fails.
    pub(crate) after_remove: bool,
    /// The application has asked for the id, so it can't be another one any more.
    pub(crate) id_is_known: bool,
    /// Nothing is stored unless the application sets something in it.
    pub(crate) only_if_used: bool,
}

impl Started {
    pub(crate) fn new(id: SessionId, record: Record, kept: Option<Keeping>) -> Self {
        Started { id, record, kept, after_remove: false, id_is_known: false, only_if_used: false }
    }

    /// Makes the record that goes to the store.
    pub(super) fn send(&mut self, changes: Changes, now: Time, mark: u32) {
        changes.apply_to(&mut self.record);
        if let Some(Keeping { own, .. }) = &mut self.kept {
            *own = std::mem::take(own).followed_by(changes);
        }
        self.record.accessed = self.record.accessed.max(now);
        self.record.version = Version::first(mark);
    }

    /// Copies the attributes again, from the present record of the kept session.
    pub(crate) fn keep_again(&mut self, stored: &Record) {
        if let Some(Keeping { kept, travelling, own }) = &self.kept
            && kept.key == stored.key
        {
            let landed = kept.in_flight.applied_to(&stored.attributes);
            self.record.attributes = own.applied_to(&travelling.of(kept.changes.applied_to(&landed)));
        }
    }

    /// The kept session has a new id, and its record another key.
    pub(super) fn kept_has_moved(&mut self, from: &RecordKey, to: RecordKey) {
        if let Some(Keeping { kept, .. }) = &mut self.kept
            && kept.key == *from
        {
            kept.key = to;
        }
    }

    /// The kept session was saved: what was on its way is in this record, and with it what others wrote.
    pub(super) fn kept_was_saved(&mut self, stored: &Record) {
        if let Some(Keeping { kept, .. }) = &mut self.kept {
            kept.in_flight = Changes::default();
        }
        self.keep_again(stored);
    }

    pub(crate) fn keep_nothing(&mut self) {
        if let Some(Keeping { own, .. }) = self.kept.take() {
            self.record.attributes = own.into_attributes();
        }
    }
}
