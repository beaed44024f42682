//! Renews in three steps, of which the second is the commit:
//!
//! 1. The new record is written as *pending, naming the old key*. For readers it does not exist.
//! 2. The old record is replaced by *moved to the new key*, if it has not changed since it was read.
//! 3. The pending record becomes an ordinary one. What has moved is from then on only a note, until its time is over.
//!
//! A reader that finds a pending record looks at the old key. If that has *moved* to the new key, the reader does step 3.
//! So whatever fails in between, exactly one of the two records exists.
//!
//! **Late writes.** A write whose caller has given up may reach Memcached any time later. Each attempt has a number,
//! which its pending record and its note share. So a pending record that arrives when its session was renewed by a later
//! attempt, and has perhaps ended, is no session: the note has another number. All other steps replace exactly what was
//! read, and so change nothing when they are late.

use session_core::{Envelope, Record, RecordKey, Renewed, StoreError, Time, Version};

use super::item::{Copy, Item, Moved, Pending};
use super::items::{Cas, Found, Replaced};
use super::store::MemcachedStore;
use crate::attempt;
use crate::refusal::Refusal;

/// The outcome of replacing an old record by a note that it has moved.
#[derive(Clone, Copy)]
enum Commit {
    Now(Cas),
    /// An earlier attempt of the same renewal has done it.
    Before,
    Not(Refusal),
}

impl MemcachedStore {
    pub(super) async fn renew_in_steps(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let envelope = self.seal(record)?;
        let Some(found) = self.recall_or_find(old, expected, record.accessed).await? else {
            return self.done_before_or(Renewed::Missing, old, &record.key).await;
        };
        if found.0.envelope.version != expected {
            return Ok(Renewed::Conflict);
        }
        let copy = Copy { until: found.0.until, envelope };
        let Some((attempt, pending)) = self.prepare(old, &copy).await? else {
            return self.done_before_or(Renewed::Exists, old, &record.key).await;
        };
        let moved = Moved { to: record.key, attempt, told_until: moved_until, kept_until: copy.envelope.expires_at() };
        let commit = self.move_away(found, moved, record.accessed).await?;
        if let Err(error) = self.settle(pending, old, copy, moved, commit).await {
            // This is no error: the first reader does step 3.
            tracing::debug!(session = %record.key.fingerprint(), %error, "a renewal is not cleaned up yet; the next reader of the session does it");
        }
        Ok(match commit {
            Commit::Now(_) | Commit::Before => Renewed::Done,
            Commit::Not(refusal) => refusal.into(),
        })
    }

    /// Makes a pending record an ordinary one if its renewal was committed. Whether it is no longer pending: then the
    /// caller looks again.
    pub(super) async fn is_settled(&self, key: &RecordKey, pending: Pending, cas: Cas) -> Result<bool, StoreError> {
        let Pending { old, attempt, copy } = pending;
        match self.note_at(&old).await? {
            Some(moved) if (moved.to, moved.attempt) == (*key, attempt) => {
                // The renewal was its last use, or one before that, so it is kept as long as it lives, or longer.
                let now = copy.envelope.accessed;
                // If the item has changed, another process has done this.
                let _ = self.items.replace(key, cas, &Item::Record(copy), now).await?;
                Ok(true)
            }
            _ => Ok(!self.items.is_unchanged(key, cas).await?),
        }
    }

    pub(super) async fn note_at(&self, old: &RecordKey) -> Result<Option<Moved>, StoreError> {
        Ok(match self.items.get(old).await? {
            Some(Found { item: Ok(Item::Moved(moved)), .. }) => Some(moved),
            _ => None,
        })
    }

    /// The outcome of a renewal that was refused: `Done` if an earlier attempt of the same renewal took effect.
    async fn done_before_or(&self, refused: Renewed, old: &RecordKey, new: &RecordKey) -> Result<Renewed, StoreError> {
        let is_done = self.note_at(old).await?.is_some_and(|moved| moved.to == *new);
        Ok(if is_done { Renewed::Done } else { refused })
    }

    /// Writes the record that is to replace `old`, as pending. Returns its attempt. `None` if its key is taken.
    async fn prepare(&self, old: &RecordKey, copy: &Copy) -> Result<Option<(u64, Cas)>, StoreError> {
        let (key, now) = (copy.envelope.key, copy.envelope.accessed);
        let pending = |attempt| Item::Pending(Pending { old: *old, attempt, copy: copy.clone() });
        loop {
            let attempt = attempt::next();
            if let Some(cas) = self.items.add(&key, &pending(attempt), now).await? {
                return Ok(Some((attempt, cas)));
            }
            match self.items.get(&key).await? {
                // An earlier attempt of the same renewal has written it. Its number stays, because its writer may have
                // gone on, and still commit.
                Some(Found { item: Ok(Item::Pending(Pending { old: other, attempt, .. })), cas }) if other == *old => {
                    if let Replaced::Done(cas) = self.items.replace(&key, cas, &pending(attempt), now).await? {
                        return Ok(Some((attempt, cas)));
                    }
                }
                Some(_) => return Ok(None),
                None => {}
            }
        }
    }

    /// Replaces the old record by a note that it has moved, if it still has the version that was found. This write is
    /// the commit of the renewal.
    async fn move_away(&self, found: (Copy, Cas), moved: Moved, now: Time) -> Result<Commit, StoreError> {
        let (Copy { envelope: Envelope { key: old, version, .. }, .. }, mut cas) = found;
        loop {
            if let Replaced::Done(cas) = self.items.replace(&old, cas, &Item::Moved(moved), now).await? {
                return Ok(Commit::Now(cas));
            }
            cas = match self.find(&old, now).await? {
                // Only a touch has changed the item, which is no conflict.
                Some((copy, cas)) if copy.envelope.version == version => cas,
                Some(_) => return Ok(Commit::Not(Refusal::Conflict)),
                None => {
                    let note = self.note_at(&old).await?;
                    let is_ours = note.is_some_and(|note| (note.to, note.attempt) == (moved.to, moved.attempt));
                    return Ok(if is_ours { Commit::Before } else { Commit::Not(Refusal::Missing) });
                }
            };
        }
    }

    /// Makes a pending record an ordinary one, and lets the note end in its time; or removes the record if the old one
    /// has not moved to it.
    async fn settle(
        &self,
        pending: Cas,
        old: &RecordKey,
        copy: Copy,
        moved: Moved,
        commit: Commit,
    ) -> Result<(), StoreError> {
        let (new, now) = (copy.envelope.key, copy.envelope.accessed);
        if let Commit::Not(_) = commit {
            let _ = self.items.remove(&new, pending).await?;
            return Ok(());
        }
        let promoted = self.items.replace(&new, pending, &Item::Record(copy), now).await?;
        // If the record has changed, it may still be pending. The note then stays as long as the session may live.
        if let (Replaced::Done(_) | Replaced::Missing, Commit::Now(cas)) = (promoted, commit) {
            match moved.told_until {
                Some(until) => {
                    let note = Item::Moved(Moved { kept_until: until, ..moved });
                    let _ = self.items.replace(old, cas, &note, now).await?;
                }
                None => {
                    let _ = self.items.remove(old, cas).await?;
                }
            }
        }
        Ok(())
    }
}
