use std::collections::HashMap;

use futures_util::future::join;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::Document;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::structured_query::field_filter::Operator;
use session_core::{Deleted, PrincipalKey, RecordKey, StoreError, Time};
use tonic::Status;

use super::document::{self, EXPIRES_AT, PRINCIPAL, moved_of};
use super::documents::{self, Committed, Condition, Documents, Failure, MAX_BATCH, NAME, unless_aborted};

/// Ends sessions, whatever key they have by then.
pub(super) struct Ending<'a> {
    pub(super) records: &'a Documents,
    pub(super) notes: &'a Documents,
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
    pub(super) async fn of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        let mut ended = 0;
        loop {
            let (live, has_more) = unless_aborted(|| self.some_of_principal(principal, except, now)).await?;
            ended += live;
            if !has_more {
                return Ok(ended);
            }
        }
    }

    /// Finds and deletes sessions in one transaction, so that none is renewed in between. How many were live, and whether
    /// there may be more.
    async fn some_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<(usize, bool), Failure> {
        let condition = Condition(PRINCIPAL, Operator::Equal, document::bytes(principal.as_bytes().to_vec()));
        let (documents, transaction) = self.records.query_and_lock(condition, MAX_BATCH, Some(&[EXPIRES_AT])).await?;
        let has_more = documents.len() == MAX_BATCH;
        // A document without that time is no record. It must not stay because of that.
        let is_live = |document: &Document| document::time_of(document, EXPIRES_AT).is_some_and(|end| now < end);
        let mut found: HashMap<RecordKey, bool> =
            documents.iter().filter_map(|document| Some((document::key_of(document)?, is_live(document)))).collect();
        if let Some(key) = except {
            found.remove(&self.key_among(&found, key, now).await?);
        }
        let deletes = found.keys().map(|key| documents::delete(self.records.name_of(key))).collect();
        match self.records.try_to_commit(deletes, transaction).await? {
            Committed::Done(_) => Ok((found.into_values().filter(|is_live| *is_live).count(), has_more)),
            Committed::Exists | Committed::Changed => Err(Status::aborted("a session has changed").into()),
        }
    }

    /// Follows notes to the key under which a session was found. If it was not, it has ended, or its notes are over.
    async fn key_among(
        &self,
        found: &HashMap<RecordKey, bool>,
        key: &RecordKey,
        now: Time,
    ) -> Result<RecordKey, StoreError> {
        let mut key = *key;
        while !found.contains_key(&key) {
            match self.note(&key).await? {
                Some((to, until)) if now < until => key = to,
                _ => break,
            }
        }
        Ok(key)
    }
}
