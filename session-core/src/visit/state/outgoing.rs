//! The record that a write is to leave, and the way back.

use std::time::Duration;

use crate::id::SessionId;
use crate::record::{Attribute, Attributes, Record, RecordFormat, Version, cookie_trigger, note_attributes_version};
use crate::time::Time;

use super::super::changes::Changes;
use super::super::rules::Rules;

/// A record that is on its way to the store.
pub(super) enum Outgoing {
    Nothing,
    /// The stored record itself was advanced: nobody sees it before the store has answered, as the state's
    /// lock is held. What the save replaced in it.
    InPlace(Before),
    /// A copy, because others may look at the state meanwhile, or because it has another id.
    Aside(Box<Aside>),
    /// The record of the session that was started, while the state's lock is held.
    Started,
}

pub(super) struct Aside {
    pub(super) record: Record,
    /// The id that a renewed session is to have.
    pub(super) new_id: Option<SessionId>,
    /// Whether the session was started, not saved or renewed.
    pub(super) is_start: bool,
    /// What the record has that the store may not have: if it does not arrive, also because saving was
    /// cancelled, it goes with the next attempt.
    pub(super) changes: Changes,
}

/// What a save replaced in a record.
pub(super) struct Before {
    version: Version,
    accessed: Time,
    idle_timeout: Duration,
    persistent: bool,
    format: RecordFormat,
    attributes: Attributes,
    extensions: Attributes,
}

impl Before {
    /// See [`Record::cookie_trigger`].
    pub(super) fn cookie_trigger(&self) -> Option<Duration> {
        cookie_trigger(self.persistent, self.idle_timeout)
    }

    pub(super) fn put_back(self, record: &mut Record) {
        record.version = self.version;
        record.accessed = self.accessed;
        record.idle_timeout = self.idle_timeout;
        record.persistent = self.persistent;
        record.format = self.format;
        record.attributes = self.attributes;
        record.extensions = self.extensions;
    }
}

/// Makes of a record what is to be saved by a request that used the session at `used`.
pub(super) fn advance(
    record: &mut Record,
    changes: &Changes,
    update: Option<Attribute>,
    rules: &Rules,
    used: Time,
    mark: u32,
) -> Before {
    let before = Before {
        version: record.version,
        accessed: record.accessed,
        idle_timeout: record.idle_timeout,
        persistent: record.persistent,
        format: record.format,
        attributes: std::mem::take(&mut record.attributes),
        extensions: record.extensions.clone(),
    };
    record.attributes = changes.updated(&before.attributes, update);
    changes.apply_settings_to(record);
    record.format = rules.record_format;
    note_attributes_version(record, rules.attributes_version);
    record.version = record.version.next(mark);
    record.accessed = record.accessed.max(used);
    before
}
