//! The two drivers carry out the decider's steps until none is left. They decide nothing themselves. One never
//! waits, for stores that answer at once; the other is `async`.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::error::Error;
use crate::record::Record;
use crate::store::{Saved, Store};
use crate::time::Time;

use super::conflict_queue::Turn;
use super::environment::Environment;
use super::state::{Answer, Operation, State, Step};
use super::visit::Visit;

/// Why a driver stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Done,
    /// The application's update is to be computed, without the lock of the state. The answer goes to
    /// [`State::answered`]; then the driver goes on.
    Compute,
}

/// Drives an operation without waiting. `None` where something has to be waited for, or older attributes are to be brought
/// up to date, which is the application's code and runs without the state's lock: then no call of the store is under way, and [`drive`] can start the same operation anew. Steps that were done may be done again.
pub(super) fn drive_now(
    environment: &Environment,
    state: &mut State,
    operation: &mut Operation<'_>,
) -> Option<Result<Stop, Error>> {
    let immediate = environment.store.store().immediate()?;
    let moment = environment.moment(state);
    loop {
        // Each arm passes its answer on by itself, and a record is passed on where it is, so that none is moved about.
        let answered = match state.next(operation, &moment) {
            Step::Done => return Some(Ok(Stop::Done)),
            Step::Compute => return Some(Ok(Stop::Compute)),
            Step::Load(key) => match immediate.load_now(&key, moment.now) {
                Some(ref loaded) if environment.has_to_upgrade(loaded) => return waits(state),
                Some(ref mut loaded) => state.loaded(operation, loaded),
                None => return waits(state),
            },
            Step::Save { expected } => match immediate.save_now(state.outgoing(), expected) {
                Some(saved) => state.answered(operation, Answer::Saved(saved)),
                None => return waits(state),
            },
            rare => match do_rare(environment, state, operation, rare) {
                Some(answered) => answered,
                None => return waits(state),
            },
        };
        match answered {
            Ok(()) if operation.is_done() => return Some(Ok(Stop::Done)),
            Ok(()) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// Leaves nothing half done.
fn waits<T>(state: &mut State) -> Option<T> {
    state.take_back();
    None
}

/// Does a step that few requests need, unless it has to wait.
#[cold]
fn do_rare(
    environment: &Environment,
    state: &mut State,
    operation: &mut Operation<'_>,
    step: Step,
) -> Option<Result<(), Error>> {
    let (store, now) = (environment.store.store(), operation.now());
    let answer = match step {
        Step::Draw => Answer::Drawn(environment.draw_id()),
        _ if !environment.store.never_waits() => return None,
        Step::Create => Answer::Created(ready(store.create(state.outgoing()))?),
        Step::Renew { old, expected, moved_until } => {
            Answer::Renewed(ready(store.renew(&old, expected, state.outgoing(), moved_until))?)
        }
        Step::Follow(key) => {
            let found = ready(store.follow(&key, now))?;
            if environment.has_to_upgrade(&found) {
                return None;
            }
            Answer::Followed(found)
        }
        Step::Touch(key) => Answer::Touched(ready(store.touch(&key, now))?),
        Step::Delete(key) => Answer::Deleted(ready(store.delete(&key))?),
        Step::ListOf(principal) => Answer::Listed(ready(store.of_principal(&principal, now))?),
        Step::NoteReplaced => Answer::NotedReplaced(ready(store.create(&environment.note_of_replaced(operation)))?),
        Step::Done | Step::Compute | Step::TakeTurn(_) | Step::Load(_) | Step::Save { .. } => return None,
    };
    Some(state.answered(operation, answer))
}

/// The output of a future that is ready at once.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
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
    environment.late_purge.begin_if_possible();
    loop {
        let (step, now) = next(visit, operation);
        let outgoing = || visit.0.state.lock().outgoing().clone();
        let answer = match step {
            Step::Done => return Ok(Stop::Done),
            Step::Compute => return Ok(Stop::Compute),
            Step::Draw => Answer::Drawn(environment.draw_id()),
            Step::TakeTurn(key) => {
                let taken = turn.insert(environment.queues.join(key).await);
                Answer::HasTurn { last_saved: taken.last_saved() }
            }
            Step::Load(key) => Answer::Loaded(environment.up_to_date(store.load(&key, now).await)?),
            Step::Save { expected } => {
                let record = outgoing();
                let saved = store.save(&record, expected).await;
                if let (Ok(Saved::Done), Some(turn)) = (&saved, turn.as_mut()) {
                    turn.pass_on(record);
                }
                Answer::Saved(saved)
            }
            Step::Create => Answer::Created(store.create(outgoing(), || under_another_id(visit)).await),
            Step::Renew { old, expected, moved_until } => {
                Answer::Renewed(store.renew(&old, expected, &outgoing(), moved_until).await)
            }
            Step::Follow(key) => Answer::Followed(environment.up_to_date(store.follow(&key, now).await)?),
            Step::Touch(key) => Answer::Touched(store.touch(&key, now).await),
            Step::Delete(key) => Answer::Ended(store.end(&key).await),
            Step::ListOf(principal) => Answer::Listed(store.of_principal(&principal, now).await),
            Step::NoteReplaced => {
                Answer::NotedReplaced(store.create(environment.note_of_replaced(operation), || None).await)
            }
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

/// The record of the session that is being stored, if it may have another id.
fn under_another_id(visit: &Visit) -> Option<Record> {
    let id = visit.environment().draw_id().ok()?;
    visit.0.state.lock().start_under(id).cloned()
}
