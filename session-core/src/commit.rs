//! Carries out at the store what a visit did to its session.

use std::time::Duration;

use crate::attributes::Attribute;
use crate::error::{Error, StoreError};
use crate::event::Event;
use crate::id::PresentedIds;
use crate::session::Shared;
use crate::state::{Phase, Step, Tell};
use crate::store::{Store, Written};
use crate::{Record, RecordKey, Session, SessionId, SessionManager, Time, Visit};

/// Attempts to save against other writers. Each failed one means that another writer succeeded,
/// and from the second on writers of this process take turns, so this is far beyond what a
/// session sees.
const MAX_CONFLICTS: u32 = 100;

/// What the client must be told after a visit, in the way its transport does it.
#[derive(Debug)]
pub enum Committed {
    /// Nothing.
    Unchanged,
    /// An id: a new one, or the same with another lifetime.
    Issue(IssuedId),
    /// That it has no session any more.
    Forget,
}

/// An id for the client to keep.
#[derive(Debug)]
pub struct IssuedId {
    /// The id.
    pub id: SessionId,
    /// How long the client keeps it: `None` until it is closed, else the time left to the
    /// absolute deadline (or [`Duration::MAX`] where there is none).
    pub keep_for: Option<Duration>,
}

/// Changes that were taken to be saved go back to the collected ones unless they arrived, also
/// when the save is cancelled.
struct InTransit<'a>(&'a Shared);

impl Drop for InTransit<'_> {
    fn drop(&mut self) {
        self.0.state.lock().put_changes_back();
    }
}

impl Visit {
    /// [`commit`](Visit::commit) where that needs no waiting: `None` if it does.
    pub fn commit_now(&self) -> Option<Result<Committed, Error>> {
        let shared = &*self.0;
        let _turn = shared.saving.try_lock().ok()?;
        shared.manager.commit_now(shared)
    }

    /// Stores what the visit did to its session, and says what the client must be told.
    ///
    /// To be run to its end also when the client has hung up.
    pub async fn commit(&self) -> Result<Committed, Error> {
        let shared = &*self.0;
        let _turn = shared.saving.lock().await;
        let _under_way = shared.manager.commits().read().await;
        let done = shared.manager.run(shared, false).await;
        shared.manager.finish(shared, done)
    }
}

impl SessionManager {
    pub(crate) async fn open(&self, shared: &Shared, presented: &PresentedIds) -> Result<(), Error> {
        if presented.is_empty() {
            return Ok(());
        }
        let now = self.now();
        for id in presented.iter() {
            if let Some(record) = self.checked(self.store().load(&id.key(), now).await)? {
                shared.state.lock().found(id.clone(), record);
                return Ok(());
            }
        }
        self.events().emit(Event::RejectedId);
        Ok(())
    }

    pub(crate) async fn save(&self, session: &Session) -> Result<(), Error> {
        let shared = &*session.shared;
        let _turn = shared.saving.lock().await;
        let phase = {
            let state = shared.state.lock();
            if state.generation() != session.generation || (state.phase == Phase::Request && !state.is_present()) {
                return Err(Error::Gone);
            }
            state.phase
        };
        self.run(shared, phase == Phase::Request).await?;
        if phase != Phase::Request {
            shared.state.lock().take_tell();
        }
        Ok(())
    }

    /// Edits the record and saves it, again on a newer one after each conflict.
    pub(crate) async fn update<T>(
        &self,
        session: &Session,
        mut edit: impl FnMut(&mut Record) -> Result<(Attribute, T), Error>,
    ) -> Result<T, Error> {
        let shared = &*session.shared;
        let _turn = shared.saving.lock().await;
        let _in_transit = InTransit(shared);
        let mut queue = None;
        for attempt in 1.. {
            let (mut record, expected) = {
                let mut state = session.writable()?;
                if state.is_new() {
                    (state.view().ok_or(Error::Gone)?, None)
                } else {
                    let expected = state.stored_version().ok_or(Error::Gone)?;
                    (state.take_changes(self.now(), self.next_mark()), Some(expected))
                }
            };
            // Without the lock, as the closure is the application's.
            let (attribute, updated) = edit(&mut record)?;
            let Some(expected) = expected else {
                // Nobody but this visit has the session yet.
                session.writable()?.change(|changes| changes.set(attribute));
                return Ok(updated);
            };
            match self.checked(self.store().save(&record, expected).await)? {
                Written::Done => {
                    shared.state.lock().saved(record);
                    return Ok(updated);
                }
                Written::Conflict => self.reload(shared, &mut queue, attempt).await?,
                Written::Missing | Written::Exists => return Err(self.lost(shared)),
            }
        }
        unreachable!("reloading ends with an error")
    }

    /// Takes steps until there is nothing left to do.
    async fn run(&self, shared: &Shared, only_changes: bool) -> Result<(), Error> {
        let _in_transit = InTransit(shared);
        let now = self.now();
        let mut queue = None;
        for attempt in 1.. {
            let step = shared.state.lock().next_step(now, self.next_mark(), only_changes);
            let written = match &step {
                Step::Nothing => return Ok(()),
                Step::Touch { key } => {
                    self.touch(shared, key, now).await;
                    return Ok(());
                }
                Step::Save { record, expected } => self.store().save(record, *expected).await,
                Step::Create { record } => self.store().create(record).await,
                Step::Renew { old, expected, record } => self.store().renew(old, *expected, record).await,
                Step::Delete { key } => self.store().delete(key).await.map(|()| Written::Done),
            };
            match self.checked(written)? {
                Written::Done => self.done(shared, step).await,
                Written::Conflict => self.reload(shared, &mut queue, attempt).await?,
                Written::Exists if attempt < 3 => shared.state.lock().draw_again(self.draw_id()?),
                Written::Exists => return Err(Error::Conflict { attempts: attempt }),
                Written::Missing if shared.state.lock().is_new() => shared.state.lock().replaced_is_gone(),
                Written::Missing => return Err(self.lost(shared)),
            }
        }
        unreachable!("reloading ends with an error")
    }

    /// The same for a session that was only read or changed, at a store that does not wait.
    fn commit_now(&self, shared: &Shared) -> Option<Result<Committed, Error>> {
        let now = self.now();
        let _in_transit = InTransit(shared);
        for _ in 0..MAX_CONFLICTS {
            let mut state = shared.state.lock();
            let expected = state.stored_version();
            match state.next_step_now(now, self.next_mark()) {
                Some(Step::Nothing) => {
                    drop(state);
                    return Some(self.finish(shared, Ok(())));
                }
                Some(Step::Save { record, .. }) => {
                    let written = self.store().store.save_now(&record, expected?)?;
                    match written {
                        Ok(Written::Done) => state.saved(record),
                        Ok(Written::Conflict) => {
                            self.events().count_conflict();
                            let stored = self.store().store.load_now(&record.key, now)?;
                            match stored {
                                Ok(Some(stored)) => state.reloaded(stored),
                                Ok(None) => state.lost(),
                                Err(error) => return Some(Err(self.failed(error))),
                            }
                        }
                        Ok(Written::Missing | Written::Exists) => state.lost(),
                        Err(error) => return Some(Err(self.failed(error))),
                    }
                }
                _ => return None,
            }
        }
        None
    }

    /// Ends the visit's part before the response head.
    fn finish(&self, shared: &Shared, done: Result<(), Error>) -> Result<Committed, Error> {
        let mut state = shared.state.lock();
        if state.phase == Phase::Request {
            state.phase = Phase::Answered;
        }
        match done {
            Ok(()) => {}
            // The response leaves as it is: a removal cookie could wipe a newer login's.
            Err(Error::Gone) => return Ok(Committed::Unchanged),
            Err(error) => {
                state.abandon();
                return Err(error);
            }
        }
        match (state.take_tell(), state.id(), state.record()) {
            (Tell::Issue, Some(id), Some(record)) => {
                let left = record.absolute_deadline.map_or(Duration::MAX, |deadline| deadline.since(self.now()));
                let keep_for = record.persistent.then_some(left);
                Ok(Committed::Issue(IssuedId { id: id.clone(), keep_for }))
            }
            (Tell::Forget, ..) => Ok(Committed::Forget),
            _ => Ok(Committed::Unchanged),
        }
    }

    async fn done(&self, shared: &Shared, step: Step) {
        match step {
            Step::Save { record, .. } => shared.state.lock().saved(record),
            Step::Create { record } => {
                self.events().emit(Event::Created { handle: &record.key, principal: record.principal.as_deref() });
                self.keep_to_the_limit(&record).await;
                shared.state.lock().issued(record);
            }
            Step::Renew { old, record, .. } => {
                let principal = record.principal.as_deref();
                self.events().emit(Event::Renewed { from: &old, to: &record.key, principal });
                if shared.state.lock().is_new() {
                    self.keep_to_the_limit(&record).await;
                }
                shared.state.lock().issued(record);
            }
            Step::Delete { key } => {
                shared.state.lock().deleted();
                self.events().emit(Event::Removed { handle: &key });
            }
            Step::Nothing | Step::Touch { .. } => {}
        }
    }

    /// Activity that can't be noted is no reason to fail a request.
    async fn touch(&self, shared: &Shared, key: &RecordKey, now: Time) {
        match self.checked(self.store().touch(key, now).await) {
            Ok(()) => shared.state.lock().touched(now),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(session = %key.fingerprint(), cause, "the use of a session could not be noted");
            }
        }
    }

    /// Another writer was faster: what it wrote is what the changes apply to next.
    async fn reload<'a>(
        &'a self,
        shared: &Shared,
        queue: &mut Option<tokio::sync::MutexGuard<'a, ()>>,
        attempts: u32,
    ) -> Result<(), Error> {
        self.events().count_conflict();
        if attempts >= MAX_CONFLICTS {
            return Err(Error::Conflict { attempts });
        }
        let key = shared.state.lock().stored_key().ok_or(Error::Gone)?;
        if queue.is_none() {
            *queue = Some(self.queue_of(&key).lock().await);
        }
        match self.checked(self.store().load(&key, self.now()).await)? {
            Some(record) => {
                shared.state.lock().reloaded(record);
                Ok(())
            }
            // The session that a login was to replace is gone; the login goes on without it.
            None if shared.state.lock().is_new() => {
                shared.state.lock().replaced_is_gone();
                Ok(())
            }
            None => Err(self.lost(shared)),
        }
    }

    fn lost(&self, shared: &Shared) -> Error {
        shared.state.lock().lost();
        Error::Gone
    }

    pub(crate) fn checked<T>(&self, answer: Result<T, StoreError>) -> Result<T, Error> {
        answer.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: StoreError) -> Error {
        self.events().count_store_error();
        Error::Store(error)
    }
}
