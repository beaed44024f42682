//! Walking through all keys: for a list, and to clean up.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use session_core::{Purged, Record, RecordKey, Store, StoreError, Time};

use super::RedisStore;
use super::error::store_error;
use super::link::Position;

/// How often all keys are looked at.
const INTERVAL: Duration = Duration::from_secs(3600);
/// Keys asked for at once.
const PAGE: usize = 100;

/// How far a sweep has come.
#[derive(Default)]
pub(super) struct Sweep {
    /// Where to go on; none between two sweeps.
    positions: Vec<Position>,
    started: Option<Instant>,
}

impl Sweep {
    fn is_due(&self) -> bool {
        self.started.is_none_or(|started| started.elapsed() >= INTERVAL)
    }
}

impl RedisStore {
    /// Takes one step of a sweep, if one is under way or due.
    pub(super) async fn sweep_on(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let mut sweep = self.sweep.lock().await;
        let (pattern, count) = (self.keys.pattern(), limit.clamp(1, PAGE));
        let position = sweep.positions.pop();
        if position.is_none() && !sweep.is_due() {
            return Ok(Purged::default());
        }
        // A step that fails or is cancelled ends this sweep; the next one begins anew.
        let mut positions = std::mem::take(&mut sweep.positions);
        let names = match position {
            Some(position) => {
                let (names, next) = self.link.go_on(&position, &pattern, count).await.map_err(store_error)?;
                positions.extend(next);
                names
            }
            None => {
                let (names, starts) = self.link.start_scan(&pattern, count).await.map_err(store_error)?;
                sweep.started = Some(Instant::now());
                positions = starts;
                names
            }
        };
        let expired = self.clean_up(&names, now).await?;
        sweep.positions = positions;
        Ok(Purged { expired, more: !sweep.positions.is_empty(), ..Purged::default() })
    }

    async fn clean_up(&self, names: &[Vec<u8>], now: Time) -> Result<u64, StoreError> {
        for name in names.iter().filter(|name| self.keys.is_index(name)) {
            self.clean_index(&String::from_utf8_lossy(name)).await?;
        }
        let keys = names.iter().filter_map(|name| self.keys.parse_record(name));
        let removing = keys.map(|key| async move { self.remove(&key, Some(now)).await });
        let removed = try_join_all(removing).await?;
        Ok(removed.into_iter().filter(|removed| *removed).count() as u64)
    }

    pub(super) async fn scan_records(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let pattern = self.keys.pattern();
        // A scan may name a key twice.
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
