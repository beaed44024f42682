//! The index by principal: a sorted set of record keys for each principal.
//!
//! It may have keys of records that are gone, but it never misses a live record. A key is added before its record
//! can be loaded, and every record is loaded before it is returned. Keys of records that are gone are deleted when
//! they are found, and when their absolute deadline has passed. The set is deleted with its last key.

use std::collections::HashMap;

use futures_util::future::{join_all, try_join_all};
use session_core::{InvalidRecord, PrincipalKey, Record, RecordKey, StoreError, Time};

use super::answer::{Removed, removed};
use super::error::{NAME, is_of_another_type, store_error, unexpected};
use super::scripts;
use super::store::RedisStore;
use super::value::{self, Value};

/// How many commands are sent at the same time.
const BATCH: usize = 100;
/// How many sessions one script ends at most, and how many moved notes it follows. The server answers nobody else
/// meanwhile: for about 5 ms.
const MOST_AT_ONCE: usize = 250;
/// How many moved notes are followed at most.
const MAX_NOTES: usize = 10_000;

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

    /// The live records of a principal. A session that is renewed meanwhile is found under the key that it has then.
    pub(super) async fn records_of(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let index = self.keys.index(principal);
        let members = self.members(&index).await?;
        let mut found = HashMap::with_capacity(members.len());
        for keys in members.chunks(BATCH) {
            let loaded = try_join_all(keys.iter().map(|key| self.find_where_it_is(key, now))).await?;
            let records = loaded.into_iter().flatten().filter(|record| is_of(record, principal));
            found.extend(records.map(|record| (record.key, record)));
        }
        if found.len() != members.len() {
            // If this fails, the next call deletes them.
            let _ = self.clean_index(&index).await;
        }
        if !self.is_in_one_place() {
            self.drop_older_names(&mut found).await?;
        }
        Ok(found.into_values().collect())
    }

    /// The live record that is under this key, or has moved from it.
    async fn find_where_it_is(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let mut key = *key;
        for _ in 0..MAX_NOTES {
            match self.find(&key).await? {
                Some(Value::Live(copy)) => return Ok(self.open(&copy, now)),
                Some(Value::Moved(_)) if self.is_in_one_place() => return self.follow_in_one_place(&key, now).await,
                Some(Value::Moved(moved)) => key = moved.to,
                _ => return Ok(None),
            }
        }
        Err(renewed_too_often())
    }

    /// Keeps one record of each session. One that was renewed between two of the reads has been found under both keys,
    /// and the note from the first leads to the second.
    async fn drop_older_names(&self, found: &mut HashMap<RecordKey, Record>) -> Result<(), StoreError> {
        let mut starts: HashMap<Time, Vec<RecordKey>> = HashMap::new();
        for record in found.values() {
            starts.entry(record.created).or_default().push(record.key);
        }
        // A renewal keeps the start, so all others are different sessions.
        for key in starts.into_values().filter(|keys| keys.len() > 1).flatten() {
            if self.leads_to_another(&key, found).await? {
                found.remove(&key);
            }
        }
        Ok(())
    }

    async fn leads_to_another(&self, key: &RecordKey, found: &HashMap<RecordKey, Record>) -> Result<bool, StoreError> {
        let mut key = *key;
        for _ in 0..MAX_NOTES {
            let Some(Value::Moved(moved)) = self.peek(&key).await? else { return Ok(false) };
            if found.contains_key(&moved.to) {
                return Ok(true);
            }
            key = moved.to;
        }
        Err(renewed_too_often())
    }

    /// Loads the record to which notes lead from this key, where one script may use all keys.
    pub(super) async fn follow_in_one_place(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let (prefix, now_bytes, most) = (self.keys.prefix().as_bytes(), value::time(now), MOST_AT_ONCE.to_string());
        let mut key = *key;
        loop {
            let arguments: [&[u8]; 4] = [key.as_bytes(), prefix, &now_bytes, most.as_bytes()];
            let answer = self.run(&scripts::FOLLOW, &[&self.keys.record(&key)], &arguments).await?;
            let (last, bytes): (Vec<u8>, Vec<u8>) = redis::from_redis_value(answer).map_err(unexpected)?;
            let last = <[u8; 32]>::try_from(last).map_or(key, RecordKey::from_bytes);
            if last == key || bytes.is_empty() {
                return Ok(None);
            }
            match self.parse(&last, &bytes) {
                Some(Value::Live(copy)) => return Ok(self.open(&copy, now)),
                // A script follows more notes than a client leaves meanwhile.
                Some(Value::Moved(_)) => key = last,
                _ => return Ok(None),
            }
        }
    }

    /// Deletes the record that is, or was, under this key, where one script may use all keys.
    pub(super) async fn end_in_one_place(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        let (prefix, most) = (self.keys.prefix().as_bytes(), MOST_AT_ONCE.to_string());
        let mut key = *key;
        loop {
            let arguments: [&[u8]; 4] = [key.as_bytes(), prefix, self.index_prefix(), most.as_bytes()];
            let answer = self.run(&scripts::END, &[&self.keys.record(&key)], &arguments).await?;
            match removed(answer)? {
                Removed::Done(found_at) => return Ok(<[u8; 32]>::try_from(found_at).ok().map(RecordKey::from_bytes)),
                Removed::Moved(to) => key = to,
                Removed::Pending(_) | Removed::Missing => return Ok(None),
            }
        }
    }

    /// Ends all sessions of a principal but one, where one script may use all keys. At the moment of the last script
    /// there is no other, so no renewal escapes.
    pub(super) async fn end_all_in_one_place(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        let (index, prefix) = (self.keys.index(principal), self.keys.prefix().as_bytes());
        let (now, most) = (value::time(now), MOST_AT_ONCE.to_string());
        let mut spared = except.map_or(Vec::new(), |key| key.as_bytes().to_vec());
        let mut ended = 0;
        loop {
            let arguments: [&[u8]; 5] = [principal.as_bytes(), prefix, &now, &spared, most.as_bytes()];
            let answer = self.run(&scripts::END_ALL, &[&index], &arguments).await?;
            let (count, has_more, spared_now): (usize, bool, Vec<u8>) =
                redis::from_redis_value(answer).map_err(unexpected)?;
            ended += count;
            if !has_more {
                return Ok(ended);
            }
            spared = spared_now;
        }
    }

    /// Deletes the entries of an index whose records are gone. One that is not ours is left alone.
    pub(super) async fn clean_index(&self, index: &str) -> Result<(), StoreError> {
        let members = match self.link.query(&members(index)).await {
            Err(error) if is_of_another_type(&error) => {
                self.dropped.warn(None, &InvalidRecord::OtherType);
                return Ok(());
            }
            answer => parse_members(answer.map_err(store_error)?)?,
        };
        for keys in members.chunks(BATCH) {
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
        parse_members(self.query(&members(index)).await?)
    }
}

fn members(index: &str) -> redis::Cmd {
    let mut members = redis::cmd("ZRANGE");
    members.arg(index).arg(0).arg(-1);
    members
}

fn parse_members(answer: redis::Value) -> Result<Vec<RecordKey>, StoreError> {
    let members: Vec<Vec<u8>> = redis::from_redis_value(answer).map_err(unexpected)?;
    let keys = members.into_iter().filter_map(|member| <[u8; 32]>::try_from(member).ok());
    Ok(keys.map(RecordKey::from_bytes).collect())
}

fn renewed_too_often() -> StoreError {
    StoreError::unavailable(NAME, format!("a session was renewed more than {MAX_NOTES} times in a minute; try again"))
}

fn is_of(record: &Record, principal: &PrincipalKey) -> bool {
    record.principal.as_deref().map(PrincipalKey::of) == Some(*principal)
}
