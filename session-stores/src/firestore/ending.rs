use futures_util::future::join;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::Document;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::structured_query::field_filter::Operator;
use session_core::{Deleted, PrincipalKey, RecordKey, StoreError, Time};

use super::document::{self, CREATED, EXPIRES_AT, PRINCIPAL, moved_of};
use super::documents::{self, Committed, Condition, Documents, MAX_BATCH, NAME};

/// How often the sessions of a principal are looked up at most.
const MAX_ROUNDS: usize = 100;

/// How many moved notes are followed in a round at most. What takes longer is found faster by another query.
const MAX_NOTES: usize = 100;

/// Ends sessions, whatever key they have by then.
pub(super) struct Ending<'a> {
    pub(super) records: &'a Documents,
    pub(super) notes: &'a Documents,
}

/// A document of a principal's.
struct Found {
    key: RecordKey,
    created: Time,
    expires_at: Time,
}

impl Ending<'_> {
    /// The key to which the record of this key went, and the time of its moved note.
    pub(super) async fn note(&self, key: &RecordKey) -> Result<Option<(RecordKey, Time)>, StoreError> {
        let Some(note) = self.notes.get(key).await? else { return Ok(None) };
        moved_of(note).map(Some).map_err(|error| StoreError::refused(NAME, error))
    }

    /// Deletes the record of this key, or says where it went.
    pub(super) async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let delete = vec![documents::delete(self.records.name_of(key))];
        // At the same time, so that whoever follows a session waits once for each renewal, which waits twice.
        let (deleted, note) = join(self.records.commit(delete), self.note(key)).await;
        if let Committed::Done(_) = deleted? {
            return Ok(Deleted::Done);
        }
        let note = match note? {
            Some(note) => Some(note),
            // The note of a renewal that was faster is there by now: both are of one commit.
            None => self.note(key).await?,
        };
        Ok(note.map_or(Deleted::Missing, |(to, _)| Deleted::Moved(to)))
    }

    /// Ends all sessions of a principal, but the one that is, or was, under the key `except`. How many were live.
    ///
    /// A query finds them under the keys that they have at one moment, and one call deletes them. One that is renewed in
    /// between is followed. All of it is repeated until the query finds none.
    pub(super) async fn of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        let (mut ended, mut spared, mut last_start) = (0, except.copied(), None);
        for _ in 0..MAX_ROUNDS {
            let mut found = self.find(principal).await?;
            if let Some(key) = &mut spared {
                self.follow(key, &found, now).await?;
            }
            found.retain(|found| Some(found.key) != spared);
            // Sessions that start meanwhile are spared, or a user who signs in again and again would keep this busy.
            let last_start = *last_start.get_or_insert(found.iter().map(|found| found.created).max());
            found.retain(|found| Some(found.created) <= last_start);
            if found.is_empty() {
                return Ok(ended);
            }
            for batch in found.chunks(MAX_BATCH) {
                ended += self.delete_all(batch, now).await?;
            }
        }
        let cause = format!("sessions of the principal were left after each of {MAX_ROUNDS} attempts; try again");
        Err(StoreError::unavailable(NAME, cause))
    }

    async fn find(&self, principal: &PrincipalKey) -> Result<Vec<Found>, StoreError> {
        let condition = Condition(PRINCIPAL, Operator::Equal, document::bytes(principal.as_bytes().to_vec()));
        let documents = self.records.query(condition, usize::MAX, Some(&[CREATED, EXPIRES_AT])).await?;
        let found = |document: Document| {
            // A document without these times is no record. It must not stay because of that.
            let time = |field| document::time_of(&document, field).unwrap_or(Time::from_unix_millis(i64::MIN));
            Some(Found { key: document::key_of(&document)?, created: time(CREATED), expires_at: time(EXPIRES_AT) })
        };
        Ok(documents.into_iter().filter_map(found).collect())
    }

    /// Follows the session to be spared to the key under which it was found. If it was not, it has ended, or its notes
    /// are over.
    async fn follow(&self, key: &mut RecordKey, found: &[Found], now: Time) -> Result<(), StoreError> {
        while found.iter().all(|found| found.key != *key) {
            match self.note(key).await? {
                Some((to, until)) if now < until => *key = to,
                _ => break,
            }
        }
        Ok(())
    }

    /// Deletes those that are still there or can be followed. How many of them were live.
    async fn delete_all(&self, found: &[Found], now: Time) -> Result<usize, StoreError> {
        let deletes = found.iter().map(|found| documents::delete(self.records.name_of(&found.key)));
        let done = self.records.write_each(deletes.collect()).await?;
        let mut ended = 0;
        for (found, is_done) in found.iter().zip(done) {
            let is_ended = is_done || self.end(&found.key).await?;
            ended += usize::from(is_ended && found.expires_at > now);
        }
        Ok(ended)
    }

    /// Whether it has ended the session that had this key.
    async fn end(&self, key: &RecordKey) -> Result<bool, StoreError> {
        let mut key = *key;
        for _ in 0..MAX_NOTES {
            match self.delete(&key).await? {
                Deleted::Done => return Ok(true),
                Deleted::Missing => return Ok(false),
                Deleted::Moved(to) => key = to,
            }
        }
        Ok(false)
    }
}
