//! The decider. Only [`State::next`] decides what is to be done next at the store. Only [`State::answered`]
//! interprets the store's answers, such as a conflict, a missing record, or an id that is taken.

use std::mem;

use crate::error::{Error, RandomError, StoreError};
use crate::id::PresentedIds;
use crate::record::{PrincipalKey, Record, RecordKey};
use crate::store::{Created, Renewed, Saved};

use super::limit::beyond_limit;
use super::notice::Notice;
use super::operation::{Answer, Excess, Goal, Loading, Moment, Operation, Step};
use super::outgoing::Outgoing;
use super::state::{Intent, State, Stored, Tell};

/// The largest number of attempts to save against other writers. Each conflict means that another writer succeeded,
/// and after a few conflicts the writers of one manager take turns. If ten other managers write all the time, one
/// attempt in ten succeeds: 100 conflicts in a row do happen, 1000 don't.
const MAX_CONFLICTS: u32 = 1000;

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
            _ => match self.next_excess(operation) {
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
        if let Some(id) = presented.nth(operation.looked_up) {
            operation.looked_up += 1;
            operation.loading = Loading::Opened(id);
            return Step::Load(id.key());
        }
        operation.is_done = true;
        if !presented.is_empty() {
            self.notices.push(Notice::RejectedId);
        }
        Step::Done
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

    /// The next step for a session without unsaved changes.
    fn next_unchanged(&self, operation: &mut Operation<'_>, moment: &Moment, key: RecordKey) -> Step {
        let is_use_due = match operation.goal {
            // The use of a request counts from the load.
            Goal::Commit => !self.use_is_noted,
            Goal::SaveAll => true,
            _ => return Step::Done,
        };
        if self.tell == Tell::Issue && !self.is_known_stored {
            operation.loading = Loading::Confirmed;
            return Step::Load(key);
        }
        let is_touch_due = || self.stored.as_ref().is_some_and(|stored| stored.record.is_touch_due(moment.now));
        if is_use_due && is_touch_due() { Step::Touch(key) } else { Step::Done }
    }

    /// A writer that met a conflict first takes its turn, then loads what the others have saved.
    fn next_before_writing(&self, operation: &mut Operation<'_>, moment: &Moment, key: RecordKey) -> Option<Step> {
        let waits = moment.is_contended || operation.conflicts >= moment.hasty_attempts;
        if waits && !operation.has_turn {
            return Some(Step::TakeTurn(key));
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
            Some((old, expected)) => Step::Renew { old, expected },
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
                self.advance_to_new_id();
                Step::Renew { old, expected }
            }
            None => Step::Save { expected },
        }
    }

    /// Interprets the store's answer to the last step. An error ends the operation.
    // A driver that knows which answer it has goes straight to what that means, and nothing is moved about.
    #[inline(always)]
    pub(in crate::visit) fn answered(&mut self, operation: &mut Operation<'_>, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Computed(edits) => self.computed(operation, edits),
            Answer::HasTurn => {
                operation.has_turn = true;
                Ok(())
            }
            Answer::Drawn(id) => {
                operation.needs_id = false;
                self.draw_again(id?);
                Ok(())
            }
            Answer::Loaded(Ok(Some(record))) if record.is_beyond_us() => {
                self.notices.push(Notice::BeyondUs { key: record.key });
                self.loaded(operation, Ok(None))
            }
            Answer::Loaded(loaded) => self.loaded(operation, loaded),
            Answer::Created(Ok(Created::Done)) | Answer::Renewed(Ok(Renewed::Done)) => {
                self.stored_anew(operation);
                Ok(())
            }
            Answer::Created(Ok(Created::Exists)) | Answer::Renewed(Ok(Renewed::Exists)) => self.id_is_taken(operation),
            Answer::Renewed(Ok(Renewed::Conflict)) => self.conflicted(operation),
            Answer::Renewed(Ok(Renewed::Missing)) => self.is_gone(),
            Answer::Created(Err(error)) | Answer::Renewed(Err(error)) => Err(self.failed(error)),
            Answer::Saved(Ok(Saved::Done)) => {
                self.saved();
                operation.is_done = matches!(operation.goal, Goal::Update) || self.is_settled();
                Ok(())
            }
            Answer::Saved(Ok(Saved::Conflict)) => self.conflicted(operation),
            Answer::Saved(Ok(Saved::Missing)) => self.is_gone(),
            Answer::Saved(Err(error)) => Err(self.failed(error)),
            Answer::Touched(touched) => {
                self.touched(operation, touched);
                Ok(())
            }
            Answer::Deleted(deleted) => self.deleted(operation, deleted),
            Answer::Listed(listed) => {
                self.listed(operation, listed);
                Ok(())
            }
        }
    }

    fn failed(&mut self, error: StoreError) -> Error {
        self.take_back();
        self.notices.push(Notice::StoreFailed);
        Error::Store(error)
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

    #[inline(always)]
    fn loaded(
        &mut self,
        operation: &mut Operation<'_>,
        loaded: Result<Option<Record>, StoreError>,
    ) -> Result<(), Error> {
        if let Err(error) = loaded {
            return Err(self.failed(error));
        }
        match mem::replace(&mut operation.loading, Loading::Nothing) {
            Loading::Opened(id) => {
                if let Ok(Some(record)) = loaded {
                    self.found(id, record, operation.now);
                    operation.is_done = true;
                }
            }
            Loading::Reloaded => match loaded {
                Ok(Some(record)) => self.reloaded(record)?,
                _ => return self.is_gone(),
            },
            Loading::Confirmed => match loaded {
                Ok(Some(_)) => self.is_known_stored = true,
                _ => return self.is_gone(),
            },
            Loading::Nothing => unreachable!("nothing was loaded"),
        }
        Ok(())
    }

    /// Another writer was faster. The changes are applied to what it has written.
    fn conflicted(&mut self, operation: &mut Operation<'_>) -> Result<(), Error> {
        self.take_back();
        self.notices.push(Notice::Conflict);
        operation.conflicts += 1;
        operation.loading = Loading::Reloaded;
        self.check_conflicts(operation)
    }

    fn check_conflicts(&self, operation: &Operation<'_>) -> Result<(), Error> {
        let attempts = operation.conflicts;
        if attempts < MAX_CONFLICTS { Ok(()) } else { Err(Error::Conflict { attempts }) }
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
        let was_started = self.issued();
        let Some(Stored { record, .. }) = &self.stored else { return };
        let (to, principal) = (record.key, record.principal.clone());
        if was_started && principal.is_some() && operation.limit.is_some() {
            operation.excess = Some(Box::new(Excess::Unlisted));
        }
        self.notices.push(match from {
            Some(from) => Notice::Renewed { from, to, principal },
            None => Notice::Created { key: to, principal },
        });
    }

    fn touched(&mut self, operation: &mut Operation<'_>, touched: Result<(), StoreError>) {
        let Some(Stored { record, .. }) = &mut self.stored else { return };
        match touched {
            Ok(()) => record.accessed = operation.now,
            Err(error) => {
                let key = record.key;
                self.notices.extend([Notice::StoreFailed, Notice::TouchFailed { key, error }]);
            }
        }
        // Unless another handle has changed the session meanwhile.
        operation.is_done = !self.has_changes();
    }

    fn deleted(&mut self, operation: &mut Operation<'_>, deleted: Result<(), StoreError>) -> Result<(), Error> {
        if let Some(Excess::ToEnd(keys)) = operation.excess.as_deref_mut() {
            let ended = keys.pop_front();
            match deleted {
                Ok(()) if keys.is_empty() => operation.excess = None,
                Ok(()) => {}
                Err(error) => {
                    self.limit_failed(operation, error);
                    return Ok(());
                }
            }
            self.notices.extend(ended.map(|key| Notice::Ended { key }));
            return Ok(());
        }
        if let Err(error) = deleted {
            return Err(self.failed(error));
        }
        if let Some(key) = self.stored_key().copied() {
            self.notices.push(Notice::Ended { key });
        }
        self.ended();
        Ok(())
    }

    fn listed(&mut self, operation: &mut Operation<'_>, listed: Result<Vec<Record>, StoreError>) {
        match (listed, operation.limit, &self.stored) {
            (Ok(records), Some(limit), Some(newest)) => {
                let keys = beyond_limit(limit, &newest.record, records);
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
