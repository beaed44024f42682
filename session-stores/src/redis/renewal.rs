//! Writes records whose keys and index are on different servers of a cluster.
//!
//! A renewal writes the new record as *pending, naming the old key*. Replacing the old record by *moved to the new key*
//! is the commit. Whoever meets a pending record looks at its old key. If that has moved here, the record is live, and
//! the reader makes it an ordinary one; otherwise it does not exist. So at any time exactly one of the two keys works,
//! and an interrupted renewal leaves no session behind.
//!
//! When nothing is pending any more, the moved value is a note for those who may follow it, until its time is over.
//! Before that it stays as long as the session may live, because it decides about the pending record.
//!
//! A record with a principal is created in the same way: it is pending until the index has its key. So an entry of the
//! index without a record may be deleted at any time.
//!
//! **Late writes.** A command whose writer has given up may still reach its server, any time later. Each attempt has a
//! number, which the pending record and the moved value share. A pending record that arrives when its session was
//! renewed by a later attempt, and has perhaps ended, has the wrong number, so it is no session, and no later command
//! makes it one. A commit, a promotion or anything later in an attempt is only sent once the record was seen to be
//! pending, and finds its number or changes nothing.

use futures_util::future::join;
use session_core::{Created, Record, RecordKey, Renewed, StoreError, Time, Version};

use crate::attempt;
use crate::refusal::Refusal;

use super::answer::{outcome, staged};
use super::error::unexpected;
use super::scripts;
use super::store::RedisStore;
use super::value::{self, Moved, Pending, Value};

impl RedisStore {
    pub(super) async fn create_across(&self, record: &Record, live: &[u8]) -> Result<Created, StoreError> {
        let Some(pending) = self.stage(record, None, live).await? else { return Ok(Created::Exists) };
        self.index_add(record).await?;
        self.promote(&record.key, &pending).await?;
        Ok(Created::Done)
    }

    pub(super) async fn renew_across(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        live: &[u8],
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let Some(pending) = self.stage(record, Some(*old), live).await? else {
            return self.done_before_or_exists(old, record).await;
        };
        self.index_add(record).await?;
        let moved = Moved { to: record.key, attempt: pending.attempt, until: moved_until };
        match self.commit(old, expected, record, moved).await? {
            Ok(principal) => {
                self.promote(&record.key, &pending).await?;
                join(self.settle(old, moved, record.accessed), self.index_forget(&principal, old)).await;
                Ok(Renewed::Done)
            }
            Err(refusal) => {
                self.abandon(record, &pending).await;
                Ok(refusal.into())
            }
        }
    }

    /// Makes a pending record an ordinary one if its renewal was committed. A record that is being created is completed
    /// by its writer only.
    pub(super) async fn complete(&self, key: &RecordKey, pending: &Pending) -> Result<(), StoreError> {
        let Some(old) = pending.old else { return Ok(()) };
        match self.peek(&old).await? {
            Some(Value::Moved(moved)) if (moved.to, moved.attempt) == (*key, pending.attempt) => {
                self.promote(key, pending).await
            }
            _ => Ok(()),
        }
    }

    /// The outcome where the new key is taken: by an earlier attempt that took effect, or by another session.
    async fn done_before_or_exists(&self, old: &RecordKey, record: &Record) -> Result<Renewed, StoreError> {
        Ok(match self.peek(old).await? {
            Some(Value::Moved(moved)) if moved.to == record.key => Renewed::Done,
            _ => Renewed::Exists,
        })
    }

    /// Writes a pending record. `None` if its key is taken.
    async fn stage(&self, record: &Record, old: Option<RecordKey>, live: &[u8]) -> Result<Option<Pending>, StoreError> {
        let pending = Pending { old, attempt: attempt::next() };
        let value = [&pending.head()[..], live].concat();
        let answer = self.run(&scripts::STAGE, &[&self.keys.record(&record.key)], &[&value]).await?;
        Ok(staged(answer)?.map(|attempt| Pending { attempt, ..pending }))
    }

    /// Replaces the old record by a note that it has moved. Returns the hash of its principal.
    async fn commit(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved: Moved,
    ) -> Result<Result<Vec<u8>, Refusal>, StoreError> {
        // At least as long as the pending record, which was written earlier with the same lifetime.
        let kept = record.expires_at().since(record.accessed).as_millis().to_string();
        let arguments: [&[u8]; 4] =
            [&value::version(expected), &moved.to_bytes(), &value::time(record.accessed), kept.as_bytes()];
        let answer = self.run(&scripts::COMMIT, &[&self.keys.record(old)], &arguments).await?;
        let (word, principal): (redis::Value, Vec<u8>) = redis::from_redis_value(answer).map_err(unexpected)?;
        let replaced: Result<(), Refusal> = outcome(word)?;
        Ok(replaced.map(|()| principal))
    }

    async fn promote(&self, key: &RecordKey, pending: &Pending) -> Result<(), StoreError> {
        // Nothing is found if a reader was faster, or the record has ended.
        self.run(&scripts::PROMOTE, &[&self.keys.record(key)], &[&pending.head()]).await?;
        Ok(())
    }

    /// Lets the note end in its time, as nothing is pending any more. If that fails, it stays as long as the session may
    /// live, and is followed no longer than it may be.
    async fn settle(&self, old: &RecordKey, moved: Moved, now: Time) {
        let arguments: [&[u8]; 2] = [&moved.to_bytes(), &value::time(now)];
        let _ = self.run(&scripts::SETTLE, &[&self.keys.record(old)], &arguments).await;
    }

    /// Lets the pending record of a renewal that was refused expire. If that fails, it expires later. It is no session.
    async fn abandon(&self, record: &Record, pending: &Pending) {
        let head = pending.head_of(record.version);
        let _ = self.run(&scripts::ABANDON, &[&self.keys.record(&record.key)], &[&head]).await;
    }
}
