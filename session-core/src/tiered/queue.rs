use std::collections::BTreeMap;

use crate::record::{Record, RecordKey, Version};
use crate::time::Time;
use crate::time::background::Instant;

/// The changes that the durable tier does not have yet: the latest state of each session, first in, first out.
#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<RecordKey, Waiting>,
    /// What the records take that wait.
    bytes: usize,
    /// The saves that the durable tier has refused for good. They hold nothing up, and are told to whoever reads here.
    aside: BTreeMap<RecordKey, Save>,
    /// By place, the sessions that no worker is writing, and when each is due.
    line: BTreeMap<u64, (Instant, RecordKey)>,
    next_place: u64,
    pub(super) workers: usize,
    /// The store was closed: nothing may wait any more.
    pub(super) is_closed: bool,
    /// The store was dropped: what fails is not repeated.
    pub(super) is_abandoned: bool,
    /// Whether the last attempt to write failed, of what still waits.
    is_failing: bool,
}

struct Waiting {
    save: Option<Save>,
    /// The first and the last use that wait.
    first_use: Time,
    accessed: Time,
    /// `None` while a worker writes the session.
    place: Option<u64>,
}

impl Waiting {
    /// The last use of this record that waits. One that came after its deadline is none, and must not keep the record from
    /// being written.
    fn last_use_of(&self, record: &Record) -> Time {
        if self.accessed < record.expires_at() { record.accessed.max(self.accessed) } else { record.accessed }
    }
}

struct Save {
    record: Record,
    /// What the durable tier has, as far as is known here.
    durable: Version,
    bytes: usize,
    /// Whether it was set aside before.
    was_aside: bool,
}

impl Save {
    fn new(record: &Record, durable: Version) -> Self {
        Save { record: record.clone(), durable, bytes: record.memory_bytes(), was_aside: false }
    }
}

/// The most saves that are set aside: each keeps a record in memory that is probably large.
const MAX_ASIDE: usize = 100;
const MAX_ASIDE_BYTES: usize = 16 << 20;

/// What is to be written of one session.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Work {
    Save { record: Record, durable: Version },
    Touch { accessed: Time },
}

impl Work {
    /// The last use that it tells of.
    pub(super) fn accessed(&self) -> Time {
        match self {
            Work::Save { record, .. } => record.accessed,
            Work::Touch { accessed } => *accessed,
        }
    }
}

/// What a worker is to do.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Write {
        key: RecordKey,
        /// Whether another session is due, for another worker.
        more: bool,
    },
    Wait(Instant),
    /// End: the worker is no longer counted.
    Leave,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn keys(&self) -> Vec<RecordKey> {
        self.waiting.keys().copied().collect()
    }

    /// The session that has waited longest, or any session if workers are writing all of them.
    pub(super) fn first(&self) -> Option<RecordKey> {
        let first = self.line.first_key_value().map(|(_, (_, key))| key);
        first.or_else(|| self.waiting.keys().next()).copied()
    }

    /// Whether this record can wait, in place of what waits of its session, if no more than so many sessions wait and they
    /// take no more than so many bytes. One session can wait whatever it takes.
    pub(super) fn has_room_for(&self, record: &Record, max_sessions: usize, max_bytes: usize) -> bool {
        let known = self.waiting.get(&record.key);
        let others = self.waiting.len() - usize::from(known.is_some());
        let replaced = known.and_then(|waiting| waiting.save.as_ref()).map_or(0, |save| save.bytes);
        let is_small = others == 0 || self.bytes - replaced + record.memory_bytes() <= max_bytes;
        others < max_sessions && is_small
    }

    pub(super) fn contains(&self, key: &RecordKey) -> bool {
        self.waiting.contains_key(key)
    }

    pub(super) fn put_save(&mut self, record: &Record, expected: Version, due: Instant) {
        let durable = match self.aside.remove(&record.key) {
            Some(save) if save.record.version >= record.version => {
                self.aside.insert(record.key, save);
                return;
            }
            Some(save) => save.durable,
            None => expected,
        };
        let waiting = self.enter(record.key, record.accessed, due);
        let (durable, replaced) = match &waiting.save {
            Some(save) if save.record.version >= record.version => return,
            Some(save) => (save.durable, save.bytes),
            None => (durable, 0),
        };
        let added = waiting.save.insert(Save::new(record, durable)).bytes;
        self.bytes = self.bytes + added - replaced;
    }

    pub(super) fn put_touch(&mut self, key: &RecordKey, accessed: Time, due: Instant) {
        self.enter(*key, accessed, due);
    }

    fn enter(&mut self, key: RecordKey, accessed: Time, due: Instant) -> &mut Waiting {
        let (line, next_place) = (&mut self.line, &mut self.next_place);
        let waiting = self.waiting.entry(key).or_insert_with(|| {
            let place = Some(line_up(line, next_place, due, key));
            Waiting { save: None, first_use: accessed, accessed, place }
        });
        waiting.first_use = waiting.first_use.min(accessed);
        waiting.accessed = waiting.accessed.max(accessed);
        waiting
    }

    /// Whether a later version of this session than that waits, or was set aside.
    pub(super) fn is_ahead_of(&self, key: &RecordKey, version: Version) -> bool {
        self.save_of(key).is_some_and(|save| save.record.version > version)
    }

    fn save_of(&self, key: &RecordKey) -> Option<&Save> {
        self.waiting.get(key).and_then(|waiting| waiting.save.as_ref()).or_else(|| self.aside.get(key))
    }

    /// A record of the durable tier as it will be once what waits is written, or as it would be with what was set aside.
    pub(super) fn over(&self, mut record: Record) -> Record {
        let accessed = record.accessed;
        if let Some(save) = self.save_of(&record.key)
            && save.record.version > record.version
        {
            record = save.record.clone();
            record.accessed = record.accessed.max(accessed);
        }
        if let Some(waiting) = self.waiting.get(&record.key) {
            record.accessed = waiting.last_use_of(&record);
        }
        record
    }

    /// The earliest time of use that waits.
    pub(super) fn earliest_use(&self) -> Option<Time> {
        self.waiting.values().map(|waiting| waiting.accessed).min()
    }

    /// The first use of this session that waits.
    pub(super) fn first_use(&self, key: &RecordKey) -> Option<Time> {
        self.waiting.get(key).map(|waiting| waiting.first_use)
    }

    /// What is to be written of this session now.
    pub(super) fn work(&self, key: &RecordKey) -> Option<Work> {
        let waiting = self.waiting.get(key)?;
        Some(match &waiting.save {
            Some(Save { record, durable, .. }) => {
                let accessed = waiting.last_use_of(record);
                Work::Save { record: Record { accessed, ..record.clone() }, durable: *durable }
            }
            None => Work::Touch { accessed: waiting.accessed },
        })
    }

    /// Removes what was written. Changes that came meanwhile stay.
    pub(super) fn written(&mut self, key: &RecordKey, work: &Work) {
        let Some(waiting) = self.waiting.get_mut(key) else { return };
        if let Work::Save { record, .. } = work {
            match &mut waiting.save {
                Some(save) if save.record.version > record.version => save.durable = record.version,
                written => self.bytes -= written.take().map_or(0, |save| save.bytes),
            }
        }
        let noted = work.accessed();
        // From here on the durable tier knows of this one.
        waiting.first_use = noted;
        if waiting.save.is_none() && waiting.accessed <= noted {
            self.leave_line(key);
        }
    }

    /// Sets aside what was to be written of this session, because the durable tier refuses it for good. A use of the
    /// session that came with a save still waits to be noted; one that is itself refused is forgotten. Whether the refusal
    /// is news.
    pub(super) fn set_aside(&mut self, key: &RecordKey, refused: &Work) -> bool {
        let Work::Save { record, .. } = refused else {
            self.written(key, refused);
            return true;
        };
        let Some(waiting) = self.waiting.get_mut(key) else { return false };
        let Some(save) = waiting.save.take_if(|save| save.record.version == record.version) else { return false };
        self.bytes -= save.bytes;
        let is_news = !save.was_aside;
        let bytes = self.aside.values().map(|save| save.bytes).sum::<usize>() + save.bytes;
        if self.aside.len() < MAX_ASIDE && bytes <= MAX_ASIDE_BYTES {
            self.aside.insert(*key, Save { was_aside: true, ..save });
        }
        is_news
    }

    /// How many saves are set aside.
    pub(super) fn aside(&self) -> usize {
        self.aside.len()
    }

    /// Forgets the saves set aside of sessions that have expired.
    pub(super) fn forget_expired(&mut self, now: Time) {
        self.aside.retain(|_, save| !save.record.is_expired(now));
    }

    /// Lets what is set aside be tried once more, and makes everything due.
    pub(super) fn hurry(&mut self, now: Instant) {
        for (key, save) in std::mem::take(&mut self.aside) {
            let accessed = save.record.accessed;
            let waiting = self.enter(key, accessed, now);
            if waiting.save.is_none() {
                let bytes = waiting.save.insert(save).bytes;
                self.bytes += bytes;
            }
        }
        for (due, _) in self.line.values_mut() {
            *due = now;
        }
    }

    /// Forgets what waits of this session.
    pub(super) fn cancel(&mut self, key: &RecordKey) {
        self.aside.remove(key);
        self.leave_line(key);
    }

    fn leave_line(&mut self, key: &RecordKey) {
        let Some(Waiting { save, place, .. }) = self.waiting.remove(key) else { return };
        self.bytes -= save.map_or(0, |save| save.bytes);
        if let Some(place) = place {
            self.line.remove(&place);
        }
        self.is_failing &= !self.waiting.is_empty();
    }

    /// Whether the durable tier could not be told of what waits.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// An attempt to write has ended. Whether the one before it failed.
    pub(super) fn attempted(&mut self, has_failed: bool) -> bool {
        // What failed may have been cancelled meanwhile. Then nothing is left to tell.
        let is_failing = has_failed && !self.waiting.is_empty();
        std::mem::replace(&mut self.is_failing, is_failing)
    }

    /// What a worker does next.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let Some(first) = self.line.first_entry() else { return self.leave() };
        let (due, key) = *first.get();
        if due > now {
            // One worker is enough to wait.
            return if self.workers > 1 { self.leave() } else { Next::Wait(due) };
        }
        first.remove();
        if let Some(waiting) = self.waiting.get_mut(&key) {
            waiting.place = None;
        }
        let more = self.line.first_key_value().is_some_and(|(_, (due, _))| *due <= now);
        Next::Write { key, more }
    }

    fn leave(&mut self) -> Next {
        self.workers -= 1;
        Next::Leave
    }

    /// A worker is done with this session. If something still waits, the session goes to the end of the line.
    pub(super) fn put_back(&mut self, key: &RecordKey, due: Instant) {
        if let Some(waiting) = self.waiting.get_mut(key)
            && waiting.place.is_none()
        {
            waiting.place = Some(line_up(&mut self.line, &mut self.next_place, due, *key));
        }
    }
}

fn line_up(line: &mut BTreeMap<u64, (Instant, RecordKey)>, next: &mut u64, due: Instant, key: RecordKey) -> u64 {
    let place = *next;
    *next += 1;
    line.insert(place, (due, key));
    place
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn next(record: &Record) -> Record {
        Record { version: record.version.next(0), ..record.clone() }
    }

    fn queue() -> Queue {
        Queue { workers: 1, ..Queue::default() }
    }

    #[test]
    fn saves_of_one_session_become_one_against_the_version_that_is_durable() {
        let (mut queue, now) = (queue(), Instant::now());
        let first = crate::record::sample();
        let second = next(&first);
        let third = next(&second);
        queue.put_save(&second, first.version, now);
        queue.put_save(&third, second.version, now);
        // One that was answered late does not replace a later one.
        queue.put_save(&second, first.version, now);
        assert_eq!(queue.len(), 1);
        let work = queue.work(&first.key).unwrap();
        assert_eq!(work, Work::Save { record: third, durable: first.version });
    }

    #[test]
    fn what_came_while_writing_is_written_next() {
        let (mut queue, now) = (queue(), Instant::now());
        let first = crate::record::sample();
        let second = next(&first);
        let third = next(&second);
        queue.put_save(&second, first.version, now);
        assert_eq!(queue.next(now), Next::Write { key: first.key, more: false });
        let work = queue.work(&first.key).unwrap();
        queue.put_save(&third, second.version, now);
        assert_eq!(queue.next(now), Next::Leave, "only one writes a session at a time");
        queue.workers = 1;
        queue.written(&first.key, &work);
        queue.put_back(&first.key, now);
        assert_eq!(queue.next(now), Next::Write { key: first.key, more: false });
        let work = queue.work(&first.key).unwrap();
        assert_eq!(work, Work::Save { record: third, durable: second.version });
        queue.written(&first.key, &work);
        queue.put_back(&first.key, now);
        assert_eq!((queue.len(), queue.next(now)), (0, Next::Leave));
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_bytes() {
        let (mut queue, now) = (queue(), Instant::now());
        let (first, second) = (crate::record::sample(), crate::record::sample());
        let bytes = first.memory_bytes();
        assert!(queue.has_room_for(&first, 1, 1), "one can wait in any case");
        queue.put_save(&next(&first), first.version, now);
        assert!(queue.has_room_for(&next(&next(&first)), 1, bytes), "in its own place");
        assert!(!queue.has_room_for(&second, 1, 10 * bytes));
        assert!(!queue.has_room_for(&second, 2, 2 * bytes - 1));
        assert!(queue.has_room_for(&second, 2, 2 * bytes));
        queue.put_save(&next(&next(&first)), first.version, now);
        assert_eq!(queue.bytes, bytes);
        let work = queue.work(&first.key).unwrap();
        queue.written(&first.key, &work);
        assert_eq!((queue.len(), queue.bytes), (0, 0));
        queue.put_save(&next(&first), first.version, now);
        queue.cancel(&first.key);
        assert_eq!((queue.len(), queue.bytes), (0, 0));
    }

    #[test]
    fn a_use_noted_later_than_the_save_remains_a_touch() {
        let (mut queue, now) = (queue(), Instant::now());
        let first = crate::record::sample();
        queue.put_save(&next(&first), first.version, now);
        let work = queue.work(&first.key).unwrap();
        let accessed = first.accessed.saturating_add(Duration::from_secs(1));
        queue.put_touch(&first.key, accessed, now);
        queue.written(&first.key, &work);
        assert_eq!(queue.work(&first.key), Some(Work::Touch { accessed }));
    }

    #[test]
    fn a_use_after_the_deadline_does_not_keep_a_save_from_being_written() {
        let (mut queue, now) = (queue(), Instant::now());
        let first = crate::record::sample();
        let second = next(&first);
        queue.put_save(&second, first.version, now);
        queue.put_touch(&first.key, second.expires_at(), now);
        assert_eq!(queue.work(&first.key), Some(Work::Save { record: second.clone(), durable: first.version }));
        assert_eq!(queue.over(first), second);
    }

    #[test]
    fn sessions_are_written_in_order_once_they_are_due() {
        let (mut queue, now) = (queue(), Instant::now());
        let (a, b) = (crate::record::sample(), crate::record::sample());
        let due = now + Duration::from_secs(1);
        queue.put_touch(&a.key, a.accessed, due);
        queue.put_touch(&b.key, b.accessed, due);
        assert_eq!(queue.next(now), Next::Wait(due));
        assert_eq!(queue.next(due), Next::Write { key: a.key, more: true });
        queue.put_back(&a.key, due);
        assert_eq!(queue.next(due), Next::Write { key: b.key, more: true });
        queue.cancel(&a.key);
        queue.cancel(&b.key);
        assert_eq!(queue.next(due), Next::Leave);
    }
}
