//! Carries out at the store what a visit did to its session.

use std::time::Duration;

use crate::attributes::Attribute;
use crate::error::{Error, StoreError};
use crate::event::Event;
use crate::id::PresentedIds;
use crate::session::Shared;
use crate::state::{Phase, Step, Stored, Tell};
use crate::store::{Store, Written};
use crate::{Record, RecordKey, Session, SessionId, SessionManager, Time, Visit};

/// Attempts to save against other writers. Each failed one means that another writer succeeded,
/// and from the second on writers of one manager take turns. With ten other managers at it all the
/// time, one attempt in ten succeeds, so a hundred failures in a row do happen; a thousand don't.
const MAX_CONFLICTS: u32 = 1000;

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

impl Visit {
    /// [`commit`](Visit::commit) where that needs no waiting: `None` if it does.
    pub fn commit_now(&self) -> Option<Result<Committed, Error>> {
        let shared = &*self.0;
        let _turn = shared.saving.try_lock().ok()?;
        {
            let mut state = shared.state.lock();
            state.answer();
            if state.is_settled() {
                return Some(Ok(Committed::Unchanged));
            }
        }
        let done = shared.manager.run_now(shared).transpose()?;
        Some(shared.manager.finish(shared, done))
    }

    /// Stores what the visit did to its session, and says what the client must be told.
    ///
    /// To be run to its end also when the client has hung up.
    pub async fn commit(&self) -> Result<Committed, Error> {
        let shared = &*self.0;
        let _turn = shared.saving.lock().await;
        let _under_way = shared.manager.commits().read().await;
        shared.state.lock().answer();
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
                shared.state.lock().found(id.clone(), record, now);
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
        let mut queue = self.line_up(shared).await;
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
        let now = self.now();
        let mut queue = self.line_up(shared).await;
        for attempt in 1.. {
            let step = shared.state.lock().next_step(now, self.next_mark(), only_changes);
            let written = match &step {
                Step::Nothing => return Ok(()),
                Step::Touch { key } => {
                    self.touch(shared, key, now).await;
                    return Ok(());
                }
                Step::Save { record, expected } => self.store().save(record, *expected).await,
                Step::Create { record, .. } => self.store().create(record).await,
                Step::Renew { old, expected, record, .. } => self.store().renew(old, *expected, record).await,
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

    /// The same for a session that was only read or changed, at a store that does not wait; none
    /// where that is not so.
    fn run_now(&self, shared: &Shared) -> Result<Option<()>, Error> {
        let now = self.now();
        let store = &self.store().store;
        for _ in 0..MAX_CONFLICTS {
            let mut state = shared.state.lock();
            let (record, expected) = match state.next_step_now(now, self.next_mark()) {
                Some(Step::Nothing) => return Ok(Some(())),
                Some(Step::Save { record, expected }) => (record, expected),
                _ => return Ok(None),
            };
            if self.queue_of(&record.key).try_lock().is_err() {
                return Ok(None);
            }
            let Some(written) = store.save_now(&record, expected) else { return Ok(None) };
            match self.checked(written)? {
                Written::Done => state.saved(record),
                Written::Conflict => {
                    self.events().count_conflict();
                    let Some(stored) = store.load_now(&record.key, now) else { return Ok(None) };
                    match self.checked(stored)? {
                        Some(stored) => state.reloaded(stored)?,
                        None => state.lost(),
                    }
                }
                Written::Missing | Written::Exists => state.lost(),
            }
        }
        Ok(None)
    }

    /// Ends the visit's part before the response head.
    fn finish(&self, shared: &Shared, done: Result<(), Error>) -> Result<Committed, Error> {
        let mut state = shared.state.lock();
        match done {
            Ok(()) => {}
            // The response leaves as it is: a removal cookie could wipe a newer login's.
            Err(Error::Gone) => return Ok(Committed::Unchanged),
            Err(error) => {
                state.abandon();
                return Err(error);
            }
        }
        match (state.take_tell(), state.stored()) {
            (Tell::Issue, Some(Stored { id, record })) => {
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
            Step::Create { id, record } => {
                shared.state.lock().issued(id, record.clone());
                self.events().emit(Event::Created { handle: &record.key, principal: record.principal.as_deref() });
                self.keep_to_the_limit(&record).await;
            }
            Step::Renew { old, id, record, .. } => {
                let was_started = shared.state.lock().issued(id, record.clone());
                let principal = record.principal.as_deref();
                self.events().emit(Event::Renewed { from: &old, to: &record.key, principal });
                if was_started {
                    self.keep_to_the_limit(&record).await;
                }
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

    /// Waits behind the writers of this process that met a conflict, if there are any: who never
    /// waits could be faster than they are time and again.
    async fn line_up(&self, shared: &Shared) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let key = shared.state.lock().stored_key()?;
        let queue = self.queue_of(&key);
        match queue.try_lock() {
            Ok(_) => None,
            Err(_) => Some(queue.lock().await),
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
            Some(record) => Ok(shared.state.lock().reloaded(record)?),
            // The session that a login was to replace is gone; the login goes on without it.
            None if shared.state.lock().is_new() => {
                shared.state.lock().replaced_is_gone();
                Ok(())
            }
            None => Err(self.lost(shared)),
        }
    }

    fn lost(&self, shared: &Shared) -> Error {
        let mut state = shared.state.lock();
        // A session that was started meanwhile is not the one that was lost.
        if state.is_new() {
            state.replaced_is_gone()
        } else {
            state.lost()
        }
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
