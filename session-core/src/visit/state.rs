//! What one visitor's request did to its session, as plain data.
//!
//! Nothing here waits or calls a store: [`State::next_step`] says what is to be done, the
//! manager does it, and tells the outcome.

mod advance;

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::error::{AttributeError, Error};
use crate::id::SessionId;
use crate::record::{Attribute, check_size, read};
use crate::record::{MAX_SESSION_BYTES, Record, RecordKey, Version};
use crate::time::Time;
use crate::visit::changes::Changes;
use crate::visit::started::Started;
use advance::{Before, advance};

/// A session that was looked up.
pub(crate) struct Found {
    pub(crate) id: SessionId,
    pub(crate) record: Record,
    /// When.
    pub(crate) at: Time,
}

/// A session that the store has, as far as we know.
pub(crate) struct Stored {
    pub(crate) id: SessionId,
    pub(crate) record: Record,
}

enum Intent {
    Keep,
    Renew(Box<SessionId>),
    Start,
    Remove,
    /// The store no longer has the session, or the visit is to leave nothing behind.
    Nothing,
}

/// Where the session is used, which decides what can still be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In a request whose response head has not left: all is done when the handler has returned.
    Request,
    /// The response head has left.
    Answered,
    /// Without a request: all is done by `save`.
    Direct,
}

/// One call of the store.
#[derive(Debug)]
pub(crate) enum Step {
    Nothing,
    Touch {
        key: RecordKey,
    },
    /// The client is to be told of what was saved before: does the store still have the session?
    Confirm {
        key: RecordKey,
    },
    Save {
        record: Record,
        expected: Version,
    },
    Create {
        id: SessionId,
        record: Record,
    },
    Renew {
        old: RecordKey,
        expected: Version,
        id: SessionId,
        record: Record,
    },
    Delete {
        key: RecordKey,
    },
}

/// What is left to do at the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    /// Changes are to be saved, and that is all.
    Save,
    /// Something that has to be waited for.
    More,
}

/// What the client must be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tell {
    #[default]
    Nothing,
    Issue,
    Forget,
}

pub(crate) struct State {
    pub(crate) phase: Phase,
    stored: Option<Stored>,
    started: Option<Box<Started>>,
    /// The session that a started one took the place of, and its generation.
    replaced: Option<Box<(Stored, u32)>>,
    intent: Intent,
    changes: Changes,
    /// Changes that are on their way to the store, or did not arrive, also because saving was
    /// cancelled: they go with the next attempt.
    saving: Changes,
    /// The number of the session that there is now, by which a handle of another is known.
    generation: u32,
    stored_generation: u32,
    last_generation: u32,
    tell: Tell,
    /// The session needed no touch when it was loaded.
    use_is_noted: bool,
    /// The session was stored after the handler had returned, so it is no dead id that a cookie
    /// would give.
    is_known_stored: bool,
    /// Somebody is waiting for the store.
    pub(crate) turn_is_taken: bool,
    /// Counts whatever may change the value of an attribute.
    edits: u64,
}

impl State {
    pub(crate) fn new(phase: Phase) -> Self {
        State {
            phase,
            stored: None,
            started: None,
            replaced: None,
            intent: Intent::Keep,
            changes: Changes::default(),
            saving: Changes::default(),
            generation: 0,
            stored_generation: 0,
            last_generation: 0,
            tell: Tell::Nothing,
            use_is_noted: true,
            is_known_stored: false,
            turn_is_taken: false,
            edits: 0,
        }
    }

    // What the handler sees.

    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether there is a session now.
    pub(crate) fn is_present(&self) -> bool {
        match self.intent {
            Intent::Keep | Intent::Renew(_) => self.stored.is_some(),
            Intent::Start => true,
            Intent::Remove | Intent::Nothing => false,
        }
    }

    /// The session as it was loaded or started, removed or not, without the changes since.
    pub(crate) fn record(&self) -> Option<&Record> {
        let started = self.started.as_ref().map(|started| &started.record);
        started.or_else(|| self.stored.as_ref().map(|stored| &stored.record))
    }

    /// The value of an attribute as the handler sees it: changed, on its way, or stored.
    pub(crate) fn value<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, AttributeError> {
        let changed = self.pending().into_iter().find_map(|changes| changes.get(name));
        let value = match changed {
            Some(effect) => effect.map(Attribute::value),
            None => self.record().and_then(|record| record.attributes.get(name)),
        };
        value.map(|value| read(name, value)).transpose()
    }

    /// Refuses an attribute that makes the session too large.
    pub(crate) fn check_growth(&self, new: &Attribute) -> Result<(), AttributeError> {
        let Some(record) = self.record() else { return Ok(()) };
        let collected: usize = self.pending().iter().map(|changes| changes.json_bytes()).sum();
        // What is already there counts in full, changed or not, unless that decides.
        let at_most = record.constants.json_bytes() + record.attributes.json_bytes() + collected + new.json_bytes();
        if at_most <= MAX_SESSION_BYTES {
            return Ok(());
        }
        let view = self.view().map(|record| record.attributes).unwrap_or_default();
        check_size(&record.constants, &view.with(new.clone()), new.name())
    }

    pub(crate) fn stored(&self) -> Option<&Stored> {
        self.stored.as_ref()
    }

    /// The id that the client will have after this request.
    fn id(&self) -> Option<&SessionId> {
        if let Intent::Renew(id) = &self.intent {
            return Some(id);
        }
        let started = self.started.as_ref().map(|started| &started.id);
        started.or_else(|| self.stored.as_ref().map(|stored| &stored.id))
    }

    /// What a handle tells: of its own session while that is known, else of the present one.
    pub(crate) fn told_to(&self, generation: u32) -> Option<(&SessionId, &Record)> {
        match &self.stored {
            Some(Stored { id, record }) if self.started.is_some() && generation == self.stored_generation => {
                Some((id, record))
            }
            _ => match self.replaced.as_deref() {
                Some((Stored { id, record }, replaced)) if generation == *replaced => Some((id, record)),
                _ => self.id().zip(self.record()),
            },
        }
    }

    pub(crate) fn is_new(&self) -> bool {
        matches!(self.intent, Intent::Start)
    }

    pub(crate) fn stored_key(&self) -> Option<RecordKey> {
        self.stored.as_ref().map(|stored| stored.record.key)
    }

    /// The changes that reads must look through, newest first.
    fn pending(&self) -> [&Changes; 2] {
        [&self.changes, &self.saving]
    }

    pub(crate) fn all_changes(&self) -> Changes {
        self.saving.clone().followed_by(self.changes.clone())
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty() || !self.saving.is_empty()
    }

    /// Whether anything is lost if nothing is saved any more.
    pub(crate) fn is_unsaved(&self) -> bool {
        let undone = matches!(self.intent, Intent::Renew(_) | Intent::Remove) && self.stored.is_some();
        self.has_changes() || undone
    }

    /// The record with all changes.
    pub(crate) fn view(&self) -> Option<Record> {
        let mut record = self.record()?.clone();
        self.saving.apply_to(&mut record);
        self.changes.apply_to(&mut record);
        Some(record)
    }

    // What the handler does.

    pub(crate) fn found(&mut self, Found { id, record, at }: Found) {
        self.use_is_noted = !record.is_touch_due(at);
        self.stored = Some(Stored { id, record });
    }

    /// Fails unless the handle of that generation may still be written through.
    pub(crate) fn check_writable(&self, generation: u32) -> Result<(), Error> {
        if generation == self.generation && self.is_present() { Ok(()) } else { Err(Error::Gone) }
    }

    /// Another number when an attribute may have another value.
    pub(crate) fn edits(&self) -> u64 {
        self.edits
    }

    pub(crate) fn change(&mut self, edit: impl FnOnce(&mut Changes)) {
        self.edits += 1;
        match &mut self.started {
            // Nobody else has it yet, so there is nothing to apply again.
            Some(started) if !started.sent => {
                let mut changes = Changes::default();
                edit(&mut changes);
                started.apply(changes);
            }
            _ => edit(&mut self.changes),
        }
    }

    /// Sets an attribute of a session that nobody but this visit has yet; gives it back for a stored one.
    pub(crate) fn set_unless_stored(&mut self, new: Attribute) -> Result<Option<Attribute>, AttributeError> {
        self.check_growth(&new)?;
        if self.is_new() {
            self.change(|changes| changes.set(new));
            return Ok(None);
        }
        Ok(Some(new))
    }

    pub(crate) fn start(&mut self, mut started: Started) {
        started.after_remove = match self.intent {
            Intent::Remove => true,
            Intent::Start => self.started.as_ref().is_some_and(|started| started.after_remove),
            _ => false,
        };
        if matches!(self.intent, Intent::Nothing) {
            self.stored = None;
        }
        self.started = Some(Box::new(started));
        self.intent = Intent::Start;
        self.drop_changes();
        self.next_generation();
    }

    fn next_generation(&mut self) {
        self.last_generation += 1;
        self.generation = self.last_generation;
    }

    pub(crate) fn renew(&mut self, id: SessionId) {
        // A session that was just started has a fresh id.
        if self.started.is_none() {
            self.intent = Intent::Renew(Box::new(id));
        }
    }

    pub(crate) fn remove(&mut self) {
        self.intent = Intent::Remove;
        self.drop_changes();
    }

    /// Those on their way too: if they don't arrive, they must not come back, least of all to the
    /// session that has taken this one's place.
    fn drop_changes(&mut self) {
        self.edits += 1;
        self.changes = Changes::default();
        self.saving = Changes::default();
    }

    /// Drops all that was collected. A session that was started is none.
    pub(crate) fn discard(&mut self) {
        self.drop_changes();
        match self.intent {
            Intent::Nothing => {}
            _ if self.stored.is_some() => {
                self.intent = Intent::Keep;
                self.started = None;
                self.generation = self.stored_generation;
            }
            // Handles go on telling what was started, as nothing else is left.
            _ if self.started.is_some() => {
                self.intent = Intent::Nothing;
                self.next_generation();
            }
            _ => self.intent = Intent::Keep,
        }
    }

    /// Leaves nothing behind, whatever comes after: the handler panicked.
    pub(crate) fn abandon(&mut self) {
        self.drop_changes();
        self.intent = Intent::Nothing;
    }

    // What the manager does.

    /// Whether there is plainly nothing to do at the store and nothing to tell the client, as
    /// after a request that only read.
    pub(crate) fn is_settled(&self) -> bool {
        let stays = matches!(self.intent, Intent::Keep | Intent::Nothing);
        stays && self.use_is_noted && !self.has_changes() && self.tell == Tell::Nothing
    }

    /// From here on nothing can be started or renewed, because the client could not be told.
    pub(crate) fn answer(&mut self) {
        if self.phase == Phase::Request {
            self.phase = Phase::Answered;
            self.is_known_stored = false;
        }
    }

    /// What is to be done next at the store. `only_changes` leaves starting, renewing and
    /// removing for later.
    pub(crate) fn next_step(&mut self, now: Time, mark: u32, only_changes: bool) -> Step {
        match (&self.intent, &self.stored) {
            (Intent::Nothing, _) => Step::Nothing,
            (Intent::Keep | Intent::Renew(_), None) => Step::Nothing,
            (Intent::Renew(id), Some(stored)) if !only_changes => {
                let (old, expected) = (stored.record.key, stored.record.version);
                let id = SessionId::clone(id);
                let record = Record { key: id.key(), ..self.take_changes(None, now, mark) };
                Step::Renew { old, expected, id, record }
            }
            (Intent::Keep | Intent::Renew(_), Some(stored)) => {
                let expected = stored.record.version;
                if self.has_changes() {
                    return Step::Save { record: self.take_changes(None, now, mark), expected };
                }
                let key = stored.record.key;
                match () {
                    () if only_changes => Step::Nothing,
                    () if self.tell == Tell::Issue && !self.is_known_stored => Step::Confirm { key },
                    () if stored.record.is_touch_due(now) => Step::Touch { key },
                    () => Step::Nothing,
                }
            }
            _ if only_changes => Step::Nothing,
            (Intent::Remove, Some(stored)) => Step::Delete { key: stored.record.key },
            (Intent::Remove, None) => Step::Nothing,
            (Intent::Start, stored) => {
                let started = self.started.as_mut().expect("a session was started");
                if let Some(stored) = stored
                    && started.after_remove
                {
                    return Step::Delete { key: stored.record.key };
                }
                started.apply(std::mem::take(&mut self.changes));
                started.record.version = Version::first(mark);
                started.sent = true;
                let (id, record) = (started.id.clone(), started.record.clone());
                match stored {
                    Some(Stored { record: old, .. }) => Step::Renew { old: old.key, expected: old.version, id, record },
                    None => Step::Create { id, record },
                }
            }
        }
    }

    /// What is left to do.
    pub(crate) fn left(&self, now: Time) -> Left {
        match (&self.intent, &self.stored) {
            (Intent::Nothing, _) | (Intent::Keep, None) => Left::Nothing,
            (Intent::Keep, Some(_)) if self.has_changes() => Left::Save,
            (Intent::Keep, Some(stored)) if self.tell == Tell::Nothing && !stored.record.is_touch_due(now) => {
                Left::Nothing
            }
            _ => Left::More,
        }
    }

    pub(crate) fn stored_version(&self) -> Option<Version> {
        self.stored.as_ref().map(|stored| stored.record.version)
    }

    /// The stored record with all changes, which are now on their way, and an update after them.
    pub(crate) fn take_changes(&mut self, update: Option<Attribute>, now: Time, mark: u32) -> Record {
        self.send_changes();
        let mut record = self.stored.as_ref().expect("changes are to a stored session").record.clone();
        advance(&mut record, &self.saving, update, now, mark);
        record
    }

    /// The same to the stored record itself, and what that was before, for a save that does not wait.
    /// Either [`advanced`](Self::advanced) or [`take_back`](Self::take_back) follows.
    pub(crate) fn advance(&mut self, update: Option<Attribute>, now: Time, mark: u32) -> (&Record, Before) {
        self.send_changes();
        let Stored { record, .. } = self.stored.as_mut().expect("changes are to a stored session");
        let before = advance(record, &self.saving, update, now, mark);
        (record, before)
    }

    fn send_changes(&mut self) {
        if !self.changes.is_empty() {
            let later = std::mem::take(&mut self.changes);
            self.saving = std::mem::take(&mut self.saving).followed_by(later);
        }
    }

    pub(crate) fn take_back(&mut self, before: Before) {
        if let Some(stored) = &mut self.stored {
            before.put_back(&mut stored.record);
        }
    }

    pub(crate) fn saved(&mut self, record: Record) {
        let before = self.stored.as_mut().map(|stored| std::mem::replace(&mut stored.record, record));
        self.arrived(before.and_then(|before| before.cookie_trigger()));
    }

    /// The stored record, as it was advanced, is what the store has.
    pub(crate) fn advanced(&mut self, before: Before) {
        self.arrived(before.cookie_trigger);
    }

    fn arrived(&mut self, trigger_before: Option<Duration>) {
        self.edits += 1;
        self.saving = Changes::default();
        self.is_known_stored = true;
        if self.stored.as_ref().and_then(|stored| stored.record.cookie_trigger()) != trigger_before {
            self.tell = Tell::Issue;
        }
    }

    pub(crate) fn confirmed(&mut self) {
        self.is_known_stored = true;
    }

    pub(crate) fn touched(&mut self, now: Time) {
        if let Some(stored) = &mut self.stored {
            stored.record.accessed = now;
        }
    }

    /// The store has another version than we knew. Fails if the changes make that one too large.
    pub(crate) fn reloaded(&mut self, record: Record) -> Result<(), AttributeError> {
        self.edits += 1;
        if let Some(started) = &mut self.started {
            started.keep_again(&record);
        }
        if let Some(stored) = &mut self.stored {
            stored.record = record;
        }
        let Some(merged) = self.view() else { return Ok(()) };
        let last = self.pending().iter().find_map(|changes| changes.iter().last());
        check_size(&merged.constants, &merged.attributes, last.map_or("", |(name, _)| name))
    }

    /// A started or renewed session is in the store; whether it was a started one.
    pub(crate) fn issued(&mut self, id: SessionId, record: Record) -> bool {
        self.saving = Changes::default();
        // A removal or another renewal that came meanwhile is still to be done.
        match &self.intent {
            Intent::Renew(wanted) if **wanted == id => self.intent = Intent::Keep,
            Intent::Start => self.intent = Intent::Keep,
            _ => {}
        }
        let before = self.stored.replace(Stored { id, record });
        let was_started = self.started.take().is_some();
        if was_started {
            self.replaced = before.map(|stored| Box::new((stored, self.stored_generation)));
        }
        self.is_known_stored = true;
        self.stored_generation = self.generation;
        self.tell = Tell::Issue;
        was_started
    }

    /// The session that was to be replaced is gone, and with it what was carried over from it.
    pub(crate) fn replaced_is_gone(&mut self) {
        self.stored = None;
        if let Some(started) = &mut self.started {
            started.keep_nothing();
        }
    }

    /// The id that was drawn is taken.
    pub(crate) fn draw_again(&mut self, id: SessionId) {
        if let Some(started) = &mut self.started {
            started.record.key = id.key();
            started.id = id;
        } else if let Intent::Renew(wanted) = &mut self.intent {
            **wanted = id;
        }
    }

    pub(crate) fn deleted(&mut self) {
        if matches!(self.intent, Intent::Start) {
            self.stored = None;
        } else {
            self.intent = Intent::Nothing;
            self.tell = Tell::Forget;
        }
    }

    /// The store no longer has the session.
    pub(crate) fn lost(&mut self) {
        self.abandon();
        self.tell = Tell::Nothing;
    }

    pub(crate) fn take_tell(&mut self) -> Tell {
        std::mem::take(&mut self.tell)
    }
}

#[cfg(test)]
mod tests;
