//! Ends sessions by what they are, not by the key that they had: whoever finds a moved note goes on where it leads.

use std::collections::HashSet;

use crate::error::StoreError;
use crate::record::{PrincipalKey, RecordKey};
use crate::time::Time;

use super::contract::Store;
use super::outcome::Deleted;

/// How many moved notes are followed at most. A deletion takes one call for each, a renewal more than one, so whoever
/// renews as fast as possible is overtaken long before.
const MAX_NOTES: usize = 100_000;

/// How often the sessions of a principal are listed at most. The second list is empty, unless a store has missed one.
const MAX_LISTS: usize = 100;

/// See [`Store::end`].
pub async fn end(store: &(impl Store + ?Sized), key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
    let mut key = *key;
    for _ in 0..MAX_NOTES {
        match store.delete(&key).await? {
            Deleted::Done => return Ok(Some(key)),
            Deleted::Missing => return Ok(None),
            Deleted::Moved(to) => key = to,
        }
    }
    Err(renewed_too_often(store.name()))
}

/// Why an ending gave up.
fn renewed_too_often(store: &'static str) -> StoreError {
    let cause = format!("the session was renewed during each of {MAX_NOTES} attempts to end it; try again");
    StoreError::unavailable(store, cause)
}

/// See [`Store::delete_of_principal`].
pub async fn end_all(
    store: &(impl Store + ?Sized),
    principal: &PrincipalKey,
    except: Option<&RecordKey>,
    now: Time,
) -> Result<usize, StoreError> {
    let mut ended = 0;
    let mut last_start = None;
    let mut spared = Names::of(except);
    for _ in 0..MAX_LISTS {
        let mut records = store.of_principal(principal, now).await?;
        // After the list, so that all keys are known under which the list can name the session.
        spared.follow(store, now).await?;
        records.retain(|record| !spared.known.contains(&record.key));
        // Sessions that start meanwhile are spared, or a user who signs in again and again would keep this busy.
        let last_start = *last_start.get_or_insert(records.iter().map(|record| record.created).max());
        records.retain(|record| Some(record.created) <= last_start);
        if records.is_empty() {
            return Ok(ended);
        }
        for record in records {
            ended += usize::from(store.end(&record.key).await?.is_some());
        }
    }
    let cause = format!("sessions of the principal were left after each of {MAX_LISTS} attempts; try again");
    Err(StoreError::unavailable(store.name(), cause))
}

/// The keys that a session has had since the one that it was known by.
struct Names {
    known: HashSet<RecordKey>,
    last: Option<RecordKey>,
}

impl Names {
    fn of(key: Option<&RecordKey>) -> Self {
        Names { known: key.into_iter().copied().collect(), last: key.copied() }
    }

    /// Adds the keys that the session has got since the last one that is known.
    async fn follow(&mut self, store: &(impl Store + ?Sized), now: Time) -> Result<(), StoreError> {
        let Some(mut last) = self.last else { return Ok(()) };
        while let Some(next) = store.moved(&last, now).await? {
            if self.known.len() >= MAX_NOTES || !self.known.insert(next) {
                return Err(renewed_too_often(store.name()));
            }
            last = next;
            self.last = Some(next);
        }
        Ok(())
    }
}
