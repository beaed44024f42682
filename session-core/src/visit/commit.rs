use std::time::Duration;

use crate::error::Error;
use crate::id::SessionId;

use super::drive::{Stop, drive, drive_now};
use super::environment::Environment;
use super::state::{Operation, Phase, State, Stored, Tell};
use super::visit::Visit;

/// What an integration must tell the client after a visit, for example by a cookie.
///
/// It is never extended, because an integration that ignores a variant loses sessions.
#[derive(Debug)]
pub enum Committed {
    /// Nothing: the client keeps the id that it has.
    Unchanged,
    /// Keep this id: it is new, is to be kept for another time, or is told again because the client could drop it or
    /// holds it in an outdated form.
    Issue(IssuedId),
    /// Forget the id: the session has ended.
    Forget,
}

/// An id that the client is to keep.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedId {
    /// The session's id, which is secret.
    pub id: SessionId,
    /// How long the client keeps the id. `None` until the browser is closed; otherwise the time until the absolute
    /// deadline, or [`Duration::MAX`] without one.
    pub keep_for: Option<Duration>,
}

impl IssuedId {
    /// Makes an id that is to be kept for this time: see [`keep_for`](IssuedId::keep_for).
    pub fn new(id: SessionId, keep_for: Option<Duration>) -> Self {
        IssuedId { id, keep_for }
    }
}

impl Visit {
    /// Stores what the visit did to its session, and returns what the client must be told.
    ///
    /// Run the future to its end, even if the client has hung up: if it is dropped, it is unknown whether the
    /// changes are stored.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store failed, [`Error::Conflict`] if other writers were faster at each of 1000
    /// attempts, [`Error::Attribute`] if another writer has made the session so large that the changes no longer
    /// fit, [`Error::Random`] if no unused id could be generated. Tell the client nothing of the session then. A
    /// session that has ended meanwhile is no error: the answer is [`Committed::Unchanged`].
    pub async fn commit(&self) -> Result<Committed, Error> {
        let environment = self.environment();
        // First, so that closing waits for a commit that waits for its turn.
        let _under_way = environment.commits.read().await;
        let _turn = self.turn().await;
        end_request(environment, &mut self.0.state.lock());
        let mut operation = Operation::commit(environment.max_sessions_per_principal);
        let driven = drive(self, &mut operation, &mut None).await;
        let mut state = self.0.state.lock();
        let committed = conclude(environment, &mut state, driven);
        self.unlock(state);
        committed
    }

    /// Does what [`commit`](Visit::commit) does, if that is possible without waiting. `None` means that it is not: call
    /// `commit` then.
    pub fn commit_now(&mut self) -> Option<Result<Committed, Error>> {
        match self.exclusive() {
            Some((environment, state)) => commit_unlocked(environment, state),
            None => self.commit_locked(),
        }
    }

    fn commit_locked(&self) -> Option<Result<Committed, Error>> {
        let mut state = self.0.state.lock();
        let committed = commit_now(self.environment(), &mut state);
        self.unlock(state);
        committed
    }

    /// Saves now what was collected: before the response head has left attributes and settings, later everything.
    pub(crate) async fn save(&self, generation: u32) -> Result<(), Error> {
        let environment = self.environment();
        let _turn = self.turn().await;
        let is_request = {
            let state = self.0.state.lock();
            if state.generation() != generation || !state.can_be_saved() {
                return Err(Error::Gone);
            }
            state.phase == Phase::Request
        };
        let mut operation = match is_request {
            true => Operation::save_changes(),
            false => Operation::save_all(environment.max_sessions_per_principal),
        };
        drive(self, &mut operation, &mut None).await?;
        if !is_request {
            // There is no response any more to tell it in.
            self.0.state.lock().take_tell();
        }
        Ok(())
    }
}

/// Without the lock, as nobody else can have it.
fn commit_unlocked(environment: &Environment, state: &mut State) -> Option<Result<Committed, Error>> {
    let committed = commit_now(environment, state);
    if state.has_notices() {
        environment.report(state.take_notices());
    }
    committed
}

/// Renews the session if that is due. Without a new id the session keeps the one that it has.
#[inline]
fn offer_new_id(environment: &Environment, state: &mut State) {
    if environment.rules.renewals.every.is_some()
        && state.is_offer_due(environment.now())
        && let Ok(id) = environment.draw_id()
    {
        state.offer(id);
    }
}

fn commit_now(environment: &Environment, state: &mut State) -> Option<Result<Committed, Error>> {
    if state.turn_is_taken {
        return None;
    }
    end_request(environment, state);
    if state.is_settled() {
        return Some(Ok(Committed::Unchanged));
    }
    let mut operation = Operation::commit(environment.max_sessions_per_principal);
    let driven = drive_now(environment, state, &mut operation)?;
    Some(conclude(environment, state, driven))
}

/// Ends the handler's part. Of a request that only looks, nothing that was collected is left.
#[inline]
fn end_request(environment: &Environment, state: &mut State) {
    if state.looked_and_changed() {
        tracing::debug!("changes to a session were dropped, because the request only looks (HEAD)");
        state.discard();
    }
    offer_new_id(environment, state);
    if state.is_new() {
        state.drop_unused();
    }
    state.end_request();
}

/// Ends the visit's part before the response head.
fn conclude(environment: &Environment, state: &mut State, driven: Result<Stop, Error>) -> Result<Committed, Error> {
    match driven {
        Ok(_) => {}
        // The response leaves as it is: a removal cookie could wipe a newer login's.
        Err(Error::Gone) => {
            state.report_lost_changes();
            return Ok(Committed::Unchanged);
        }
        Err(error) => {
            state.abandon();
            return Err(error);
        }
    }
    match (state.take_tell(), state.stored()) {
        (Tell::Issue, Some(Stored { id, record, .. })) => {
            let left = record.absolute_deadline.map_or(Duration::MAX, |deadline| deadline.since(environment.now()));
            Ok(Committed::Issue(IssuedId { id: id.clone(), keep_for: record.persistent.then_some(left) }))
        }
        (Tell::Forget, ..) => Ok(Committed::Forget),
        _ => Ok(Committed::Unchanged),
    }
}
