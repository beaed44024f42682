use std::time::Duration;

use crate::error::Error;
use crate::id::SessionId;

use super::drive::{Stop, drive, drive_now};
use super::environment::Environment;
use super::state::{Operation, Phase, State, Stored, Tell};
use super::visit::Visit;

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
#[non_exhaustive]
pub struct IssuedId {
    /// The id.
    pub id: SessionId,
    /// How long the client keeps it: `None` until it is closed, else the time left to the
    /// absolute deadline (or [`Duration::MAX`] where there is none).
    pub keep_for: Option<Duration>,
}

impl IssuedId {
    /// An id to be kept for that long.
    pub fn new(id: SessionId, keep_for: Option<Duration>) -> Self {
        IssuedId { id, keep_for }
    }
}

impl Visit {
    /// Stores what the visit did to its session, and says what the client must be told.
    ///
    /// To be run to its end also when the client has hung up.
    pub async fn commit(&self) -> Result<Committed, Error> {
        let environment = self.environment();
        // First, so that closing waits for a commit that waits for its turn.
        let _under_way = environment.commits.read().await;
        let _turn = self.turn().await;
        self.0.state.lock().answer();
        let mut operation = Operation::commit(environment.max_sessions_per_principal);
        let driven = drive(self, &mut operation, &mut None).await;
        conclude(environment, &mut self.0.state.lock(), driven)
    }

    /// [`commit`](Visit::commit) where that needs no waiting: `None` if it does.
    pub fn commit_now(&mut self) -> Option<Result<Committed, Error>> {
        // Without the lock where nobody else can have it.
        if let Some((environment, state)) = self.exclusive() {
            let committed = commit_now(environment, state);
            if state.has_notices() {
                environment.report(state.take_notices());
            }
            return committed;
        }
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
            let is_request = state.phase == Phase::Request;
            if state.generation() != generation || (is_request && !state.is_present()) {
                return Err(Error::Gone);
            }
            is_request
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

fn commit_now(environment: &Environment, state: &mut State) -> Option<Result<Committed, Error>> {
    if state.turn_is_taken {
        return None;
    }
    state.answer();
    if state.is_settled() {
        return Some(Ok(Committed::Unchanged));
    }
    let mut operation = Operation::commit(environment.max_sessions_per_principal);
    let driven = drive_now(environment, state, &mut operation)?;
    Some(conclude(environment, state, driven))
}

/// Ends the visit's part before the response head.
fn conclude(environment: &Environment, state: &mut State, driven: Result<Stop, Error>) -> Result<Committed, Error> {
    match driven {
        Ok(_) => {}
        // The response leaves as it is: a removal cookie could wipe a newer login's.
        Err(Error::Gone) => return Ok(Committed::Unchanged),
        Err(error) => {
            state.abandon();
            return Err(error);
        }
    }
    match (state.take_tell(), state.stored()) {
        (Tell::Issue, Some(Stored { id, record })) => {
            let left = record.absolute_deadline.map_or(Duration::MAX, |deadline| deadline.since(environment.now()));
            Ok(Committed::Issue(IssuedId { id: id.clone(), keep_for: record.persistent.then_some(left) }))
        }
        (Tell::Forget, ..) => Ok(Committed::Forget),
        _ => Ok(Committed::Unchanged),
    }
}
