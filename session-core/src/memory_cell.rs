//! One record in memory, and what becomes of it when it is saved, used or copied.

use std::sync::Arc;
use std::time::Duration;

use crate::record::touch_interval;
use crate::store::Written;
use crate::time::millis;
use crate::{Attributes, Record, RecordKey, Time, Version};

pub(crate) struct Cell {
    key: RecordKey,
    version: Version,
    created: Time,
    accessed: Time,
    idle_timeout_ms: i64,
    absolute_deadline: Time,
    /// From then on a copy of another store's record is not handed out.
    until: Time,
    principal: Option<Arc<str>>,
    constants: Attributes,
    attributes: Attributes,
    persistent: bool,
}

impl Cell {
    pub(crate) fn new(record: &Record) -> Box<Self> {
        Cell::copy(record, Time::MAX)
    }

    pub(crate) fn copy(record: &Record, until: Time) -> Box<Self> {
        Box::new(Cell {
            key: record.key,
            version: record.version,
            created: record.created,
            accessed: record.accessed,
            idle_timeout_ms: millis(record.idle_timeout),
            absolute_deadline: record.absolute_deadline.unwrap_or(Time::MAX),
            until,
            principal: record.principal.clone(),
            constants: record.constants.clone(),
            attributes: record.attributes.clone(),
            persistent: record.persistent,
        })
    }

    pub(crate) fn key(&self) -> &RecordKey {
        &self.key
    }

    pub(crate) fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    pub(crate) fn accessed(&self) -> Time {
        self.accessed
    }

    fn idle_deadline(&self) -> Time {
        Time::from_unix_millis(self.accessed.unix_millis().saturating_add(self.idle_timeout_ms))
    }

    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.absolute_deadline.min(self.idle_deadline()).min(self.until) <= now
    }

    /// The record, if it is live.
    pub(crate) fn record(&self, now: Time) -> Option<Record> {
        if self.is_expired(now) {
            return None;
        }
        Some(Record {
            key: self.key,
            version: self.version,
            created: self.created,
            accessed: self.accessed,
            idle_timeout: Duration::from_millis(self.idle_timeout_ms.unsigned_abs()),
            absolute_deadline: (self.absolute_deadline < Time::MAX).then_some(self.absolute_deadline),
            persistent: self.persistent,
            principal: self.principal.clone(),
            constants: self.constants.clone(),
            attributes: self.attributes.clone(),
        })
    }

    /// Whether whoever knows the record in this version may replace it: [`Written::Done`] if so.
    pub(crate) fn admits(&self, expected: Version, now: Time) -> Written {
        match () {
            () if self.is_expired(now) => Written::Missing,
            () if self.version != expected => Written::Conflict,
            () => Written::Done,
        }
    }

    /// Replaces what changes. Gives the attributes that were replaced, and whether the session is to
    /// count as used again.
    pub(crate) fn save(&mut self, record: &Record) -> (Attributes, bool) {
        let used_before = self.accessed;
        let replaced = self.take_from(record);
        (replaced, is_used_again(used_before, self.accessed, record.idle_timeout))
    }

    /// Takes a copy's content, unless that of the same or a later version is here. Gives the
    /// attributes that were replaced.
    pub(crate) fn refill(&mut self, record: &Record, now: Time, until: Time) -> Option<Attributes> {
        let is_newer = record.version > self.version;
        let is_due = is_newer || record.version == self.version && self.is_expired(now);
        is_due.then(|| {
            self.until = until;
            self.take_from(record)
        })
    }

    /// Whether the record was live and is now used later than before.
    pub(crate) fn touch(&mut self, accessed: Time) -> bool {
        let moves = !self.is_expired(accessed) && self.accessed < accessed;
        if moves {
            self.accessed = accessed;
        }
        moves
    }

    fn take_from(&mut self, record: &Record) -> Attributes {
        self.version = record.version;
        self.accessed = self.accessed.max(record.accessed);
        self.idle_timeout_ms = millis(record.idle_timeout);
        self.persistent = record.persistent;
        std::mem::replace(&mut self.attributes, record.attributes.clone())
    }
}

/// About once in each touch interval, so that saving costs no more than a touch does.
fn is_used_again(before: Time, after: Time, idle_timeout: Duration) -> bool {
    let interval = millis(touch_interval(idle_timeout)).max(1);
    // The nearest power of two is as good, and spares two divisions.
    let shift = interval.ilog2();
    before.unix_millis() >> shift != after.unix_millis() >> shift
}
