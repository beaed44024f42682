//! The decider. Only [`State::next`] decides what is to be done next at the store. Only [`State::answered`]
//! interprets the store's answers, such as a conflict, a missing record, or an id that is taken.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use crate::error::{Error, RandomError, StoreError};
use crate::id::{PresentedIds, SessionId};
use crate::record::{
    Adopted, Authenticated, PrincipalKey, Record, RecordKey, Renewal, Standing, is_replaced_note, replaced_key,
};
use crate::store::{Created, Deleted, Renewed, Saved};
use crate::time::Time;

use super::limit::beyond_limit;
use super::notice::Notice;
use super::operation::{Answer, Excess, Goal, Loading, Moment, Operation, Step};
use super::outgoing::Outgoing;
use super::state::{Intent, State, Stored, Tell};

/// The largest number of attempts to save against other writers. Each conflict means that another writer succeeded,
/// and after a few conflicts the writers of one manager take turns. If ten other managers write all the time, one
/// attempt in ten succeeds: 100 conflicts in a row do happen, 1000 don't.
const MAX_CONFLICTS: u32 = 1000;

/// How long a renewed session is found by its old id: by a request that had loaded it before, and by a logout.
const MOVED_FOR: Duration = Duration::from_secs(60);

/// How long an offer stands in a session without an absolute deadline, and how long an old session of another library leads
/// to the one that it has become.
pub(crate) const LONGEST_OFFER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The largest number of ids that are generated if each is taken. With a sound random source the first is never taken.
const MAX_DRAWS: u32 = 3;

impl State {
    /// What is to be done next at the store.
    #[inline(always)]
    pub(in crate::visit) fn next(&mut self, operation: &mut Operation<'_>, moment: &Moment) -> Step {
        operation.now = moment.now;
        // An operation that was cancelled may have left an outgoing record.
        self.take_back();
        match operation.goal {
            Goal::Open(presented) => self.next_to_open(operation, presented),
            _ if operation.is_done => Step::Done,
            _ if operation.needs_id => Step::Draw,
            _ => match self.next_anyway(operation) {
                Some(step) => step,
                None => self.next_to_write(operation, moment),
            },
        }
    }

    /// The ids are tried in order; the first that has a session is the visitor's.
    fn next_to_open<'a>(&mut self, operation: &mut Operation<'a>, presented: &'a PresentedIds) -> Step {
        if operation.is_done {
            return Step::Done;
        }
        match operation.loading {
            Loading::Note(key) => return Step::Follow(key),
            Loading::Replaced(key) => return Step::Load(replaced_key(&key)),
            _ => {}
        }
        if let Some(id) = presented.nth(operation.looked_up) {
            operation.looked_up += 1;
            operation.loading = Loading::Opened(id);
            return Step::Load(id.key());
        }
        operation.is_done = true;
        if !presented.is_empty() {
            self.present_also(presented);
            if !self.is_unproven() {
                self.notices.push(Notice::RejectedId);
            }
        }
        Step::Done
    }

    /// The next step of what does not depend on the goal: a session that has moved, one that is to end, and those
    /// beyond the limit.
    fn next_anyway(&self, operation: &mut Operation<'_>) -> Option<Step> {
        if let Loading::Note(key) | Loading::ToEndByNote(key) = operation.loading {
            return Some(Step::Follow(key));
        }
        if operation.replaced.is_some() {
            return Some(Step::NoteReplaced);
        }
        match operation.ending {
            Some(key) => Some(Step::Delete(key)),
            None => self.next_excess(operation),
        }
    }

    fn next_excess(&self, operation: &mut Operation<'_>) -> Option<Step> {
        match operation.excess.as_deref()? {
            Excess::Unlisted => {
                let principal = self.stored.as_ref()?.record.principal.as_deref()?;
                Some(Step::ListOf(PrincipalKey::of(principal)))
            }
            Excess::ToEnd(keys) => keys.front().map(|key| Step::Delete(*key)),
        }
    }

    fn next_to_write(&mut self, operation: &mut Operation<'_>, moment: &Moment) -> Step {
        let updates = matches!(operation.goal, Goal::Update);
        let only_changes = updates || matches!(operation.goal, Goal::SaveChanges);
        let key = match (&self.intent, &self.stored) {
            (Intent::Keep | Intent::Renew(_), Some(stored)) => stored.record.key,
            // Nothing to save: the session exists only in this visit, or not at all.
            _ if updates => return Step::Compute,
            (Intent::Remove | Intent::Start, _) if !only_changes && !self.also_presented().is_empty() => {
                return self.next_to_end(operation, self.also_presented()[0]);
            }
            (Intent::Remove, Some(stored)) if !only_changes => return Step::Delete(stored.record.key),
            (Intent::Start, _) if !only_changes => return self.next_to_start(operation, moment),
            _ => return Step::Done,
        };
        let renews = !only_changes && matches!(self.intent, Intent::Renew(_));
        if !renews && !updates && !self.has_changes() {
            return self.next_unchanged(operation, moment, key);
        }
        if let Some(step) = self.next_before_writing(operation, moment, key) {
            return step;
        }
        if updates && operation.update.is_none() {
            return Step::Compute;
        }
        self.send(operation, moment, renews)
    }

    /// A presented id ends its session. Where tokens and cookies are kept apart, it must have come in the way of that.
    fn next_to_end(&self, operation: &mut Operation<'_>, key: RecordKey) -> Step {
        if !self.carried.apart || operation.may_end == Some(key) {
            return Step::Delete(key);
        }
        operation.loading = Loading::ToEnd(key);
        Step::Load(key)
    }

    /// The next step for a session without unsaved changes.
    fn next_unchanged(&self, operation: &mut Operation<'_>, moment: &Moment, key: RecordKey) -> Step {
        let is_use_due = match operation.goal {
            // The use of a request counts from the load.
            Goal::Commit => !self.use_is_noted,
            Goal::SaveChanges | Goal::SaveAll => true,
            _ => false,
        };
        // Whoever saves wants to know whether the session is still there, also if nothing has changed.
        let is_asked_for = matches!(operation.goal, Goal::SaveChanges | Goal::SaveAll) && !operation.was_there;
        if is_asked_for || self.tell == Tell::Issue && !self.is_known_stored {
            operation.loading = Loading::Confirmed;
            return Step::Load(key);
        }
        if is_use_due && self.is_touch_due(moment.now) { Step::Touch(key) } else { Step::Done }
    }

    /// A writer that met a conflict first takes its turn, then loads what the others have saved.
    fn next_before_writing(&self, operation: &mut Operation<'_>, moment: &Moment, key: RecordKey) -> Option<Step> {
        let waits = moment.is_contended || operation.conflicts >= moment.hasty_attempts;
        if waits && !operation.has_turn {
            return Some(Step::TakeTurn(key));
        }
        if self.is_doubtful(moment.now) {
            operation.loading = Loading::Reloaded;
        }
        (operation.loading == Loading::Reloaded).then_some(Step::Load(key))
    }

    fn next_to_start(&mut self, operation: &mut Operation<'_>, moment: &Moment) -> Step {
        let replaced = self.stored.as_ref().map(|stored| (stored.record.key, stored.record.version));
        if let Some((old, _)) = replaced {
            if self.started.as_ref().is_some_and(|started| started.after_remove) {
                return Step::Delete(old);
            }
            if let Some(step) = self.next_before_writing(operation, moment, old) {
                return step;
            }
        }
        let started = self.started.as_mut().expect("a session was started");
        started.send(mem::take(&mut self.changes), moment.now, moment.mark);
        self.outgoing = Outgoing::Started;
        match replaced {
            // No note leads from whoever had this session to whoever signs in.
            Some((old, expected)) => Step::Renew { old, expected, moved_until: None },
            None => Step::Create,
        }
    }

    /// Makes the record that is to be stored, with all changes.
    fn send(&mut self, operation: &mut Operation<'_>, moment: &Moment, renews: bool) -> Step {
        let Stored { record, .. } = self.stored.as_ref().expect("changes are to a stored session");
        let (renewed, expected) = (renews.then_some(record.key), record.version);
        let update = if matches!(operation.goal, Goal::Update) { operation.update.take() } else { None };
        self.advance(update, moment.now, moment.mark);
        match renewed {
            Some(old) => {
                self.advance_to_new_id(old, moment.now);
                Step::Renew { old, expected, moved_until: self.moved_until(moment.now) }
            }
            None => Step::Save { expected },
        }
    }

    /// Until when a renewal leaves a note. An anonymous session leaves none, because an application may sign a user in
    /// by renewing it.
    fn moved_until(&self, now: Time) -> Option<Time> {
        let Stored { record, .. } = self.stored.as_ref().filter(|stored| stored.record.principal.is_some())?;
        // An old session of another library leads to what it has become, whatever ids that had since.
        if self.offers() || Adopted::is_noted(record) {
            // The old id counts until the client presents the new one.
            return Some(record.absolute_deadline.unwrap_or(now.saturating_add(LONGEST_OFFER)));
        }
        Some(now.saturating_add(MOVED_FOR.max(self.rules.renewals.grace.unwrap_or_default())))
    }

    fn has_principal(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.record.principal.is_some())
    }

    /// Interprets the store's answer to the last step. An error ends the operation.
    // A driver that knows which answer it has goes straight to what that means, and nothing is moved about.
    #[inline(always)]
    pub(in crate::visit) fn answered(&mut self, operation: &mut Operation<'_>, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Computed(edits) => self.computed(operation, edits),
            Answer::HasTurn { last_saved } => self.has_turn(operation, last_saved),
            Answer::Drawn(id) => {
                operation.needs_id = false;
                self.draw_again(id?);
                Ok(())
            }
            Answer::Loaded(mut loaded) => self.loaded(operation, &mut loaded),
            Answer::Created(Ok(Created::Done)) | Answer::Renewed(Ok(Renewed::Done)) => {
                self.stored_anew(operation);
                Ok(())
            }
            Answer::Created(Ok(Created::Exists)) | Answer::Renewed(Ok(Renewed::Exists)) => self.id_is_taken(operation),
            Answer::Renewed(Ok(Renewed::Conflict)) => self.conflicted(operation),
            Answer::Renewed(Ok(Renewed::Missing)) => self.is_missing(operation),
            Answer::Followed(Ok(Some(record))) if !self.may_open(&record) => {
                self.refuse(operation, record);
                self.followed(operation, Ok(None))
            }
            Answer::Followed(found) => self.followed(operation, found),
            Answer::Renewed(Err(error)) if self.offers() && !self.has_edits() => {
                self.offer_failed(error);
                Ok(())
            }
            Answer::Created(Err(error)) | Answer::Renewed(Err(error)) => Err(self.failed(error)),
            Answer::Saved(Ok(Saved::Done)) => {
                self.saved();
                operation.was_there = true;
                operation.is_done = matches!(operation.goal, Goal::Update) || self.is_settled();
                Ok(())
            }
            Answer::Saved(Ok(Saved::Conflict)) => self.conflicted(operation),
            Answer::Saved(Ok(Saved::Missing)) => self.is_missing(operation),
            Answer::Saved(Err(error)) => Err(self.failed(error)),
            Answer::Touched(touched) => {
                self.use_noted(operation.now, touched);
                // Unless another handle has changed the session meanwhile.
                operation.is_done = !self.has_changes();
                Ok(())
            }
            Answer::Deleted(deleted) => self.deleted(operation, deleted),
            Answer::Ended(ended) => self.ended_at(operation, ended),
            Answer::Listed(listed) => {
                self.listed(operation, listed);
                Ok(())
            }
            Answer::NotedReplaced(noted) => {
                self.replaced_was_noted(operation, noted);
                Ok(())
            }
        }
    }

    fn failed(&mut self, error: StoreError) -> Error {
        self.take_back();
        self.notices.push(Notice::StoreFailed);
        Error::Store(error)
    }

    /// A request that changes nothing goes on without the offer.
    fn offer_failed(&mut self, error: StoreError) {
        self.take_back();
        self.intent = Intent::Keep;
        self.notices.extend([Notice::StoreFailed, Notice::OfferFailed(error)]);
    }

    fn computed(&mut self, operation: &mut Operation<'_>, edits: u64) -> Result<(), Error> {
        if operation.update.is_none() {
            return Ok(());
        }
        if edits != self.edits() {
            // Another handle changed the session meanwhile.
            operation.update = None;
            operation.conflicts += 1;
            return self.check_conflicts(operation);
        }
        // Nobody but this visit has a new one yet.
        if self.is_new() {
            operation.is_done = true;
            if let Some(update) = operation.update.take() {
                self.set(update)?;
            }
        } else if let Some(update) = &operation.update {
            self.check_growth(update)?;
        }
        Ok(())
    }

    /// Interprets the answer to a load where it is, so that a record is moved only to where it stays.
    #[inline(always)]
    pub(in crate::visit) fn loaded(
        &mut self,
        operation: &mut Operation<'_>,
        loaded: &mut Result<Option<Record>, StoreError>,
    ) -> Result<(), Error> {
        let Ok(found) = loaded else { return self.load_failed(loaded) };
        if let Some(record) = found.take_if(|record| !self.may_open(record)) {
            self.refuse(operation, record);
        }
        match mem::replace(&mut operation.loading, Loading::Nothing) {
            Loading::Opened(id) => match found {
                Some(Record { key, .. }) => {
                    let presented = *key;
                    self.opened(operation, id, presented, found);
                }
                None if self.rules.renewals.keep_old_ids() || operation.is_for_device => {
                    let key = id.key();
                    operation.opening = Some((id, key));
                    operation.loading = Loading::Note(key);
                }
                None => {}
            },
            Loading::Reloaded => match found.take() {
                Some(record) => self.goes_on_from(operation, record)?,
                None => return self.is_missing(operation),
            },
            Loading::Confirmed => match found {
                Some(record) => {
                    self.is_known_stored = true;
                    operation.was_there = true;
                    self.use_noted(record.accessed, Ok(()));
                }
                None => return self.is_missing(operation),
            },
            // Refused, it is no longer among those that are to end.
            Loading::ToEnd(key) if found.is_some() => operation.may_end = Some(key),
            Loading::ToEnd(key) if self.also_presented().contains(&key) => {
                operation.loading = Loading::ToEndByNote(key);
            }
            Loading::ToEnd(_) => {}
            // What was found there was no session, and is noted.
            Loading::Replaced(_) => {}
            Loading::Nothing | Loading::Note(_) | Loading::ToEndByNote(_) => unreachable!("nothing was loaded"),
        }
        Ok(())
    }

    #[cold]
    fn load_failed(&mut self, loaded: &mut Result<Option<Record>, StoreError>) -> Result<(), Error> {
        match mem::replace(loaded, Ok(None)) {
            Err(error) => Err(self.failed(error)),
            Ok(_) => Ok(()),
        }
    }

    /// Another writer was faster. The changes are applied to what it has written.
    fn conflicted(&mut self, operation: &mut Operation<'_>) -> Result<(), Error> {
        self.take_back();
        self.notices.push(Notice::Conflict);
        operation.conflicts += 1;
        operation.loading = Loading::Reloaded;
        self.check_conflicts(operation)
    }

    /// What the writer before has saved need not be loaded, if it is newer than what is known. Where the session has
    /// moved meanwhile, this request has to find that out by itself.
    fn has_turn(&mut self, operation: &mut Operation<'_>, last_saved: Option<Record>) -> Result<(), Error> {
        operation.has_turn = true;
        if let (Some(Stored { record, .. }), Some(saved)) = (&self.stored, last_saved)
            && saved.key == record.key
            && saved.version > record.version
        {
            operation.loading = Loading::Nothing;
            self.goes_on_from(operation, saved)?;
        }
        Ok(())
    }

    /// Another version of the session takes the place of the one that was known. An update that was computed from that one
    /// is computed again, or it would undo what the other writer has saved.
    fn goes_on_from(&mut self, operation: &mut Operation<'_>, record: Record) -> Result<(), Error> {
        operation.update = None;
        Ok(self.reloaded(record)?)
    }

    fn check_conflicts(&self, operation: &Operation<'_>) -> Result<(), Error> {
        let attempts = operation.conflicts;
        if attempts < MAX_CONFLICTS { Ok(()) } else { Err(Error::Conflict { attempts }) }
    }

    /// An id has led to a session, which may keep its old ids for a while, or offer a new one.
    #[inline(always)]
    fn opened(
        &mut self,
        operation: &mut Operation<'_>,
        id: &SessionId,
        presented: RecordKey,
        found: &mut Option<Record>,
    ) {
        operation.opening = None;
        let Some(record) = found else { return };
        if operation.is_for_device {
            return self.opened_for_device(operation, id, found);
        }
        let standing = Renewal::standing(record, &presented, operation.now);
        if standing != Standing::Refused && self.admits(record, presented, operation.now) {
            self.found_by(id, presented, standing, found, operation.now);
            if operation.found_outdated() {
                self.tell_again();
            }
            operation.is_done = true;
            self.note_others(operation);
        }
    }

    /// Whether a session is for this application and for ids that came in this way, and this release can read it.
    #[inline(always)]
    fn may_open(&self, record: &Record) -> bool {
        !record.is_beyond_us() && record.audience == self.rules.audience && self.came_in_its_way(record)
    }

    /// Leaves a session alone that is not for us. If a note led from the presented id to it, that id must not end it either.
    #[cold]
    fn refuse(&mut self, operation: &Operation<'_>, record: Record) {
        if let Loading::Replaced(_) = operation.loading {
            self.others_mut().is_replaced |= is_replaced_note(&record);
            return;
        }
        let left_alone = &mut self.others_mut().left_alone;
        left_alone.push(record.key);
        left_alone.extend(operation.opening.map(|(_, presented)| presented));
        if let Loading::ToEnd(key) | Loading::ToEndByNote(key) = operation.loading {
            self.others_mut().also_presented.retain(|presented| *presented != key);
        }
        if record.is_beyond_us() {
            self.notices.push(Notice::BeyondUs { key: record.key });
        } else if record.audience != self.rules.audience {
            self.notices.push(Notice::OtherAudience(record.audience));
        }
    }

    /// The other ids of a request that presents several.
    #[inline(always)]
    fn note_others(&mut self, operation: &Operation<'_>) {
        if let Goal::Open(presented) = operation.goal
            && presented.nth(1).is_some()
        {
            self.present_also(presented);
        }
    }

    /// Whether a record that a note led to is this session, as this request may go on changing it. Nothing follows a new
    /// authentication: a request from before it must not write into what came after it.
    fn is_same_session(&self, record: &Record) -> bool {
        let is_same = |stored: &Stored| {
            (&stored.record.principal, stored.record.created) == (&record.principal, record.created)
                && Authenticated::is_same(&stored.record, record)
        };
        self.stored.as_ref().is_some_and(is_same)
    }

    /// The store has no record of this key any more. If the session has a principal, its renewal has left a note.
    fn is_missing(&mut self, operation: &mut Operation<'_>) -> Result<(), Error> {
        self.take_back();
        if !self.has_principal() {
            return self.is_gone();
        }
        operation.loading = self.stored_key().map_or(Loading::Nothing, |key| Loading::Note(*key));
        Ok(())
    }

    fn followed(
        &mut self,
        operation: &mut Operation<'_>,
        found: Result<Option<Record>, StoreError>,
    ) -> Result<(), Error> {
        if let (Loading::ToEndByNote(key), Ok(_)) = (mem::replace(&mut operation.loading, Loading::Nothing), &found) {
            // The deletion follows the notes by itself. Where they lead nowhere, it ends nothing.
            operation.may_end = Some(key);
            return Ok(());
        }
        match (found, operation.opening.take()) {
            (Err(error), _) => Err(self.failed(error)),
            // If nothing was found, the next id is tried.
            (Ok(mut found), Some((id, presented))) => {
                if found.is_none() && operation.is_for_device {
                    operation.loading = Loading::Replaced(presented);
                }
                self.opened(operation, id, presented, &mut found);
                Ok(())
            }
            (Ok(Some(record)), None) if self.is_same_session(&record) => {
                operation.update = None;
                self.moved(record)?;
                operation.follow()
            }
            (Ok(_), None) => self.is_gone(),
        }
    }

    /// The store no longer has the session. If a login replaces it, the login goes on without it.
    fn is_gone(&mut self) -> Result<(), Error> {
        self.take_back();
        if self.is_new() {
            self.replaced_is_gone();
            return Ok(());
        }
        self.lost();
        Err(Error::Gone)
    }

    fn id_is_taken(&mut self, operation: &mut Operation<'_>) -> Result<(), Error> {
        self.take_back();
        operation.taken_ids += 1;
        operation.needs_id = true;
        if operation.taken_ids < MAX_DRAWS {
            return Ok(());
        }
        Err(RandomError::new(format!("each of {MAX_DRAWS} ids that were drawn is taken")).into())
    }

    /// A started or renewed session is in the store.
    fn stored_anew(&mut self, operation: &mut Operation<'_>) {
        let from = self.stored.as_ref().map(|stored| stored.record.key);
        let (known, authenticates) = (self.key_known_to_device(operation.now), self.authenticates());
        let was_started = self.issued();
        if was_started {
            operation.replaced = known;
        }
        self.offers_binding |= was_started || authenticates;
        operation.was_there = true;
        let Some(Stored { record, .. }) = &self.stored else { return };
        let (to, principal) = (record.key, record.principal.clone());
        if was_started && principal.is_some() && operation.limit.is_some() {
            operation.excess = Some(Box::new(Excess::Unlisted));
        }
        self.notices.push(match from {
            Some(from) => Notice::Renewed { from, to, principal, started: was_started },
            None => Notice::Created { key: to, principal },
        });
    }

    /// A session that is to end has ended, unless it has moved: then it ends where it is now.
    fn deleted(&mut self, operation: &mut Operation<'_>, deleted: Result<Deleted, StoreError>) -> Result<(), Error> {
        match deleted {
            Err(error) if operation.excess.is_some() => {
                operation.ending = None;
                self.limit_failed(operation, error);
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
            Ok(Deleted::Moved(to)) => {
                operation.ending = Some(to);
                operation.follow()
            }
            Ok(deleted) => {
                let found_at = operation.ending.take();
                self.has_ended(operation, found_at, deleted == Deleted::Done);
                Ok(())
            }
        }
    }

    /// The store has followed the moved notes itself.
    fn ended_at(
        &mut self,
        operation: &mut Operation<'_>,
        ended: Result<Option<RecordKey>, StoreError>,
    ) -> Result<(), Error> {
        let deleted = ended.map(|found_at| {
            operation.ending = found_at;
            found_at.map_or(Deleted::Missing, |_| Deleted::Done)
        });
        self.deleted(operation, deleted)
    }

    /// What was to end is no more. `was_there` tells whether it was still there.
    fn has_ended(&mut self, operation: &mut Operation<'_>, found_at: Option<RecordKey>, was_there: bool) {
        // Sessions beyond the limit have the principal of the one that has started.
        let principal = || self.stored.as_ref().and_then(|stored| stored.record.principal.clone());
        let mut whose = None;
        let asked_for = if let Some(excess) = &mut operation.excess {
            whose = principal();
            excess.ended()
        } else if self.also_presented().is_empty() {
            whose = principal();
            let (key, known) = (self.stored_key().copied(), self.key_known_to_device(operation.now));
            if self.is_new() {
                operation.replaced = known;
            }
            self.ended();
            key
        } else {
            if was_there && matches!(self.intent, Intent::Remove) {
                self.tell = Tell::Forget;
            }
            let key = self.others_mut().also_presented.remove(0);
            if self.is_new() && self.unproven().contains(&key) {
                operation.replaced = Some(key);
            }
            Some(key)
        };
        if operation.excess.is_some() && asked_for.as_ref() == self.stored_key() {
            // Newer logins of the same moment leave no room for this one.
            operation.excess = None;
            self.lost();
        }
        if was_there && let Some(key) = found_at.or(asked_for) {
            self.notices.push(Notice::Ended { key, principal: whose });
        }
    }

    fn listed(&mut self, operation: &mut Operation<'_>, listed: Result<Vec<Record>, StoreError>) {
        match (listed, operation.limit, &self.stored) {
            (Ok(mut records), Some(limit), Some(newest)) => {
                let is_in_doubt = |key: &RecordKey| self.others().is_some_and(|others| others.in_doubt.contains(key));
                // What this login may have left under other ids would take the place of a real session.
                let left = records.extract_if(.., |record| is_in_doubt(&record.key));
                let left: VecDeque<RecordKey> = left.map(|record| record.key).collect();
                let keys =
                    left.into_iter().chain(beyond_limit(limit, &newest.record, records)).collect::<VecDeque<_>>();
                operation.excess = if keys.is_empty() { None } else { Some(Box::new(Excess::ToEnd(keys))) };
            }
            (Ok(_), ..) => operation.excess = None,
            (Err(error), ..) => self.limit_failed(operation, error),
        }
    }

    fn limit_failed(&mut self, operation: &mut Operation<'_>, error: StoreError) {
        operation.excess = None;
        self.notices.extend([Notice::StoreFailed, Notice::LimitFailed(error)]);
    }
}
