use parking_lot::MutexGuard;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::record::Attribute;

use super::drive::{Stop, drive, drive_now};
use super::state::{Answer, Operation, State};
use super::visit::Visit;

/// An update of one attribute that the application computes, or refuses with an error of its own.
pub(crate) struct Update<'a, F> {
    /// The session's, as the handle knows it.
    pub(crate) generation: u32,
    pub(crate) name: &'a str,
    pub(crate) compute: F,
}

/// The locked state, what its [edits](State::edits) were when the old value was read, and the new value.
type Computed<'a, T> = (MutexGuard<'a, State>, u64, T);

impl Visit {
    /// [`update`](Visit::update) where that needs no waiting: `None` if it does.
    pub(crate) fn update_now<T, E, F>(&self, update: &mut Update<'_, F>) -> Option<Result<Result<T, E>, Error>>
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(Option<T>) -> Result<T, E>,
    {
        let environment = self.environment();
        if !environment.store.never_waits() {
            return None;
        }
        let mut operation = Operation::update();
        loop {
            let (mut state, edits, value) = match self.compute(update, &mut operation) {
                Ok(Ok(computed)) => computed,
                Ok(Err(refused)) => return Some(Ok(Err(refused))),
                Err(error) => return Some(Err(error)),
            };
            if state.turn_is_taken {
                return None;
            }
            let driven = match state.answered(&mut operation, Answer::Computed(edits)) {
                Ok(()) => drive_now(environment, &mut state, &mut operation),
                Err(error) => Some(Err(error)),
            };
            self.unlock(state);
            match driven? {
                Ok(Stop::Done) => return Some(Ok(Ok(value))),
                Ok(Stop::Compute) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Updates an attribute and saves it, computed again on a newer record after each conflict. Where it is refused,
    /// nothing is saved.
    pub(crate) async fn update<T, E, F>(&self, mut update: Update<'_, F>) -> Result<Result<T, E>, Error>
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(Option<T>) -> Result<T, E>,
    {
        let _turn = self.turn().await;
        let (mut operation, mut turn, mut updated) = (Operation::update(), None, None);
        loop {
            match (drive(self, &mut operation, &mut turn).await?, updated.take()) {
                (Stop::Done, Some(value)) => return Ok(Ok(value)),
                (Stop::Done, None) => return Err(Error::Gone),
                (Stop::Compute, _) => {
                    let (mut state, edits, value) = match self.compute(&mut update, &mut operation)? {
                        Ok(computed) => computed,
                        Err(refused) => return Ok(Err(refused)),
                    };
                    state.answered(&mut operation, Answer::Computed(edits))?;
                    updated = Some(value);
                }
            }
        }
    }

    /// Computes the update of the session as it is now, and locks the state.
    fn compute<T, E, F>(
        &self,
        update: &mut Update<'_, F>,
        operation: &mut Operation<'_>,
    ) -> Result<Result<Computed<'_, T>, E>, Error>
    where
        T: Serialize + DeserializeOwned,
        F: FnMut(Option<T>) -> Result<T, E>,
    {
        let (before, edits) = {
            let state = self.writable(update.generation)?;
            (state.value(update.name)?, state.edits())
        };
        // Without the lock, because the closure is the application's code and may take long.
        let value = match (update.compute)(before) {
            Ok(value) => value,
            Err(refused) => return Ok(Err(refused)),
        };
        operation.put(Attribute::new(update.name, &value)?);
        Ok(Ok((self.writable(update.generation)?, edits, value)))
    }

    /// The state, if the session of that generation can still be changed.
    pub(crate) fn writable(&self, generation: u32) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.0.state.lock();
        state.check_writable(generation)?;
        Ok(state)
    }
}
