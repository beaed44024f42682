//! The two drivers carry out the decider's steps until none is left. They decide nothing themselves. One never
//! waits, for stores that answer at once; the other is `async`.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::error::Error;
use crate::store::{AnyStore, Store};
use crate::time::Time;

use super::conflict_queue::Turn;
use super::environment::Environment;
use super::state::{Answer, Moment, Operation, State, Step};
use super::visit::Visit;

/// Why a driver stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Done,
    /// The application's update is to be computed, without the lock of the state. The answer goes to
    /// [`State::answered`]; then the driver goes on.
    Compute,
}

/// Drives an operation without waiting. `None` where something has to be waited for: then nothing is half
/// done, and the same operation can be started anew by [`drive`].
pub(super) fn drive_now(
    environment: &Environment,
    state: &mut State,
    operation: &mut Operation<'_>,
) -> Option<Result<Stop, Error>> {
    let store = environment.store.store();
    let immediate = store.immediate()?;
    let moment = environment.moment(state);
    loop {
        let step = state.next(operation, &moment);
        // Each arm passes its answer on by itself, so that no answer is moved about.
        let answered = match step {
            Step::Done => return Some(Ok(Stop::Done)),
            Step::Compute => return Some(Ok(Stop::Compute)),
            Step::Draw => Some(state.answered(operation, Answer::Drawn(environment.draw_id()))),
            Step::TakeTurn(_) => None,
            Step::Load(key) => {
                let loaded = immediate.load_now(&key, moment.now);
                loaded.map(|loaded| state.answered(operation, Answer::Loaded(loaded)))
            }
            Step::Save { expected } => {
                let saved = immediate.save_now(state.outgoing(), expected);
                saved.map(|saved| state.answered(operation, Answer::Saved(saved)))
            }
            _ if !environment.store.never_waits() => None,
            other => {
                let answer = answer_at_once(store, state, other, &moment);
                answer.map(|answer| state.answered(operation, answer))
            }
        };
        match answered {
            Some(Ok(())) if operation.is_done() => return Some(Ok(Stop::Done)),
            Some(Ok(())) => {}
            Some(Err(error)) => return Some(Err(error)),
            None => {
                state.take_back();
                return None;
            }
        }
    }
}

/// The answer of a store that never waits to a step that is rare.
fn answer_at_once(store: &AnyStore, state: &State, step: Step, moment: &Moment) -> Option<Answer> {
    match step {
        Step::Create => ready(store.create(state.outgoing())).map(Answer::Created),
        Step::Renew { old, expected } => ready(store.renew(&old, expected, state.outgoing())).map(Answer::Renewed),
        Step::Touch(key) => ready(store.touch(&key, moment.now)).map(Answer::Touched),
        Step::Delete(key) => ready(store.delete(&key)).map(Answer::Deleted),
        Step::ListOf(principal) => ready(store.of_principal(&principal, moment.now)).map(Answer::Listed),
        Step::Done | Step::Compute | Step::Draw | Step::TakeTurn(_) | Step::Load(_) | Step::Save { .. } => None,
    }
}

/// The output of a future that is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Drives an operation to its end. The turn among other writers, once taken, stays with the caller.
pub(super) async fn drive<'a>(
    visit: &'a Visit,
    operation: &mut Operation<'_>,
    turn: &mut Option<Turn<'a>>,
) -> Result<Stop, Error> {
    let environment = visit.environment();
    let store = &environment.store;
    loop {
        let (step, now) = next(visit, operation);
        let outgoing = || visit.0.state.lock().outgoing().clone();
        let answer = match step {
            Step::Done => return Ok(Stop::Done),
            Step::Compute => return Ok(Stop::Compute),
            Step::Draw => Answer::Drawn(environment.draw_id()),
            Step::TakeTurn(key) => {
                *turn = Some(environment.queue_of(&key).join().await);
                Answer::HasTurn
            }
            Step::Load(key) => Answer::Loaded(store.load(&key, now).await),
            Step::Save { expected } => Answer::Saved(store.save(&outgoing(), expected).await),
            Step::Create => Answer::Created(store.create(&outgoing()).await),
            Step::Renew { old, expected } => Answer::Renewed(store.renew(&old, expected, &outgoing()).await),
            Step::Touch(key) => Answer::Touched(store.touch(&key, now).await),
            Step::Delete(key) => Answer::Deleted(store.delete(&key).await),
            Step::ListOf(principal) => Answer::Listed(store.of_principal(&principal, now).await),
        };
        let mut state = visit.0.state.lock();
        let answered = state.answered(operation, answer);
        visit.unlock(state);
        answered?;
    }
}

/// The next step, and the time at which it was decided.
fn next(visit: &Visit, operation: &mut Operation<'_>) -> (Step, Time) {
    let mut state = visit.0.state.lock();
    let moment = visit.environment().moment(&state);
    let step = state.next(operation, &moment);
    // Others may look at the state while the store is waited for.
    state.set_aside();
    visit.unlock(state);
    (step, moment.now)
}
