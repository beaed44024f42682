//! The operations of a store, as commands and scripts for the server.

use session_core::{
    Buried, Capabilities, Created, Deleted, Envelope, FastStore, PrincipalKey, Purged, Record, RecordKey, Renewed,
    Saved, Store, StoreError, Time, Version,
};

use super::answer::{Outcome, Removed, outcome, outcome_and_use, removed};
use super::error::{NAME, is_of_another_type, store_error, unexpected};
use super::index;
use super::link::Link;
use super::scripts::{self, Script};
use super::store::RedisStore;
use super::value::{self, Moved, Value};

impl Store for RedisStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let value = self.seal(record)?;
        let name = self.keys.record(&record.key);
        match self.index_of(record) {
            None => self.write(&scripts::CREATE, &[&name], &[&value]).await,
            Some(index) if self.is_in_one_place() => {
                let arguments: [&[u8]; 3] = [&value, record.key.as_bytes(), &index::time_left(record)];
                self.write(&scripts::CREATE, &[&name, &index], &arguments).await
            }
            Some(_) => self.create_across(record, &value).await,
        }
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        match self.find(key).await? {
            Some(Value::Live(copy)) => Ok(self.open(&copy, now)),
            _ => Ok(None),
        }
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        match self.peek(key).await? {
            Some(Value::Live(copy)) => Ok(copy.is_valid(now).then_some(copy.envelope.version)),
            Some(Value::Pending(_)) => Ok(self.load(key, now).await?.map(|record| record.version)),
            _ => Ok(None),
        }
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        Ok(self.save_and_see(record, expected).await?.0)
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.run(&scripts::TOUCH, &[&self.keys.record(key)], &[&value::time(accessed)]).await?;
        Ok(())
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        Ok(self.renew_and_see(old, expected, record, moved_until).await?.0)
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        let Some(Value::Moved(moved)) = self.peek(key).await? else { return Ok(None) };
        Ok(moved.until.is_some_and(|until| now < until).then_some(moved.to))
    }

    async fn follow(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        if self.is_in_one_place() {
            return self.follow_in_one_place(key, now).await;
        }
        session_core::internals::follow(self, key, now).await
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let mut removed = self.remove(key, None).await?;
        if let Removed::Pending(pending) = &removed {
            self.complete(key, pending).await?;
            removed = self.remove(key, None).await?;
        }
        Ok(match removed {
            Removed::Done(_) => Deleted::Done,
            Removed::Moved(to) => Deleted::Moved(to),
            Removed::Pending(_) | Removed::Missing => Deleted::Missing,
        })
    }

    async fn end(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        if self.is_in_one_place() {
            return self.end_in_one_place(key).await;
        }
        session_core::internals::end(self, key).await
    }

    /// Sweeps through all keys, at most once an hour. Redis deletes expired records and moved notes itself, so this only
    /// deletes entries of the index whose records are gone, and records that have expired by `now` but not by Redis' clock.
    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.sweep_on(now, limit).await
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.scan_records(now, limit).await
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        self.records_of(principal, now).await
    }

    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        if self.is_in_one_place() {
            return self.end_all_in_one_place(principal, except, now).await;
        }
        session_core::internals::end_all(self, principal, except, now).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        if let Link::Server(server) = &self.link {
            server.disconnect();
        }
        Ok(())
    }
}

impl FastStore for RedisStore {
    async fn fill(&self, record: &Record, now: Time, until: Time) -> Result<(), StoreError> {
        let value = self.seal_until(record, until)?;
        self.run(&scripts::FILL, &[&self.keys.record(&record.key)], &[&value, &value::time(now)]).await?;
        Ok(())
    }

    async fn bury(&self, key: &RecordKey, now: Time, until: Time) -> Result<(), StoreError> {
        let _done = self.bury_if(key, b"", now, until).await?;
        Ok(())
    }

    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> Result<Buried, StoreError> {
        if !self.is_in_one_place() {
            // Loading it completes a renewal, so that the record is no longer pending.
            let _found = self.load(key, now).await?;
        }
        self.bury_if(key, &value::version(expected), now, until).await
    }
}

impl RedisStore {
    /// Whether one script may use the keys of several sessions, because all are on one server.
    pub(super) fn is_in_one_place(&self) -> bool {
        !matches!(self.link, Link::Cluster(_)) || self.keys.have_hash_tag()
    }

    /// The prefix of the indexes' keys, for scripts. Empty if a script must not use them.
    pub(super) fn index_prefix(&self) -> &[u8] {
        if self.is_in_one_place() { self.keys.index_prefix().as_bytes() } else { b"" }
    }

    pub(super) async fn query(&self, command: &redis::Cmd) -> Result<redis::Value, StoreError> {
        self.link.query(command).await.map_err(store_error)
    }

    pub(super) async fn run(
        &self,
        script: &Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<redis::Value, StoreError> {
        self.link.run(script, keys, arguments).await.map_err(store_error)
    }

    pub(super) async fn write<T: Outcome>(
        &self,
        script: &Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<T, StoreError> {
        outcome(self.run(script, keys, arguments).await?)
    }

    /// Leaves a tombstone, unless a live record of another version than `expected` is there. An empty `expected` means
    /// any version.
    async fn bury_if(&self, key: &RecordKey, expected: &[u8], now: Time, until: Time) -> Result<Buried, StoreError> {
        let arguments: [&[u8]; 3] = [&value::tombstone(until), &value::time(now), expected];
        self.write(&scripts::BURY, &[&self.keys.record(key)], &arguments).await
    }

    pub(super) fn seal(&self, record: &Record) -> Result<Vec<u8>, StoreError> {
        self.seal_until(record, Time::MAX)
    }

    pub(super) fn seal_until(&self, record: &Record, until: Time) -> Result<Vec<u8>, StoreError> {
        let envelope = Envelope::seal(record, &*self.codec).map_err(|error| StoreError::refused(NAME, error))?;
        Ok(value::live(&envelope, until))
    }

    pub(super) async fn get(&self, key: &RecordKey) -> Result<Option<Value>, StoreError> {
        let answer = self.link.query(redis::cmd("GET").arg(self.keys.record(key))).await;
        let bytes: Option<Vec<u8>> = match answer {
            Ok(answer) => redis::from_redis_value(answer).map_err(unexpected)?,
            // Not a string, so not a value of ours.
            Err(error) if is_of_another_type(&error) => Some(Vec::new()),
            Err(error) => return Err(store_error(error)),
        };
        Ok(bytes.and_then(|bytes| self.parse(key, &bytes)))
    }

    /// What these bytes under a key are. `None`, with a warning, if they are nothing of ours.
    pub(super) fn parse(&self, key: &RecordKey, bytes: &[u8]) -> Option<Value> {
        Value::parse(key, bytes).inspect_err(|error| self.dropped.warn(Some(key), error)).ok()
    }

    /// What is under a key. A pending record whose renewal was committed is made an ordinary one first.
    pub(super) async fn find(&self, key: &RecordKey) -> Result<Option<Value>, StoreError> {
        match self.get(key).await? {
            Some(Value::Pending(pending)) => {
                self.complete(key, &pending).await?;
                // Its writer may have completed it as well.
                self.get(key).await
            }
            found => Ok(found),
        }
    }

    /// Reads a record without its body.
    pub(super) async fn peek(&self, key: &RecordKey) -> Result<Option<Value>, StoreError> {
        let last = value::HEAD - 1;
        let answer = self.link.query(redis::cmd("GETRANGE").arg(self.keys.record(key)).arg(0).arg(last)).await;
        let head: Vec<u8> = match answer {
            Ok(answer) => redis::from_redis_value(answer).map_err(unexpected)?,
            Err(error) if is_of_another_type(&error) => Vec::new(),
            Err(error) => return Err(store_error(error)),
        };
        Ok(Value::parse(key, &head).ok())
    }

    pub(super) fn open(&self, copy: &value::Copy, now: Time) -> Option<Record> {
        copy.is_valid(now).then(|| copy.envelope.open_or_warn(&*self.codec, &self.dropped)).flatten()
    }

    /// Saves a record. If that is done, also returns the `accessed` that is stored.
    pub(super) async fn save_and_see(
        &self,
        record: &Record,
        expected: Version,
    ) -> Result<(Saved, Option<Time>), StoreError> {
        let value = self.seal(record)?;
        let arguments: [&[u8]; 2] = [&value::version(expected), &value];
        outcome_and_use(self.run(&scripts::SAVE, &[&self.keys.record(&record.key)], &arguments).await?)
    }

    /// Renews a record. If that is done, also returns the `accessed` that is stored.
    pub(super) async fn renew_and_see(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<(Renewed, Option<Time>), StoreError> {
        let value = self.seal(record)?;
        if !self.is_in_one_place() {
            let renewed = self.renew_across(old, expected, record, &value, moved_until).await?;
            return Ok((renewed, (renewed == Renewed::Done).then_some(record.accessed)));
        }
        let index = self.index_of(record);
        let (old_name, new_name) = (self.keys.record(old), self.keys.record(&record.key));
        let names: Vec<&str> =
            [Some(&old_name), Some(&new_name), index.as_ref()].into_iter().flatten().map(String::as_str).collect();
        let (expected, left) = (value::version(expected), index::time_left(record));
        let note = moved_until.map(|_| Moved { to: record.key, attempt: 0, until: moved_until }.to_bytes());
        let note = note.unwrap_or_default();
        let arguments: [&[u8]; 7] =
            [&expected, &value, record.key.as_bytes(), &left, old.as_bytes(), self.index_prefix(), &note];
        outcome_and_use(self.run(&scripts::RENEW, &names, &arguments).await?)
    }

    /// Deletes the record of this key. With a time, only if it has expired by then.
    pub(super) async fn remove(&self, key: &RecordKey, expired_by: Option<Time>) -> Result<Removed, StoreError> {
        let expired_by = expired_by.map(value::time);
        let expired_by: &[u8] = expired_by.as_ref().map_or(&[], |time| time);
        let arguments: [&[u8]; 3] = [key.as_bytes(), self.index_prefix(), expired_by];
        let removed = removed(self.run(&scripts::REMOVE, &[&self.keys.record(key)], &arguments).await?)?;
        if let Removed::Done(principal) = &removed
            && !self.is_in_one_place()
        {
            self.index_forget(principal, key).await;
        }
        Ok(removed)
    }
}
