//! Writes records whose keys and index are on different servers of a cluster.
//!
//! A renewal writes the new record as *pending, naming the old key*. Replacing the old record by *moved to the new key*
//! is the commit. Whoever loads a pending record looks at its old key. If that has moved here, the record is live, and
//! the reader makes it an ordinary one; otherwise it does not exist. So at any time exactly one of the two keys works,
//! and an interrupted renewal leaves no session behind.
//!
//! A record with a principal is created in the same way: it is pending until the index has its key. So an entry of the
//! index without a record may be deleted at any time.

use session_core::{Created, Record, RecordKey, Renewed, StoreError, Time, Version};

use crate::refusal::Refusal;

use super::answer::{Settled, outcome};
use super::error::unexpected;
use super::scripts;
use super::store::RedisStore;
use super::value::{self, Value};

impl RedisStore {
    pub(super) async fn create_across(&self, record: &Record, live: &[u8]) -> Result<Created, StoreError> {
        let created = self.stage(record, None, live).await?;
        if created == Created::Done {
            self.index_add(record).await?;
            self.promote(&record.key, None).await?;
        }
        Ok(created)
    }

    pub(super) async fn renew_across(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        live: &[u8],
    ) -> Result<Renewed, StoreError> {
        if self.stage(record, Some(old), live).await? == Created::Exists {
            return Ok(Renewed::Exists);
        }
        self.index_add(record).await?;
        match self.commit(old, expected, record).await? {
            Ok(principal) => {
                self.promote(&record.key, Some(old)).await?;
                self.index_forget(&principal, old).await;
                Ok(Renewed::Done)
            }
            Err(refusal) => {
                self.unstage(record, old).await;
                Ok(refusal.into())
            }
        }
    }

    /// Loads a pending record. `None` unless its renewal was committed.
    pub(super) async fn load_pending(
        &self,
        key: &RecordKey,
        old: &RecordKey,
        now: Time,
    ) -> Result<Option<Record>, StoreError> {
        let answer = self.query(redis::cmd("GETRANGE").arg(self.keys.record(old)).arg(0).arg(32)).await?;
        let marker: Vec<u8> = redis::from_redis_value(answer).map_err(unexpected)?;
        if marker != value::moved(key) {
            // The renewal may have been completed between the two reads.
            return self.load_promoted(key, now).await;
        }
        self.promote(key, Some(old)).await?;
        self.load_promoted(key, now).await
    }

    async fn load_promoted(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        match self.get(key).await? {
            Some(Value::Live(copy)) => Ok(self.open(&copy, now)),
            _ => Ok(None),
        }
    }

    async fn stage(&self, record: &Record, old: Option<&RecordKey>, live: &[u8]) -> Result<Created, StoreError> {
        let pending = [&value::pending_head(old), live].concat();
        self.write(&scripts::STAGE, &[&self.keys.record(&record.key)], &[&pending]).await
    }

    /// Replaces the old record by a note that it has moved. Returns the hash of its principal.
    async fn commit(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
    ) -> Result<Result<Vec<u8>, Refusal>, StoreError> {
        let marker = value::moved(&record.key);
        // At least as long as the pending record, which was written earlier with the same lifetime.
        let kept = record.expires_at().since(record.accessed).as_millis().to_string();
        let arguments: [&[u8]; 4] =
            [&value::version(expected), &marker, &value::time(record.accessed), kept.as_bytes()];
        let answer = self.run(&scripts::COMMIT, &[&self.keys.record(old)], &arguments).await?;
        let (word, principal): (redis::Value, Vec<u8>) = redis::from_redis_value(answer).map_err(unexpected)?;
        let replaced: Result<(), Refusal> = outcome(word)?;
        Ok(replaced.map(|()| principal))
    }

    async fn promote(&self, key: &RecordKey, old: Option<&RecordKey>) -> Result<(), StoreError> {
        let head = value::pending_head(old);
        // Missing is no error: a reader was faster, or the record has ended.
        let _: Settled = self.write(&scripts::PROMOTE, &[&self.keys.record(key)], &[&head]).await?;
        Ok(())
    }

    /// Deletes the pending record of a renewal that was refused. If that fails, the pending record is no session, and
    /// expires.
    async fn unstage(&self, record: &Record, old: &RecordKey) {
        let head = value::pending_head(Some(old));
        let name = self.keys.record(&record.key);
        if let Ok(Settled::Done) = self.write(&scripts::UNSTAGE, &[&name], &[&head]).await
            && let Some(principal) = &record.principal
        {
            let principal = session_core::PrincipalKey::of(principal);
            self.index_forget(principal.as_bytes(), &record.key).await;
        }
    }
}
