//! One record in memory, and what becomes of it when it is saved, used or copied.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use crate::record::{Attributes, Audience, Record, RecordFormat, RecordKey, Version, touch_interval_ms};
use crate::store::Saved;
use crate::time::Time;
use crate::time::millis;

use super::budget::{Budget, PLACE};
use super::kind::Kind;

/// A record, small enough to be moved quickly when a table grows.
///
/// The attributes are beside the box, so that a load, which counts a reference to them, waits for the
/// memory of both at the same time.
pub(crate) struct Cell {
    attributes: Attributes,
    rest: Box<Rest>,
}

struct Rest {
    key: RecordKey,
    version: Version,
    created: Time,
    accessed: Time,
    idle_timeout_ms: i64,
    absolute_deadline: Time,
    /// From then on a copy of another store's record is stale, and is not served.
    until: Time,
    principal: Option<Arc<str>>,
    audience: Audience,
    constants: Attributes,
    extensions: Attributes,
    persistent: bool,
    format: RecordFormat,
    weight: Weight,
}

/// What a session weighs against the budget of its store.
#[derive(Clone, Copy)]
pub(crate) struct Weight {
    pub(crate) weight: u32,
    /// The bytes that its attributes take.
    attributes: usize,
}

impl Weight {
    pub(crate) fn of(record: &Record, budget: &Budget) -> Self {
        let weight = budget.weight(Kind::of(record), PLACE + record.memory_bytes());
        Weight { weight, attributes: record.attributes.memory_bytes() }
    }
}

impl Cell {
    pub(crate) fn new(record: &Record, budget: &Budget) -> Self {
        Cell::copy(record, Time::MAX, budget)
    }

    pub(crate) fn copy(record: &Record, until: Time, budget: &Budget) -> Self {
        let rest = Rest {
            key: record.key,
            version: record.version,
            created: record.created,
            accessed: record.accessed,
            idle_timeout_ms: millis(record.idle_timeout),
            absolute_deadline: record.absolute_deadline.unwrap_or(Time::MAX),
            until,
            principal: record.principal.clone(),
            audience: record.audience.clone(),
            constants: record.constants.clone(),
            extensions: record.extensions.clone(),
            persistent: record.persistent,
            format: record.format,
            weight: Weight::of(record, budget),
        };
        Cell { attributes: record.attributes.clone(), rest: Box::new(rest) }
    }

    pub(crate) fn key(&self) -> &RecordKey {
        &self.rest.key
    }

    pub(crate) fn principal(&self) -> Option<&str> {
        self.rest.principal.as_deref()
    }

    pub(crate) fn kind(&self) -> Kind {
        if self.rest.principal.is_some() { Kind::SignedIn } else { Kind::Anonymous }
    }

    pub(crate) fn weight(&self) -> u32 {
        self.rest.weight.weight
    }

    pub(crate) fn created(&self) -> Time {
        self.rest.created
    }

    pub(crate) fn accessed(&self) -> Time {
        self.rest.accessed
    }

    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.rest.is_expired(now)
    }

    /// The record, if it is live.
    #[inline(always)]
    pub(crate) fn record(&self, now: Time) -> Option<Record> {
        // Counting a reference waits for all that is before it; reading does not.
        black_box(self.attributes.len());
        let rest = &*self.rest;
        if rest.is_expired(now) {
            return None;
        }
        Some(Record {
            key: rest.key,
            version: rest.version,
            created: rest.created,
            accessed: rest.accessed,
            idle_timeout: Duration::from_millis(rest.idle_timeout_ms.unsigned_abs()),
            absolute_deadline: (rest.absolute_deadline < Time::MAX).then_some(rest.absolute_deadline),
            persistent: rest.persistent,
            principal: rest.principal.clone(),
            audience: rest.audience.clone(),
            constants: rest.constants.clone(),
            attributes: self.attributes.clone(),
            format: rest.format,
            extensions: rest.extensions.clone(),
        })
    }

    /// Whether a writer that knows this version may replace the record: [`Saved::Done`] if so.
    pub(crate) fn admits(&self, expected: Version, now: Time) -> Saved {
        match () {
            () if self.is_expired(now) => Saved::Missing,
            () if self.rest.version != expected => Saved::Conflict,
            () => Saved::Done,
        }
    }

    /// Whether the attributes of this record take as much memory as those that it has.
    #[inline]
    pub(crate) fn keeps_its_size(&self, record: &Record) -> bool {
        record.attributes.memory_bytes() == self.rest.weight.attributes
    }

    /// Replaces what the cell weighs. Returns what it weighed before.
    pub(crate) fn reweigh(&mut self, weight: Weight) -> u32 {
        std::mem::replace(&mut self.rest.weight, weight).weight
    }

    /// Replaces the parts of a record that can change. Returns the attributes that were replaced, and whether
    /// the session now counts as used again.
    pub(crate) fn save(&mut self, record: &Record) -> (Attributes, bool) {
        let used_before = self.rest.accessed;
        let replaced = self.take_from(record);
        (replaced, is_used_again(used_before, self.rest.accessed, self.rest.idle_timeout_ms))
    }

    /// Whether a copy is to be taken over: it is newer, or of the same version and this one has expired or is stale.
    pub(crate) fn is_older_than(&self, record: &Record, now: Time) -> bool {
        record.version > self.rest.version || record.version == self.rest.version && self.is_expired(now)
    }

    /// The copy, used no earlier than the one that it replaces: a touch does not change the version.
    pub(crate) fn used_like(mut self, replaced: Option<&Cell>) -> Self {
        if let Some(replaced) = replaced {
            self.rest.accessed = self.rest.accessed.max(replaced.rest.accessed);
        }
        self
    }

    /// Whether the record was live and is now used later than before.
    pub(crate) fn touch(&mut self, accessed: Time) -> bool {
        let moves = !self.is_expired(accessed) && self.rest.accessed < accessed;
        if moves {
            self.rest.accessed = accessed;
        }
        moves
    }

    fn take_from(&mut self, record: &Record) -> Attributes {
        let rest = &mut *self.rest;
        rest.version = record.version;
        rest.accessed = rest.accessed.max(record.accessed);
        rest.idle_timeout_ms = millis(record.idle_timeout);
        rest.persistent = record.persistent;
        rest.format = record.format;
        rest.extensions.clone_from(&record.extensions);
        std::mem::replace(&mut self.attributes, record.attributes.clone())
    }
}

impl Rest {
    fn is_expired(&self, now: Time) -> bool {
        let idle_deadline = Time::from_unix_millis(self.accessed.unix_millis().saturating_add(self.idle_timeout_ms));
        self.absolute_deadline.min(idle_deadline).min(self.until) <= now
    }
}

/// `true` about once in each touch interval, so that saving often costs no more than touching.
fn is_used_again(before: Time, after: Time, idle_timeout_ms: i64) -> bool {
    let interval = touch_interval_ms(idle_timeout_ms).max(1);
    // The nearest power of two is as good, and spares two divisions.
    let shift = interval.ilog2();
    before.unix_millis() >> shift != after.unix_millis() >> shift
}
