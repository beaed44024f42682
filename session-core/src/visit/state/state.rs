use std::time::Duration;
use std::{iter, mem};

use serde::de::DeserializeOwned;
use triomphe::Arc;

use crate::error::{AttributeError, Error, StoreError};
use crate::id::{Carried, PresentedIds, SessionId};
use crate::record::{
    Attribute, DeviceCheck, FormSecret, Record, RecordKey, Renewal, Size, Standing, exceeds_limit, is_by_bearer,
    note_by_bearer, read,
};
use crate::time::Time;

use super::super::changes::{Changes, TakenOffer};
use super::super::rules::Rules;
use super::super::started::{Kept, Started};
use super::notice::Notice;
use super::outgoing::{Aside, Outgoing, advance};
use super::renewing::{Gains, Renewing};

/// A session that the store has, as far as we know.
pub(in crate::visit) struct Stored {
    pub(in crate::visit) id: SessionId,
    pub(in crate::visit) record: Record,
    /// Another request has renewed the session, so this id no longer leads to it, and the client has another one.
    pub(in crate::visit) has_other_id: bool,
}

pub(super) enum Intent {
    Keep,
    Renew(Box<Renewing>),
    Start,
    Remove,
    /// The store no longer has the session, or the visit is to leave nothing behind.
    Nothing,
}

/// What gives a client a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::visit) enum NewId {
    Started,
    Renewed,
}

/// Where the session is used. This decides what can still be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In a request, before its response head was sent. Everything is stored when the handler has returned.
    Request,
    /// In a request, after its response head was sent.
    Answered,
    /// Without a request. Everything is stored by `save`.
    Direct,
}

/// What the client must be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::visit) enum Tell {
    #[default]
    Nothing,
    Issue,
    Forget,
}

/// Sessions beside the visit's own.
#[derive(Default)]
pub(super) struct Others {
    /// What else the request presented. It ends with the session, or when another one starts.
    pub(super) also_presented: Vec<RecordKey>,
    /// Sessions that were presented and are not for this application, or not for this release.
    pub(super) left_alone: Vec<RecordKey>,
    /// Sessions that were presented and are bound to a device, without a proof of it.
    pub(super) unproven: Vec<RecordKey>,
    /// A presented id was that of a session that a login has replaced.
    pub(super) is_replaced: bool,
    /// Keys under which this visit's login may have been stored, or will be, and that nobody knows.
    pub(super) in_doubt: Vec<RecordKey>,
    /// The session that a started one has replaced, and its generation.
    replaced: Option<(Stored, u32)>,
}

pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(super) rules: Arc<Rules>,
    /// How the request's ids came.
    pub(crate) carried: Carried,
    /// What the request shows of its device.
    pub(super) device: Option<Box<dyn DeviceCheck>>,
    /// The session may be bound to the device that gets the response: it was started, or its user authenticated.
    pub(super) offers_binding: bool,
    /// What the presented id is to the session.
    pub(super) standing: Standing,
    pub(super) stored: Option<Stored>,
    pub(super) started: Option<Box<Started>>,
    /// On the heap, as few visits have any.
    others: Option<Box<Others>>,
    pub(super) intent: Intent,
    pub(super) changes: Changes,
    /// The number of the session that there is now, by which a handle of another is known.
    generation: u32,
    stored_generation: u32,
    last_generation: u32,
    pub(super) tell: Tell,
    /// Loading the session is no use of it, and the commit stores nothing.
    pub(super) only_looks: bool,
    /// Neither loading the session nor saving it is a use of it.
    is_no_use: bool,
    /// The session needed no touch when it was loaded, or that is noted by now, or being noted.
    pub(super) use_is_noted: bool,
    /// When the last touch of this visit was.
    touched: Time,
    /// The store no longer has the session, and not because this visit has removed it.
    is_lost: bool,
    /// Changes were dropped because the session has ended meanwhile.
    lost_changes: bool,
    /// What brought the client's new id, once that is stored.
    new_id: Option<NewId>,
    /// The session was stored after the handler had returned, so it is no dead id that a cookie
    /// would give.
    pub(super) is_known_stored: bool,
    /// A caller of this visit waits for the store, so others must not call it without waiting.
    pub(crate) turn_is_taken: bool,
    /// Counts everything that may change the value of an attribute.
    edits: u64,
    /// The size of the session with all changes, when `edits` was this.
    sized: Option<(u64, Size)>,
    pub(super) outgoing: Outgoing,
    pub(super) notices: Vec<Notice>,
}

impl State {
    pub(crate) fn new(phase: Phase, rules: Arc<Rules>) -> Self {
        State {
            phase,
            rules,
            carried: Carried::default(),
            device: None,
            offers_binding: false,
            standing: Standing::Current,
            stored: None,
            started: None,
            others: None,
            intent: Intent::Keep,
            changes: Changes::default(),
            generation: 0,
            stored_generation: 0,
            last_generation: 0,
            tell: Tell::Nothing,
            only_looks: false,
            is_no_use: false,
            use_is_noted: true,
            touched: Time::from_unix_millis(i64::MIN),
            is_lost: false,
            lost_changes: false,
            new_id: None,
            is_known_stored: false,
            turn_is_taken: false,
            edits: 0,
            sized: None,
            outgoing: Outgoing::Nothing,
            notices: Vec::new(),
        }
    }

    pub(super) fn others(&self) -> Option<&Others> {
        self.others.as_deref()
    }

    pub(super) fn others_mut(&mut self) -> &mut Others {
        self.others.get_or_insert_default()
    }

    pub(super) fn also_presented(&self) -> &[RecordKey] {
        self.others().map_or(&[], |others| &others.also_presented)
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

    /// Whether saving is no mistake. In a request, a removal waits until the handler has returned; elsewhere, whoever
    /// removes a session may find that another save has carried that out.
    pub(in crate::visit) fn can_be_saved(&self) -> bool {
        self.is_present() || self.phase != Phase::Request && !self.is_lost
    }

    /// The generation of the session that there is now.
    pub(crate) fn present(&self) -> Option<u32> {
        self.is_present().then_some(self.generation)
    }

    /// Whether a session with a principal was found or started, removed or not.
    pub(in crate::visit) fn is_signed_in(&self) -> bool {
        let has_principal = |record: &Record| record.principal.is_some();
        self.stored.as_ref().is_some_and(|stored| has_principal(&stored.record))
            || self.started.as_ref().is_some_and(|started| has_principal(&started.record))
    }

    /// The session as it was loaded or started, removed or not, without the changes since.
    pub(crate) fn record(&self) -> Option<&Record> {
        let started = self.started.as_ref().map(|started| &started.record);
        started.or_else(|| self.stored.as_ref().map(|stored| &stored.record))
    }

    /// The value of an attribute as the handler sees it: changed, on its way, or stored.
    pub(crate) fn value<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, AttributeError> {
        let changed = self.pending().find_map(|changes| changes.get(name));
        let value = match changed {
            Some(effect) => effect.map(Attribute::value),
            None => self.record().and_then(|record| record.attributes.get(name)),
        };
        value.map(|value| read(name, value)).transpose()
    }

    /// Refuses an attribute that makes the session too large.
    pub(crate) fn check_growth(&self, new: &Attribute) -> Result<(), AttributeError> {
        self.size_with(new)?;
        Ok(())
    }

    /// The size of the session with this attribute, unless that is too large.
    #[inline]
    fn size_with(&self, new: &Attribute) -> Result<Option<Size>, AttributeError> {
        let Some(record) = self.record() else { return Ok(None) };
        let size = match self.known_size() {
            Some(size) => size,
            None if self.changes.names_none() && self.saving().is_none() => Size::at_most(record),
            None => self.added_up(record, Size::at_most(record)),
        };
        match size.replacing(|| self.bytes_of(new.name()), new.json_bytes()) {
            size if !size.may_exceed() => Ok(Some(size)),
            Size::AtMost(_) => self.exact_size_with(record, new).map(Some),
            Size::Exactly(_) => Err(Size::error(new.name())),
        }
    }

    #[cold]
    fn exact_size_with(&self, record: &Record, new: &Attribute) -> Result<Size, AttributeError> {
        let size = self.added_up(record, Size::exactly(record));
        let size = size.replacing(|| self.bytes_of(new.name()), new.json_bytes());
        if size.may_exceed() { Err(Size::error(new.name())) } else { Ok(size) }
    }

    /// The size of the session with all changes, unless something else than an attribute was changed since.
    #[inline]
    pub(super) fn known_size(&self) -> Option<Size> {
        self.sized.filter(|(edits, _)| *edits == self.edits).map(|(_, size)| size)
    }

    /// The size of a record and of all changes to it.
    #[cold]
    fn added_up(&self, record: &Record, mut size: Size) -> Size {
        let mut older: Option<&Changes> = None;
        for changes in self.saving().into_iter().chain([&self.changes]) {
            changes.for_each(|name, new| {
                let old = || older.and_then(|older| older.get(name)).unwrap_or_else(|| record.attributes.entry(name));
                size = size.replacing(|| bytes(old()), bytes(new));
            });
            older = Some(changes);
        }
        size
    }

    /// The bytes of an attribute as the handler sees it. 0 if there is none.
    fn bytes_of(&self, name: &str) -> usize {
        let changed = self.pending().find_map(|changes| changes.get(name));
        bytes(changed.unwrap_or_else(|| self.record().and_then(|record| record.attributes.entry(name))))
    }

    pub(crate) fn stored_record(&self) -> Option<&Record> {
        self.stored.as_ref().map(|stored| &stored.record)
    }

    pub(in crate::visit) fn stored(&self) -> Option<&Stored> {
        self.stored.as_ref()
    }

    /// The id that the client will have after this request.
    fn id(&self) -> Option<&SessionId> {
        if let Intent::Renew(renewing) = &self.intent {
            return Some(&renewing.id);
        }
        let started = self.started.as_ref().map(|started| &started.id);
        started.or_else(|| self.stored.as_ref().map(|stored| &stored.id))
    }

    /// What a handle tells: its own session as long as that is known, otherwise the present one.
    pub(crate) fn told_to(&self, generation: u32) -> Option<(&SessionId, &Record)> {
        match &self.stored {
            Some(Stored { id, record, .. }) if self.started.is_some() && generation == self.stored_generation => {
                Some((id, record))
            }
            _ => match self.others().and_then(|others| others.replaced.as_ref()) {
                Some((Stored { id, record, .. }, replaced)) if generation == *replaced => Some((id, record)),
                _ => self.id().zip(self.record()),
            },
        }
    }

    pub(crate) fn is_new(&self) -> bool {
        matches!(self.intent, Intent::Start)
    }

    pub(crate) fn stored_key(&self) -> Option<&RecordKey> {
        self.stored.as_ref().map(|stored| &stored.record.key)
    }

    /// Changes that are on their way to the store, while the lock of the state is free.
    fn saving(&self) -> Option<&Changes> {
        match &self.outgoing {
            Outgoing::Aside(aside) => Some(&aside.changes),
            Outgoing::Nothing | Outgoing::InPlace(_) | Outgoing::Started => None,
        }
    }

    /// The changes that reads must look through, newest first.
    fn pending(&self) -> impl Iterator<Item = &Changes> {
        iter::once(&self.changes).chain(self.saving())
    }

    /// The session for a new one that copies its attributes.
    pub(crate) fn kept(&self, key: RecordKey) -> Kept {
        Kept { key, in_flight: self.saving().cloned().unwrap_or_default(), changes: self.changes.clone() }
    }

    /// Whether the application has changed anything that is not saved.
    pub(super) fn has_edits(&self) -> bool {
        self.pending().any(Changes::has_edits)
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.pending().any(|changes| !changes.is_empty())
    }

    /// Whether anything would be lost if nothing were saved any more.
    pub(crate) fn is_unsaved(&self) -> bool {
        let undone = match self.intent {
            Intent::Renew(_) => self.stored.is_some(),
            Intent::Remove => self.stored.is_some() || !self.also_presented().is_empty(),
            _ => false,
        };
        self.has_changes() || undone
    }

    /// The record with all changes.
    pub(crate) fn view(&self) -> Option<Record> {
        let mut record = self.record()?.clone();
        if let Some(saving) = self.saving() {
            saving.apply_to(&mut record);
        }
        self.changes.apply_to(&mut record);
        if let Intent::Renew(renewing) = &self.intent {
            renewing.gains.apply_to(&mut record);
        }
        Some(record)
    }

    /// The secret of the session's forms, as it will be after this request.
    pub(crate) fn form_secret(&self, generation: u32) -> Option<FormSecret> {
        let (id, record) = self.told_to(generation)?;
        match (&self.intent, &self.stored) {
            (Intent::Renew(renewing), Some(stored)) if stored.record.key == record.key => {
                let is_kept = record.principal.is_some() && renewing.gains.authenticated.is_none();
                Some(if is_kept { FormSecret::of(&stored.id, record) } else { FormSecret::of_id(&renewing.id) })
            }
            _ => Some(FormSecret::of(id, record)),
        }
    }

    // What the handler does.

    #[inline(always)]
    pub(super) fn found(&mut self, id: &SessionId, found: &mut Option<Record>, now: Time) {
        let Some(record) = found else { return };
        self.use_is_noted = self.only_looks || self.is_no_use || !record.is_touch_due(now);
        // A client is told its id again only where its use is noted too, so that this is rare.
        if !self.use_is_noted && record.is_id_to_be_told_again(now) {
            self.tell = Tell::Issue;
        }
        self.stored = found.take().map(|record| Stored { id: id.clone(), record, has_other_id: false });
    }

    /// The session was found by an id that may not be its newest one, or was only offered.
    #[inline(always)]
    pub(super) fn found_by(
        &mut self,
        id: &SessionId,
        presented: RecordKey,
        standing: Standing,
        found: &mut Option<Record>,
        now: Time,
    ) {
        let has_other_id = found.as_ref().is_some_and(|record| record.key != presented);
        self.found(id, found, now);
        if let Some(stored) = &mut self.stored {
            stored.has_other_id = has_other_id;
        }
        if has_other_id {
            // The client has been told the newest id.
            self.tell = Tell::Nothing;
        }
        self.standing = standing;
        if standing == Standing::Offered {
            let grace = self.rules.renewals.grace_of_offers();
            self.changes.taken_offer = Some(Box::new(TakenOffer { presented, at: now, grace }));
        }
    }

    /// The session was made of one of another library. The client holds the id of that, and is told the new one.
    pub(in crate::visit) fn taken_over(&mut self, id: &SessionId, record: Record, now: Time) {
        self.found(id, &mut Some(record), now);
        self.standing = Standing::Current;
        self.tell = Tell::Issue;
    }

    /// Whether the commit ends the session, or those that the request presents.
    pub(in crate::visit) fn is_ending(&self) -> bool {
        matches!(self.intent, Intent::Remove) && !self.only_looks
    }

    /// The client holds the id of the session that was just found in an outdated form.
    pub(super) fn tell_again(&mut self) {
        if self.stored.as_ref().is_some_and(|stored| !stored.has_other_id) {
            self.tell = Tell::Issue;
        }
    }

    /// Whether the use of the session that was just loaded is to be noted beside the handler. The caller does it, so that
    /// it is due only once. Without a request, the commit does it.
    #[inline(always)]
    pub(in crate::visit) fn take_due_use(&mut self) -> bool {
        let is_due = !self.use_is_noted && self.phase == Phase::Request;
        self.use_is_noted |= is_due;
        is_due
    }

    /// Nobody notes the use now, so the commit does it.
    pub(in crate::visit) fn put_back_due_use(&mut self) {
        self.use_is_noted = false;
    }

    /// How long the request may go on before its use must be noted once more, or its session expires under it. `None`
    /// if that would not help, or there is no session.
    pub(in crate::visit) fn next_use(&self, now: Time) -> Option<Duration> {
        let is_used = self.is_present() && !self.only_looks && !self.is_no_use;
        let record = &self.stored.as_ref().filter(|_| is_used)?.record;
        let deadline = record.accessed.max(self.touched).saturating_add(record.idle_timeout);
        let is_absolute = record.absolute_deadline.is_some_and(|absolute| absolute <= deadline);
        (!is_absolute).then(|| deadline.saturating_sub(record.touch_interval()).since(now))
    }

    /// A touch has been answered.
    pub(in crate::visit) fn use_noted(&mut self, at: Time, noted: Result<(), StoreError>) {
        let Some(key) = self.stored_key().copied() else { return };
        match noted {
            Ok(()) => self.touched = self.touched.max(at),
            Err(error) => self.notices.extend([Notice::StoreFailed, Notice::TouchFailed { key, error }]),
        }
    }

    pub(super) fn is_touch_due(&self, now: Time) -> bool {
        !self.is_no_use
            && self.stored.as_ref().is_some_and(|stored| stored.record.is_touch_due_since(self.touched, now))
    }

    /// Nobody was told by an error.
    pub(in crate::visit) fn report_lost_changes(&mut self) {
        if let (true, Some(key)) = (self.lost_changes, self.stored_key().copied()) {
            self.notices.push(Notice::LostChanges { key });
        }
    }

    /// What brought the client's new id, once that is stored.
    pub(in crate::visit) fn new_id(&self) -> Option<NewId> {
        self.new_id
    }

    /// Whether changes were dropped because the session has ended meanwhile.
    pub(in crate::visit) fn has_lost_changes(&self) -> bool {
        self.lost_changes
    }

    /// Fails unless the handle of that generation may still be written through.
    pub(crate) fn check_writable(&self, generation: u32) -> Result<(), Error> {
        if generation == self.generation && self.is_present() { Ok(()) } else { Err(Error::Gone) }
    }

    /// Another number when an attribute may have another value.
    pub(in crate::visit) fn edits(&self) -> u64 {
        self.edits
    }

    pub(crate) fn change(&mut self, edit: impl FnOnce(&mut Changes)) {
        self.edits += 1;
        edit(&mut self.changes);
    }

    /// Sets an attribute, unless that makes the session too large.
    pub(crate) fn set(&mut self, new: Attribute) -> Result<(), AttributeError> {
        let size = self.size_with(&new)?;
        self.change(|changes| changes.set(new));
        self.sized = size.map(|size| (self.edits, size));
        Ok(())
    }

    pub(crate) fn unset(&mut self, name: &str) {
        let size = self.known_size().map(|size| size.replacing(|| self.bytes_of(name), 0));
        self.change(|changes| changes.remove(name));
        self.sized = size.map(|size| (self.edits, size));
    }

    pub(crate) fn start(&mut self, mut started: Started) {
        if self.carried.by_bearer && self.carried.apart {
            note_by_bearer(&mut started.record);
        }
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

    /// Starts a session that is stored only if something is set in it, unless there is one.
    pub(crate) fn start_if_absent(&mut self, mut started: Started) {
        started.only_if_used = true;
        if !self.is_present() {
            self.leave_others_alone();
            self.start(started);
        }
    }

    /// Whether a session was started only in case that it is used, and it was not.
    fn is_unused(&self) -> bool {
        let is_spare = |started: &Started| started.only_if_used && !started.id_is_known;
        self.is_new() && !self.has_changes() && self.started.as_deref().is_some_and(is_spare)
    }

    /// Leaves no trace of a session that was started and not used. A removal before it is still to be done.
    pub(in crate::visit) fn drop_unused(&mut self) {
        if self.is_unused() {
            // Handles still tell the started session.
            let removes = self.started.as_ref().is_some_and(|started| started.after_remove);
            self.intent = if removes { Intent::Remove } else { Intent::Nothing };
            self.is_lost = !removes;
        }
    }

    fn next_generation(&mut self) {
        self.last_generation += 1;
        self.generation = self.last_generation;
    }

    pub(crate) fn renew(&mut self, id: SessionId) {
        // A session that was just started has a fresh id. One that another request has renewed has one, too, which this
        // client must not learn: it may hold an old id that the renewal was to make worthless.
        let has_fresh_id = self.started.is_some() || self.stored.as_ref().is_some_and(|stored| stored.has_other_id);
        if !has_fresh_id {
            self.renew_with(id, Gains::default());
        }
    }

    /// Gives the session a new id, and together with it what the old one is not to have.
    pub(crate) fn renew_with(&mut self, id: SessionId, gains: Gains) {
        self.edits += 1;
        if let Some(started) = &mut self.started {
            return gains.apply_to(&mut started.record);
        }
        let gains = match mem::replace(&mut self.intent, Intent::Keep) {
            Intent::Renew(before) => before.gains.followed_by(gains),
            _ => gains,
        };
        self.intent = Intent::Renew(Box::new(Renewing { id, gains, is_offer: false }));
    }

    /// Whether the client is to be offered a new id. Only one of several requests at the same moment gets to it: the
    /// others find that the session has moved.
    pub(in crate::visit) fn is_offer_due(&self, now: Time) -> bool {
        let (Some(every), Some(Stored { record, .. })) = (self.rules.renewals.every, &self.stored) else {
            return false;
        };
        self.phase == Phase::Request
            && !self.only_looks
            // A renewal is a use.
            && !self.is_no_use
            && matches!(self.intent, Intent::Keep)
            && record.principal.is_some()
            && self.standing != Standing::Grace
            && Renewal::next_offer(record, every) <= now
    }

    pub(in crate::visit) fn offer(&mut self, id: SessionId) {
        self.intent = Intent::Renew(Box::new(Renewing { id, gains: Gains::default(), is_offer: true }));
    }

    /// Whether the new id that is on its way is only offered.
    pub(super) fn offers(&self) -> bool {
        matches!(&self.intent, Intent::Renew(renewing) if renewing.is_offer)
    }

    /// Whether the client came with an id that was replaced, and only goes on for a while.
    pub(crate) fn is_by_grace(&self) -> bool {
        self.standing == Standing::Grace && self.started.is_none()
    }

    pub(crate) fn remove(&mut self) {
        self.intent = Intent::Remove;
        self.drop_changes();
    }

    /// Ends every session that the request presents, looked up or not.
    pub(crate) fn end_presented(&mut self, presented: &PresentedIds) {
        self.carried = presented.carried();
        self.present_also(presented);
        self.remove();
    }

    /// Notes the presented ids that are not the session's own. Its record may be under another key than the id that led to
    /// it. Ending that id would end the session before a login has copied what it keeps.
    pub(super) fn present_also(&mut self, presented: &PresentedIds) {
        let own = self.stored.as_ref().map(|stored| [stored.id.key(), stored.record.key]);
        let is_own = |key: &RecordKey| own.is_some_and(|own| own.contains(key));
        let is_left_alone = |key: &RecordKey| self.others().is_some_and(|others| others.left_alone.contains(key));
        let keys = presented.iter().map(SessionId::key);
        let also_presented: Vec<_> = keys.filter(|key| !is_own(key) && !is_left_alone(key)).collect();
        if !also_presented.is_empty() || self.others.is_some() {
            self.others_mut().also_presented = also_presented;
        }
    }

    /// Those on their way too: if they don't arrive, they must not come back, least of all to the
    /// session that has taken this one's place.
    fn drop_changes(&mut self) {
        self.edits += 1;
        self.changes = Changes::default();
        if let Outgoing::Aside(aside) = &mut self.outgoing {
            aside.changes = Changes::default();
        }
    }

    /// Drops all that was collected. A session that was started is none.
    pub(crate) fn discard(&mut self) {
        // The client holds the new id or the key, whatever the handler wants. Whoever only looks changes nothing.
        let shown = if self.only_looks { Changes::default() } else { self.changes.without_edits() };
        self.drop_changes();
        match self.intent {
            Intent::Nothing => {}
            _ if self.stored.is_some() => {
                self.intent = Intent::Keep;
                self.started = None;
                self.generation = self.stored_generation;
                self.changes = shown;
            }
            // Handles still tell the started session, because there is no other.
            _ if self.started.is_some() => {
                self.intent = Intent::Nothing;
                self.next_generation();
            }
            _ => self.intent = Intent::Keep,
        }
    }

    /// Drops changes of attributes and settings, and nothing else.
    pub(in crate::visit) fn discard_changes(&mut self) {
        // The client holds the new id or the key, whatever the handler wants.
        let shown = self.changes.without_edits();
        self.drop_changes();
        self.changes = shown;
    }

    /// Makes this the state of a session that another visit has, without what that one has collected.
    pub(in crate::visit) fn copy_stored(&mut self, other: &State) -> Result<(), Error> {
        let (Some(Stored { id, record, has_other_id }), false) = (&other.stored, other.is_new()) else {
            return Err(Error::NotStored);
        };
        self.stored = Some(Stored { id: id.clone(), record: record.clone(), has_other_id: *has_other_id });
        self.standing = other.standing;
        self.touched = other.touched;
        Ok(())
    }

    /// From now on loading is no use, and what the handler collects is dropped at the end of the request.
    pub(in crate::visit) fn look_only(&mut self) {
        self.only_looks = true;
    }

    /// From now on neither loading the session nor saving it is a use of it.
    pub(in crate::visit) fn without_use(&mut self) {
        self.is_no_use = true;
    }

    pub(in crate::visit) fn is_without_use(&self) -> bool {
        self.is_no_use
    }

    /// Whether the session may have expired while a request went on that is no use of it.
    pub(super) fn is_doubtful(&self, now: Time) -> bool {
        self.is_no_use && self.stored.as_ref().is_some_and(|stored| stored.record.is_expired(now))
    }

    /// Whether a session is opened in the way in which it was started. A program without requests names its ids itself.
    #[inline(always)]
    pub(super) fn came_in_its_way(&self, record: &Record) -> bool {
        let Carried { by_bearer, apart, .. } = self.carried;
        match is_by_bearer(record) {
            true => by_bearer || self.phase == Phase::Direct,
            false => !(by_bearer && apart),
        }
    }

    /// Whether the handler collected something that is to be dropped.
    pub(in crate::visit) fn looked_and_changed(&self) -> bool {
        let stays = matches!(self.intent, Intent::Keep | Intent::Nothing);
        self.only_looks && self.phase == Phase::Request && (!stays || self.has_changes())
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

    /// From now on nothing can be started or renewed, because the client would not learn the id.
    pub(crate) fn end_request(&mut self) {
        if self.phase == Phase::Request {
            self.phase = Phase::Answered;
            self.is_known_stored = false;
        }
    }

    /// The record that is to be written.
    pub(in crate::visit) fn outgoing(&self) -> &Record {
        let record = match &self.outgoing {
            Outgoing::InPlace(_) => self.stored.as_ref().map(|stored| &stored.record),
            Outgoing::Aside(aside) => Some(&aside.record),
            Outgoing::Started => self.started.as_ref().map(|started| &started.record),
            Outgoing::Nothing => None,
        };
        record.expect("a record is written only after it was made")
    }

    /// Moves the record that is to be written out of the stored one, for a driver that lets go of the state's
    /// lock meanwhile.
    pub(in crate::visit) fn set_aside(&mut self) {
        match (&self.outgoing, &self.started) {
            (Outgoing::InPlace(_), _) => self.move_aside(None),
            (Outgoing::Started, Some(started)) => {
                let (new_id, record) = (Some(started.id.clone()), started.record.clone());
                let aside = Aside { record, new_id, is_start: true, changes: Changes::default() };
                self.outgoing = Outgoing::Aside(Box::new(aside));
            }
            _ => {}
        }
    }

    /// Moves the record that was just advanced to the id that the session is to have.
    pub(super) fn advance_to_new_id(&mut self, old: RecordKey, now: Time) {
        let (Intent::Renew(renewing), Some(stored)) = (&self.intent, &self.stored) else { return };
        let (id, kept) = (renewing.id.clone(), FormSecret::of(&stored.id, &stored.record));
        self.move_aside(Some(id));
        if let (Outgoing::Aside(aside), Intent::Renew(renewing)) = (&mut self.outgoing, &self.intent) {
            renewing.complete(&mut aside.record, old, kept, &self.rules.renewals, now);
        }
    }

    fn move_aside(&mut self, new_id: Option<SessionId>) {
        let mut record = self.outgoing().clone();
        self.take_back();
        record.key = new_id.as_ref().map_or(record.key, SessionId::key);
        let changes = mem::take(&mut self.changes);
        self.outgoing = Outgoing::Aside(Box::new(Aside { record, new_id, is_start: false, changes }));
    }

    /// Makes all changes, and an update after them, to the stored record.
    pub(super) fn advance(&mut self, update: Option<Attribute>, now: Time, mark: u32) {
        let Stored { record, .. } = self.stored.as_mut().expect("changes are to a stored session");
        // Only a renewal is a use in any case: it may have to outlast the deadline that other requests have moved.
        let is_use = !self.is_no_use || matches!(self.intent, Intent::Renew(_));
        // The clock may have been set back since this visit has noted its use.
        let used = if is_use { now.max(self.touched) } else { record.accessed };
        self.outgoing = Outgoing::InPlace(advance(record, &self.changes, update, &self.rules, used, mark));
    }

    /// Leaves the stored record as it was before the write that did not succeed, and all changes to be saved.
    #[inline]
    pub(in crate::visit) fn take_back(&mut self) {
        if !matches!(self.outgoing, Outgoing::Nothing) {
            self.take_back_outgoing();
        }
    }

    fn take_back_outgoing(&mut self) {
        match (mem::replace(&mut self.outgoing, Outgoing::Nothing), &mut self.stored) {
            (Outgoing::InPlace(before), Some(stored)) => before.put_back(&mut stored.record),
            (Outgoing::Aside(aside), _) => self.changes = aside.changes.followed_by(mem::take(&mut self.changes)),
            _ => {}
        }
    }

    /// What was sent is what the store has.
    #[inline(always)]
    pub(super) fn saved(&mut self) {
        let Some(Stored { record, has_other_id, .. }) = &mut self.stored else { return };
        let trigger_before = match mem::replace(&mut self.outgoing, Outgoing::Nothing) {
            Outgoing::InPlace(before) => {
                self.changes.clear();
                before.cookie_trigger()
            }
            Outgoing::Aside(aside) => mem::replace(record, aside.record).cookie_trigger(),
            Outgoing::Nothing | Outgoing::Started => return,
        };
        if record.cookie_trigger() != trigger_before && !*has_other_id {
            self.tell = Tell::Issue;
        }
        if let Some(started) = &mut self.started {
            started.kept_was_saved(record);
        }
        self.edits += 1;
        self.is_known_stored = true;
    }

    /// The store has another version than we knew. Fails if the changes make that one too large.
    pub(super) fn reloaded(&mut self, record: Record) -> Result<(), AttributeError> {
        self.edits += 1;
        self.changes.drop_made(&record);
        if let Some(started) = &mut self.started {
            started.keep_again(&record);
        }
        if let Some(stored) = &mut self.stored {
            stored.record = record;
        }
        let Some(merged) = self.view() else { return Ok(()) };
        let last = self.pending().find_map(Changes::last_name);
        if exceeds_limit(&merged) { Err(Size::error(last.unwrap_or_default())) } else { Ok(()) }
    }

    /// Another request has renewed the session. Its changes are applied to it, and its client gets no cookie: it has
    /// one from the other request, or gets it.
    pub(super) fn moved(&mut self, record: Record) -> Result<(), AttributeError> {
        if let Some(Stored { record: Record { key, .. }, has_other_id, .. }) = &mut self.stored {
            *has_other_id = true;
            if let Some(started) = &mut self.started {
                started.kept_has_moved(key, record.key);
            }
        }
        // What goes with a new id still needs one of this request's own.
        if matches!(&self.intent, Intent::Renew(renewing) if renewing.gains.are_none()) {
            self.intent = Intent::Keep;
        }
        self.tell = Tell::Nothing;
        self.reloaded(record)
    }

    /// What was sent, a started or renewed session, is in the store. Whether it was a started one.
    ///
    /// What an application asked for meanwhile is still to be done, but what was sent can't be discarded any more.
    pub(super) fn issued(&mut self) -> bool {
        let (id, record, was_started) = match (mem::replace(&mut self.outgoing, Outgoing::Nothing), &self.started) {
            (Outgoing::Aside(aside), _) => {
                let Aside { record, new_id: Some(id), is_start, .. } = *aside else { return false };
                (id, record, is_start)
            }
            (_, Some(started)) => (started.id.clone(), started.record.clone(), true),
            _ => return false,
        };
        let is_wanted = match &self.intent {
            Intent::Renew(wanted) => wanted.id == id,
            Intent::Start => was_started && self.started.as_ref().is_some_and(|started| started.id == id),
            Intent::Nothing => was_started,
            Intent::Keep | Intent::Remove => false,
        };
        if is_wanted {
            self.intent = Intent::Keep;
        }
        let before = self.stored.replace(Stored { id, record, has_other_id: false });
        if was_started {
            if !matches!(self.intent, Intent::Start) {
                self.started = None;
            }
            let replaced = before.map(|stored| (stored, self.stored_generation));
            if replaced.is_some() || self.others.is_some() {
                self.others_mut().replaced = replaced;
            }
        }
        self.is_known_stored = true;
        self.stored_generation = self.generation;
        self.tell = Tell::Issue;
        self.new_id = Some(if was_started { NewId::Started } else { NewId::Renewed });
        was_started
    }

    /// The session that was to be replaced has ended, so nothing is copied from it.
    pub(super) fn replaced_is_gone(&mut self) {
        self.stored = None;
        self.edits += 1;
        if let Some(started) = &mut self.started {
            started.keep_nothing();
        }
    }

    /// The application learns the id of the session that is being started.
    pub(crate) fn note_id_is_known(&mut self) {
        if let Some(started) = &mut self.started {
            started.id_is_known = true;
        }
    }

    /// Gives the session that is being stored another id, because it is unknown whether it will be stored under the first.
    /// `None` if the application knows that one, or wants another session by now.
    pub(in crate::visit) fn start_under(&mut self, id: SessionId) -> Option<&Record> {
        let (Outgoing::Aside(aside), Some(started)) = (&mut self.outgoing, &mut self.started) else { return None };
        if started.id_is_known || aside.new_id.as_ref() != Some(&started.id) {
            return None;
        }
        let doubtful = aside.record.key;
        (started.record.key, aside.record.key) = (id.key(), id.key());
        (started.id, aside.new_id) = (id.clone(), Some(id));
        self.others.get_or_insert_default().in_doubt.push(doubtful);
        Some(&aside.record)
    }

    /// Replaces the generated id, which is taken.
    pub(super) fn draw_again(&mut self, id: SessionId) {
        if let Some(started) = &mut self.started {
            started.record.key = id.key();
            started.id = id;
        } else if let Intent::Renew(wanted) = &mut self.intent {
            wanted.id = id;
        }
    }

    /// The session was deleted.
    pub(super) fn ended(&mut self) {
        if matches!(self.intent, Intent::Start) {
            self.stored = None;
        } else {
            self.intent = Intent::Nothing;
            self.tell = Tell::Forget;
        }
    }

    /// The store no longer has the session.
    pub(super) fn lost(&mut self) {
        self.is_lost = true;
        self.lost_changes |= self.has_edits();
        self.abandon();
        self.tell = Tell::Nothing;
    }

    pub(in crate::visit) fn take_tell(&mut self) -> Tell {
        mem::take(&mut self.tell)
    }

    pub(in crate::visit) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// What is to be reported once the state's lock is free.
    pub(in crate::visit) fn take_notices(&mut self) -> Vec<Notice> {
        mem::take(&mut self.notices)
    }
}

fn bytes(attribute: Option<&Attribute>) -> usize {
    attribute.map_or(0, Attribute::json_bytes)
}
