//! Carries out at the store what a visit did to its session.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::MutexGuard;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::visit::Shared;
use crate::error::{Error, StoreError, causes};
use crate::event::Event;
use crate::id::PresentedIds;
use crate::id::SessionId;
use crate::manager::SessionManager;
use crate::record::Attribute;
use crate::record::{Record, RecordKey, Version};
use crate::session::Session;
use crate::store::{Created, Renewed, Saved, Store};
use crate::time::Time;
use crate::visit::Visit;
use crate::visit::conflict_queue;
use crate::visit::state::{Found, Left, Phase, State, Step, Stored, Tell};

/// Attempts to save against other writers. Each failed one means that another writer succeeded,
/// and from the second on writers of one manager take turns. With ten other managers at it all the
/// time, one attempt in ten succeeds, so a hundred failures in a row do happen; a thousand don't.
const MAX_CONFLICTS: u32 = 1000;

/// Attempts to save in memory before a writer lines up with others.
const HASTY_ATTEMPTS: u32 = 8;

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Done,
    Conflict,
    Missing,
    Exists,
}
impl From<Created> for Written {
    fn from(c: Created) -> Self {
        match c {
            Created::Done => Written::Done,
            Created::Exists => Written::Exists,
        }
    }
}
impl From<Saved> for Written {
    fn from(c: Saved) -> Self {
        match c {
            Saved::Done => Written::Done,
            Saved::Conflict => Written::Conflict,
            Saved::Missing => Written::Missing,
        }
    }
}
impl From<Renewed> for Written {
    fn from(c: Renewed) -> Self {
        match c {
            Renewed::Done => Written::Done,
            Renewed::Conflict => Written::Conflict,
            Renewed::Missing => Written::Missing,
            Renewed::Exists => Written::Exists,
        }
    }
}

/// What an update makes of an attribute, with nobody else at the session's state meanwhile.
struct Computed<'a, T> {
    state: MutexGuard<'a, State>,
    attribute: Attribute,
    value: T,
}

impl Visit {
    /// [`commit`](Visit::commit) where that needs no waiting: `None` if it does.
    pub fn commit_now(&mut self) -> Option<Result<Committed, Error>> {
        let hasty = Shared::with_state(&mut self.0, SessionManager::commit_state_now);
        if hasty.is_some() {
            return hasty;
        }
        // A store that never waits leaves other writers of this visit or session as the only ones to
        // wait for; a commit that is dropped while it waits for those has done nothing halfway.
        let first_poll = || pin!(self.commit()).poll(&mut Context::from_waker(Waker::noop()));
        match self.0.manager().store().never_waits().then(first_poll)? {
            Poll::Ready(committed) => Some(committed),
            Poll::Pending => None,
        }
    }

    /// Stores what the visit did to its session, and says what the client must be told.
    ///
    /// To be run to its end also when the client has hung up.
    pub async fn commit(&self) -> Result<Committed, Error> {
        let shared = &*self.0;
        // First, so that closing waits for a commit that waits for its turn.
        let _under_way = shared.manager().commits().read().await;
        let _turn = shared.turn().await;
        shared.state.lock().answer();
        let done = shared.manager().run(shared, false).await;
        shared.manager().finish(&mut shared.state.lock(), done)
    }
}

impl SessionManager {
    pub(crate) async fn find(&self, presented: &PresentedIds) -> Result<Option<Found>, Error> {
        let now = self.now();
        for id in presented.iter() {
            if let Some(record) = self.checked(self.store().load(&id.key(), now).await)? {
                return Ok(Some(Found { id: id.clone(), record, at: now }));
            }
        }
        Ok(self.found_none(presented))
    }

    /// The same at a store that does not wait; `None` at others.
    pub(crate) fn find_now(&self, presented: &PresentedIds) -> Option<Result<Option<Found>, Error>> {
        let now = self.now();
        for id in presented.iter() {
            match self.checked(self.store().store().immediate()?.load_now(&id.key(), now)?) {
                Ok(None) => {}
                Ok(Some(record)) => return Some(Ok(Some(Found { id: id.clone(), record, at: now }))),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(self.found_none(presented)))
    }

    fn found_none(&self, presented: &PresentedIds) -> Option<Found> {
        if !presented.is_empty() {
            self.events().emit(Event::RejectedId);
        }
        None
    }

    pub(crate) async fn save(&self, session: &Session) -> Result<(), Error> {
        let shared = &*session.shared;
        let _turn = shared.turn().await;
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

    /// Updates an attribute and saves it, again on a newer record after each conflict.
    pub(crate) async fn update<T: Serialize + DeserializeOwned>(
        &self,
        session: &Session,
        name: &str,
        update: &mut impl FnMut(Option<T>) -> T,
    ) -> Result<T, Error> {
        let shared = &*session.shared;
        let _turn = shared.turn().await;
        let mut queue = self.line_up(shared).await;
        for attempt in 1..=MAX_CONFLICTS {
            let (saving, value) = {
                let Some(computed) = compute(session, name, update)? else { continue };
                let Computed { mut state, attribute, value } = computed;
                (self.take_update(&mut state, attribute)?, value)
            };
            let Some((record, expected)) = saving else { return Ok(value) };
            match self.checked(self.store().save(&record, expected).await.map(Written::from))? {
                Written::Done => {
                    shared.state.lock().saved(record);
                    return Ok(value);
                }
                Written::Conflict => self.reload(shared, &mut queue, attempt).await?,
                Written::Missing | Written::Exists => return Err(self.lost(shared)),
            }
        }
        Err(Error::Conflict { attempts: MAX_CONFLICTS })
    }

    /// The same at a store that does not wait; `None` at others, and where others are in the way.
    pub(crate) fn update_now<T: Serialize + DeserializeOwned>(
        &self,
        session: &Session,
        name: &str,
        update: &mut impl FnMut(Option<T>) -> T,
    ) -> Option<Result<T, Error>> {
        if !self.store().never_waits() {
            return None;
        }
        for _ in 0..HASTY_ATTEMPTS {
            let Computed { mut state, attribute, value } = match compute(session, name, update) {
                Ok(Some(computed)) => computed,
                Ok(None) => continue,
                Err(error) => return Some(Err(error)),
            };
            if state.turn_is_taken {
                return None;
            }
            let update = match state.set_unless_stored(attribute) {
                Ok(Some(update)) => update,
                Ok(None) => return Some(Ok(value)),
                Err(error) => return Some(Err(error.into())),
            };
            match self.save_now(&mut state, Some(update), self.now())? {
                Ok(Written::Done) => return Some(Ok(value)),
                Ok(Written::Conflict) => {}
                Ok(Written::Missing | Written::Exists) => return Some(Err(Error::Gone)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// The record with this attribute and all other changes, to be saved; none for a session that
    /// nobody but this visit has yet, whose record then has it.
    fn take_update(&self, state: &mut State, attribute: Attribute) -> Result<Option<(Record, Version)>, Error> {
        let Some(update) = state.set_unless_stored(attribute)? else { return Ok(None) };
        let expected = state.stored_version().ok_or(Error::Gone)?;
        Ok(Some((state.take_changes(Some(update), self.now(), self.next_mark()), expected)))
    }

    /// Takes steps until there is nothing left to do.
    async fn run(&self, shared: &Shared, only_changes: bool) -> Result<(), Error> {
        let now = self.now();
        let mut queue = self.line_up(shared).await;
        for attempt in 1.. {
            let step: Step = shared.state.lock().next_step(now, self.next_mark(), only_changes);
            let written = match &step {
                Step::Nothing => return Ok(()),
                Step::Touch { key } => {
                    self.touch(shared, key, now).await;
                    return Ok(());
                }
                Step::Confirm { key } => match self.checked(self.store().load(key, now).await)? {
                    Some(_) => {
                        shared.state.lock().confirmed();
                        continue;
                    }
                    None => return Err(self.lost(shared)),
                },
                Step::Save { record, expected } => self.store().save(record, *expected).await.map(Written::from),
                Step::Create { record, .. } => self.store().create(record).await.map(Written::from),
                Step::Renew { old, expected, record, .. } => {
                    self.store().renew(old, *expected, record).await.map(Written::from)
                }
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

    /// Commits a session that was only read or changed, at a store that does not wait; `None` where that
    /// is not so, and where others are in the way.
    fn commit_state_now(&self, state: &mut State) -> Option<Result<Committed, Error>> {
        if state.turn_is_taken {
            return None;
        }
        state.answer();
        if state.is_settled() {
            return Some(Ok(Committed::Unchanged));
        }
        let done = self.run_now(state)?;
        Some(self.finish(state, done))
    }

    /// Takes the steps that need no waiting; `None` where others are to be taken.
    fn run_now(&self, state: &mut State) -> Option<Result<(), Error>> {
        let now = self.now();
        for _ in 0..HASTY_ATTEMPTS {
            match state.left(now) {
                Left::Nothing => return Some(Ok(())),
                Left::Save => {}
                Left::More => return None,
            }
            match self.save_now(state, None, now)? {
                Ok(Written::Conflict) => {}
                // A session that is gone needs no more saving.
                Ok(_) => return Some(Ok(())),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// Saves changes and an update at a store that does not wait, and loads what another writer saved;
    /// `None` at others, and where writers wait for each other.
    fn save_now(&self, state: &mut State, update: Option<Attribute>, now: Time) -> Option<Result<Written, Error>> {
        let key = state.stored_key()?;
        if !self.queue_of(&key).is_empty() {
            return None;
        }
        let store = self.store().store().immediate()?;
        let (record, before) = state.advance(update, now, self.next_mark());
        let written = store.save_now(record, before.version).map(|w| w.map(Written::from));
        if let Some(Ok(Written::Done)) = written {
            state.advanced(before);
            return Some(Ok(Written::Done));
        }
        state.take_back(before);
        let written = match self.checked(written?) {
            Ok(Written::Conflict) => {
                self.events().count_conflict();
                match self.checked(store.load_now(&key, now)?) {
                    Ok(Some(newer)) => state.reloaded(newer).map(|()| Written::Conflict).map_err(Error::from),
                    Ok(None) => Ok(Written::Missing),
                    Err(error) => Err(error),
                }
            }
            other => other,
        };
        if let Ok(Written::Missing | Written::Exists) = written {
            state.lost();
        }
        Some(written)
    }

    /// Ends the visit's part before the response head.
    fn finish(&self, state: &mut State, done: Result<(), Error>) -> Result<Committed, Error> {
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
            Step::Nothing | Step::Touch { .. } | Step::Confirm { .. } => {}
        }
    }

    /// Activity that can't be noted is no reason to fail a request.
    async fn touch(&self, shared: &Shared, key: &RecordKey, now: Time) {
        match self.checked(self.store().touch(key, now).await) {
            Ok(()) => shared.state.lock().touched(now),
            Err(error) => {
                let session = key.fingerprint();
                tracing::warn!(%session, causes = causes(&error), "the use of a session could not be noted");
            }
        }
    }

    /// Waits behind the writers of this process that met a conflict, if there are any: who never
    /// waits could be faster than they are time and again.
    async fn line_up(&self, shared: &Shared) -> Option<conflict_queue::Turn<'_>> {
        let key = shared.state.lock().stored_key()?;
        let queue = self.queue_of(&key);
        if queue.is_empty() { None } else { Some(queue.join().await) }
    }

    /// Another writer was faster: what it wrote is what the changes apply to next.
    async fn reload<'a>(
        &'a self,
        shared: &Shared,
        queue: &mut Option<conflict_queue::Turn<'a>>,
        attempts: u32,
    ) -> Result<(), Error> {
        self.events().count_conflict();
        if attempts >= MAX_CONFLICTS {
            return Err(Error::Conflict { attempts });
        }
        let key = shared.state.lock().stored_key().ok_or(Error::Gone)?;
        if queue.is_none() {
            *queue = Some(self.queue_of(&key).join().await);
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

/// Computes an update of the session as it is now; none if another handle changed it meanwhile.
fn compute<'a, T: Serialize + DeserializeOwned>(
    session: &'a Session,
    name: &str,
    update: &mut impl FnMut(Option<T>) -> T,
) -> Result<Option<Computed<'a, T>>, Error> {
    let (before, edits) = {
        let state = session.writable()?;
        (state.value(name)?, state.edits())
    };
    // Without the lock, as the closure is the application's.
    let value = update(before);
    let attribute = Attribute::new(name, &value)?;
    let state = session.writable()?;
    Ok((state.edits() == edits).then_some(Computed { state, attribute, value }))
}
