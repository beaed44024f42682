//! The index by principal: a sorted set of record keys for each principal.
//!
//! It may have keys of records that are gone, but it never misses a live record. A key is added before its record
//! can be loaded, and every record is loaded before it is returned. Keys of records that are gone are deleted when
//! they are found, and when their absolute deadline has passed. The set is deleted with its last key.

use futures_util::future::{join_all, try_join_all};
use session_core::{PrincipalKey, Record, RecordKey, Store, StoreError, Time};

use super::error::unexpected;
use super::scripts;
use super::store::RedisStore;

/// How many commands are sent at the same time.
const BATCH: usize = 100;
/// How often the index is read when all sessions of a principal are to end, because sessions may be renewed meanwhile.
const ROUNDS: usize = 5;

/// The live records that an index names.
struct Found {
    records: Vec<Record>,
    is_all_that_was_named: bool,
}

/// How long the index is to keep a record's key, in milliseconds as text. Empty for as long as the record exists.
pub(super) fn time_left(record: &Record) -> Vec<u8> {
    let left = record.absolute_deadline.map(|deadline| deadline.since(record.accessed).as_millis());
    left.map_or(Vec::new(), |left| left.to_string().into_bytes())
}

impl RedisStore {
    pub(super) fn index_of(&self, record: &Record) -> Option<String> {
        record.principal.as_deref().map(|principal| self.keys.index(&PrincipalKey::of(principal)))
    }

    pub(super) async fn index_add(&self, record: &Record) -> Result<(), StoreError> {
        if let Some(index) = self.index_of(record) {
            let arguments: [&[u8]; 2] = [record.key.as_bytes(), &time_left(record)];
            self.run(&scripts::INDEX_ADD, &[&index], &arguments).await?;
        }
        Ok(())
    }

    /// Deletes the entry of a record that is gone. If that fails, whoever finds the entry deletes it.
    pub(super) async fn index_forget(&self, principal: &[u8], key: &RecordKey) {
        if let Ok(principal) = <[u8; 32]>::try_from(principal) {
            let index = self.keys.index(&PrincipalKey::from_bytes(principal));
            let _ = self.query(redis::cmd("ZREM").arg(index).arg(key.as_bytes())).await;
        }
    }

    pub(super) async fn records_of(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        Ok(self.look_up(principal, now).await?.records)
    }

    /// Deletes the records that the index names, and reads it again until none is left: so a session that is renewed
    /// meanwhile ends too.
    pub(super) async fn delete_records_of(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        let mut deleted = 0;
        for _ in 0..ROUNDS {
            let Found { mut records, is_all_that_was_named } = self.look_up(principal, now).await?;
            records.retain(|record| Some(&record.key) != except);
            if records.is_empty() && is_all_that_was_named {
                break;
            }
            for records in records.chunks(BATCH) {
                let removed = try_join_all(records.iter().map(|record| self.remove(&record.key, None))).await?;
                deleted += removed.into_iter().filter(|removed| *removed).count();
            }
        }
        Ok(deleted)
    }

    async fn look_up(&self, principal: &PrincipalKey, now: Time) -> Result<Found, StoreError> {
        let index = self.keys.index(principal);
        let members = self.members(&index).await?;
        let mut records = Vec::with_capacity(members.len());
        for keys in members.chunks(BATCH) {
            let loaded = try_join_all(keys.iter().map(|key| self.load(key, now))).await?;
            records.extend(loaded.into_iter().flatten().filter(|record| is_of(record, principal)));
        }
        let is_all_that_was_named = records.len() == members.len();
        if !is_all_that_was_named {
            // If this fails, the next call deletes them.
            let _ = self.clean_index(&index).await;
        }
        Ok(Found { records, is_all_that_was_named })
    }

    /// Deletes the entries of an index whose records are gone.
    pub(super) async fn clean_index(&self, index: &str) -> Result<(), StoreError> {
        for keys in self.members(index).await?.chunks(BATCH) {
            let exist = join_all(keys.iter().map(|key| self.exists(key))).await;
            let gone: Vec<&[u8]> = keys
                .iter()
                .zip(exist)
                .filter(|(_, exists)| matches!(exists, Ok(false)))
                .map(|(key, _)| &key.as_bytes()[..])
                .collect();
            if !gone.is_empty() {
                self.query(redis::cmd("ZREM").arg(index).arg(gone)).await?;
            }
        }
        Ok(())
    }

    async fn exists(&self, key: &RecordKey) -> Result<bool, StoreError> {
        let answer = self.query(redis::cmd("EXISTS").arg(self.keys.record(key))).await?;
        redis::from_redis_value(answer).map_err(unexpected)
    }

    async fn members(&self, index: &str) -> Result<Vec<RecordKey>, StoreError> {
        let answer = self.query(redis::cmd("ZRANGE").arg(index).arg(0).arg(-1)).await?;
        let members: Vec<Vec<u8>> = redis::from_redis_value(answer).map_err(unexpected)?;
        let keys = members.into_iter().filter_map(|member| <[u8; 32]>::try_from(member).ok());
        Ok(keys.map(RecordKey::from_bytes).collect())
    }
}

fn is_of(record: &Record, principal: &PrincipalKey) -> bool {
    record.principal.as_deref().map(PrincipalKey::of) == Some(*principal)
}
