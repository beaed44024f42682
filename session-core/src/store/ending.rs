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

/// Deletes the record that is, or was, under this key. Whether there was one.
pub(crate) async fn end(store: &(impl Store + ?Sized), key: &RecordKey) -> Result<bool, StoreError> {
    let mut key = *key;
    for _ in 0..MAX_NOTES {
        match store.delete(&key).await? {
            Deleted::Done => return Ok(true),
            Deleted::Missing => return Ok(false),
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
    for _ in 0..MAX_LISTS {
        let mut records = store.of_principal(principal, now).await?;
        // After the list, so that all keys are known under which the list can name the session.
        let spared = names_of(store, except, now).await?;
        records.retain(|record| !spared.contains(&record.key));
        // Sessions that start meanwhile are spared, or a user who signs in again and again would keep this busy.
        let last_start = *last_start.get_or_insert(records.iter().map(|record| record.created).max());
        records.retain(|record| Some(record.created) <= last_start);
        if records.is_empty() {
            return Ok(ended);
        }
        for record in records {
            ended += usize::from(end(store, &record.key).await?);
        }
    }
    let cause = format!("sessions of the principal were left after each of {MAX_LISTS} attempts; try again");
    Err(StoreError::unavailable(store.name(), cause))
}

/// The keys that a session has had since this one, which it was known by.
async fn names_of(
    store: &(impl Store + ?Sized),
    key: Option<&RecordKey>,
    now: Time,
) -> Result<HashSet<RecordKey>, StoreError> {
    let mut names = HashSet::new();
    let mut next = key.copied();
    while let Some(key) = next {
        if names.len() >= MAX_NOTES || !names.insert(key) {
            return Err(renewed_too_often(store.name()));
        }
        next = store.moved(&key, now).await?;
    }
    Ok(names)
}
