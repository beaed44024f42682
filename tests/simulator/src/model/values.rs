//! The values of a session: attributes, of which the last save wins, and a counter.

use std::collections::HashSet;

use super::{Doing, Model};
use crate::stamp::Stamp;

/// An attribute that requests set. Its value is the number of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attr(pub usize);

impl Attr {
    pub const ALL: [Attr; 3] = [Attr(0), Attr(1), Attr(2)];
    pub const COUNT: &'static str = "Count";
    pub const LINEAGE: &'static str = "Session";

    pub fn name(self) -> &'static str {
        ["A", "B", "C"][self.0]
    }
}

/// One `set_attr` or `remove_attr`.
pub struct Write {
    lineage: usize,
    attr: Attr,
    is_removal: bool,
    /// When it was first sent to the store.
    sent: Option<Stamp>,
    /// When it was acknowledged.
    done: Option<Stamp>,
    /// It was dropped before it was sent.
    is_dropped: bool,
}

/// An attribute of one session: the numbers of the writes to it.
#[derive(Default)]
pub struct Register {
    writes: Vec<usize>,
}

/// The counter of one session.
#[derive(Default)]
pub struct Count {
    /// What was copied from the session that it kept: at least, at most.
    base: (u64, u64),
    kept: u64,
    begun: u64,
    done: Vec<Stamp>,
    returned: HashSet<u64>,
}

impl Model {
    /// The number of the next write.
    pub fn next_value(&self) -> u64 {
        self.writes.len() as u64
    }

    /// A change that a request collects. Its number is the value.
    pub fn new_write(&mut self, doing: &mut Doing, attr: Attr, is_removal: bool) -> u64 {
        let Some(place) = doing.place else { return 0 };
        self.writes.push(Write { lineage: place.lineage, attr, is_removal, sent: None, done: None, is_dropped: false });
        let number = self.writes.len() - 1;
        if let Some(earlier) = doing.pending.insert(attr, number) {
            self.drop_write(earlier);
        }
        self.lineages[place.lineage].registers[attr.0].writes.push(number);
        number as u64
    }

    fn drop_write(&mut self, number: usize) {
        let write = &mut self.writes[number];
        write.is_dropped = write.sent.is_none();
    }

    pub fn drop_writes(&mut self, doing: &mut Doing) {
        for (_, number) in std::mem::take(&mut doing.pending) {
            self.drop_write(number);
        }
    }

    pub(super) fn send_writes(&mut self, doing: &Doing, now: Stamp) {
        self.saving_begins(doing);
        for number in doing.pending.values() {
            self.writes[*number].sent.get_or_insert(now);
        }
    }

    pub(super) fn writes_done(&mut self, doing: &mut Doing, now: Stamp) {
        for number in std::mem::take(&mut doing.pending).into_values() {
            self.writes[number].done.get_or_insert(now);
        }
    }

    /// A request that began then has read this value of an attribute. `None`: the session does not have it.
    pub(super) fn check_value(&mut self, lineage: usize, attr: Attr, value: Option<u64>, began: Stamp, stale: u64) {
        if self.may_have_missed_its_use(lineage) {
            return;
        }
        let own_name = attr.name();
        let landed = match value {
            None => self.removals_landed(lineage, attr),
            Some(number) => match self.checked_write(lineage, attr, number as usize) {
                Ok(landed) => landed,
                Err(what) => return self.violate(&[lineage], format!("{own_name} of #{lineage} is read, {what}")),
            },
        };
        let overwritten = self.lineages[lineage].registers[attr.0].writes.iter().find(|number| {
            let Write { sent, done, .. } = self.writes[**number];
            let is_seen = done.is_some_and(|done| done < began && done.at + stale <= began.at);
            is_seen && landed.is_some_and(|landed| sent.is_some_and(|sent| landed < sent))
        });
        if let Some(later) = overwritten {
            let what = format!(
                "{own_name} of #{lineage} is read as {value:?}, although write {later} after that was acknowledged"
            );
            self.violate(&[lineage], what);
        }
    }

    /// The last moment at which a removal may have taken effect; none if that may still be.
    fn removals_landed(&self, lineage: usize, attr: Attr) -> Option<Stamp> {
        let lineage = &self.lineages[lineage];
        let mut landed = lineage.start.done?;
        for number in &lineage.registers[attr.0].writes {
            let Write { is_removal, sent, done, .. } = self.writes[*number];
            if is_removal && sent.is_some() {
                landed = landed.max(done?);
            }
        }
        Some(landed)
    }

    /// The last moment at which this write may have taken effect; none if that may still be.
    fn checked_write(&self, lineage: usize, attr: Attr, number: usize) -> Result<Option<Stamp>, String> {
        let Some(write) = self.writes.get(number) else { return Err(format!("as {number}, which nobody wrote")) };
        if write.attr != attr || write.is_removal {
            return Err(format!("as {number}, which was not written to it"));
        }
        if write.is_dropped {
            return Err(format!("as {number}, which was dropped before it was saved"));
        }
        let Some(sent) = write.sent else { return Err(format!("as {number}, which was not saved yet")) };
        if write.lineage == lineage {
            return Ok(write.done);
        }
        let start = self.lineages[lineage].start.done;
        if !self.was_kept(lineage, write.lineage) {
            return Err(format!("as {number}, which was written to #{}", write.lineage));
        }
        if start.is_some_and(|start| start < sent) {
            return Err(format!("as {number}, which was written to #{} after it was replaced", write.lineage));
        }
        Ok(start)
    }

    /// Whether attributes of `from` were copied into this session.
    fn was_kept(&self, mut lineage: usize, from: usize) -> bool {
        while let Some(kept) = self.lineages[lineage].kept {
            if kept == from {
                return true;
            }
            lineage = kept;
        }
        false
    }
}

/// The counter.
impl Model {
    /// What a new session copies of the counter of another.
    pub fn keep_count(&mut self, new: usize, from: usize) {
        let now = self.stamp();
        let count = &self.lineages[from].count;
        let least = count.base.0 + count.done.iter().filter(|done| **done < now).count() as u64;
        self.lineages[new].count.base = (0, u64::MAX);
        self.lineages[new].count.kept = least;
    }

    /// What was to be kept was there when the new session was stored.
    pub(super) fn surely_kept(&mut self, new: usize) {
        let count = &mut self.lineages[new].count;
        count.base.0 = count.kept;
    }

    pub fn count_begins(&mut self, doing: &Doing) -> Stamp {
        let now = self.stamp();
        if let Some(place) = doing.place {
            self.lineages[place.lineage].count.begun += 1;
        }
        self.send_writes(doing, now);
        now
    }

    /// An `update_attr` that began then has returned this number.
    pub fn counted(&mut self, doing: &mut Doing, began: Stamp, number: u64) {
        let now = self.stamp();
        let Some(place) = doing.place else { return };
        self.check_count(place.lineage, number - 1, began, 0);
        let lineage = &mut self.lineages[place.lineage];
        let is_new = lineage.count.returned.insert(number);
        if !is_new && !self.may_have_missed_its_use(place.lineage) {
            self.violate(&[place.lineage], format!("two requests counted #{} to {number}", place.lineage));
        }
        self.lineages[place.lineage].count.done.push(now);
        self.writes_done(doing, now);
        self.saved(place.lineage, doing.process, began);
    }

    /// A request that began then has read this number.
    pub(super) fn check_count(&mut self, lineage: usize, number: u64, began: Stamp, stale: u64) {
        if self.may_have_missed_its_use(lineage) {
            return;
        }
        let Count { base, begun, done, .. } = &self.lineages[lineage].count;
        let done = done.iter().filter(|done| **done < began && done.at + stale <= began.at).count() as u64;
        let (least, most) = (base.0 + done, base.1.saturating_add(*begun));
        if !(least..=most).contains(&number) {
            let what = format!("the count of #{lineage} is read as {number}, and must be from {least} to {most}");
            self.violate(&[lineage], what);
        }
    }
}
