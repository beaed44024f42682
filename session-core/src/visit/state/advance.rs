//! A record as a save is to leave it.

use std::time::Duration;

use crate::record::Attribute;
use crate::record::{Attributes, Record, Version};
use crate::time::Time;
use crate::visit::changes::Changes;

/// What a save replaced in a record.
pub(crate) struct Before {
    pub(crate) version: Version,
    accessed: Time,
    idle_timeout: Duration,
    persistent: bool,
    pub(super) cookie_trigger: Option<Duration>,
    attributes: Attributes,
}

impl Before {
    pub(super) fn put_back(self, record: &mut Record) {
        record.version = self.version;
        record.accessed = self.accessed;
        record.idle_timeout = self.idle_timeout;
        record.persistent = self.persistent;
        record.attributes = self.attributes;
    }
}

/// Makes of a record what is to be saved.
pub(super) fn advance(
    record: &mut Record,
    changes: &Changes,
    update: Option<Attribute>,
    now: Time,
    mark: u32,
) -> Before {
    let before = Before {
        version: record.version,
        accessed: record.accessed,
        idle_timeout: record.idle_timeout,
        persistent: record.persistent,
        cookie_trigger: record.cookie_trigger(),
        attributes: std::mem::take(&mut record.attributes),
    };
    record.attributes = changes.updated(&before.attributes, update);
    changes.apply_settings_to(record);
    record.version = record.version.next(mark);
    record.accessed = record.accessed.max(now);
    before
}
