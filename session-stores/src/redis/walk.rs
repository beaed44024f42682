//! Walks through all keys: to list records, and to clean up.

use std::collections::HashSet;

use futures_util::future::try_join_all;
use session_core::{Purged, Record, RecordKey, Store, StoreError, Time};

use super::answer::Removed;
use super::error::store_error;
use super::store::RedisStore;
use super::sweep::Step;

/// How many keys the server is asked for at a time.
const PAGE: usize = 100;

impl RedisStore {
    /// Takes one step of a sweep, if one is under way or due.
    pub(super) async fn sweep_on(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let mut sweep = self.sweep.lock().await;
        let Some(step) = sweep.next() else { return Ok(Purged::default()) };
        let (pattern, count) = (self.keys.pattern(), limit.clamp(1, PAGE));
        let (names, positions) = match step {
            Step::Start => {
                let found = self.link.start_scan(&pattern, count).await.map_err(store_error)?;
                sweep.has_started();
                found
            }
            Step::GoOn(position, mut others) => {
                let (names, next) = self.link.go_on(&position, &pattern, count).await.map_err(store_error)?;
                others.extend(next);
                (names, others)
            }
        };
        let expired = self.clean_up(&names, now).await?;
        let more = !positions.is_empty();
        sweep.go_on_at(positions);
        Ok(Purged::new(expired, more))
    }

    async fn clean_up(&self, names: &[Vec<u8>], now: Time) -> Result<u64, StoreError> {
        for name in names.iter().filter(|name| self.keys.is_index(name)) {
            self.clean_index(&String::from_utf8_lossy(name)).await?;
        }
        let keys = names.iter().filter_map(|name| self.keys.parse_record(name));
        let removing = keys.map(|key| async move { self.remove(&key, Some(now)).await });
        let removed = try_join_all(removing).await?;
        Ok(removed.iter().filter(|removed| matches!(removed, Removed::Done(_))).count() as u64)
    }

    pub(super) async fn scan_records(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let pattern = self.keys.pattern();
        // SCAN may return a key twice.
        let mut seen = HashSet::new();
        let mut records = Vec::new();
        let (mut names, mut positions) = self.link.start_scan(&pattern, PAGE).await.map_err(store_error)?;
        loop {
            let keys: Vec<RecordKey> = names.iter().filter_map(|name| self.keys.parse_record(name)).collect();
            let keys = keys.into_iter().filter(|key| seen.insert(*key));
            let loading = keys.map(|key| async move { self.load(&key, now).await });
            records.extend(try_join_all(loading).await?.into_iter().flatten());
            let Some(position) = positions.pop().filter(|_| records.len() < limit) else { break };
            let next;
            (names, next) = self.link.go_on(&position, &pattern, PAGE).await.map_err(store_error)?;
            positions.extend(next);
        }
        records.truncate(limit);
        Ok(records)
    }
}
