use std::net::Ipv6Addr;
use std::sync::Arc;

use googleapis_tonic_google_firestore_v1::google::firestore::v1::Document;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::structured_query::field_filter::Operator;
use session_core::{
    Capabilities, Codec, ConfigError, Created, Deleted, DroppedRecords, Envelope, JsonCodec, PrincipalKey, Purged,
    Record, RecordKey, Renewed, Saved, Store, StoreError, Time, Version,
};

use super::document::{self, ACCESSED, EXPIRES_AT, PRINCIPAL, UNTIL, document_of, envelope_of};
use super::documents::{self, Committed, Condition, Documents, MAX_BATCH, NAME, UpdateTime};
use super::ending::Ending;
use crate::address::{check_address, check_name, shown};
use crate::recent_reads::RecentReads;

/// The environment variable by which all clients of Firestore find the emulator.
const EMULATOR_HOST: &str = "FIRESTORE_EMULATOR_HOST";

/// The largest body. A document may have 1 MiB, and the other fields need some of it.
const MAX_BODY_BYTES: usize = 1024 * 1024 - 1024;

/// The most bytes of JSON that surely fit into such a body. A codec adds some, such as the nonce of one that encrypts.
const MAX_SESSION_BYTES: usize = MAX_BODY_BYTES - 1024;

/// What the name of the collection of moved notes ends with. It begins with that of the sessions.
const MOVED: &str = "_moved";

/// Firestore's limit of the name of a collection.
const MAX_NAME_BYTES: usize = 1500;

/// A store in Google's Firestore (Native mode), for many processes and machines. What it has acknowledged survives a
/// crash.
///
/// Each session is one document. With all its fields it may have 1 MiB; a larger session is an error. For 60 s after a
/// renewal there is also a small document in the collection `sess__moved`. Only the database must exist; nothing else
/// needs to be set up. Exempt the field `body` from Firestore's automatic indexes to pay for
/// fewer writes.
///
/// Loading takes one call. Saving takes one call if this process has loaded the session within the last 60 s, otherwise
/// two. Ending all sessions of a user takes two for each 500: a transaction finds and deletes them, so no renewal escapes
/// it. If the calling future is dropped in between, Firestore may hold back changes of these sessions for up to 60 s.
/// Purging reads and deletes each expired document once. `Clone` shares the connection.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use session_core::SessionManager;
/// use session_stores::FirestoreStore;
///
/// let store = FirestoreStore::connect("my-project").await?;
/// let sessions = SessionManager::new(store);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FirestoreStore {
    documents: Documents,
    /// Where records went that were renewed.
    notes: Documents,
    codec: Arc<dyn Codec>,
    dropped: Arc<DroppedRecords>,
    recent_reads: RecentReads<UpdateTime>,
}

impl FirestoreStore {
    /// The default collection of sessions: see [`with_collection`](FirestoreStore::with_collection).
    pub const DEFAULT_COLLECTION: &str = "sess_";

    /// Connects to the default database of a project (`PROJECT`), or to another one (`PROJECT/DATABASE`).
    ///
    /// It signs in with Google's application default credentials: the file that the environment variable
    /// `GOOGLE_APPLICATION_CREDENTIALS` names, or the login of `gcloud auth application-default login`, or the service
    /// account of the machine. If `FIRESTORE_EMULATOR_HOST` is set, it connects to the emulator at that address.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the name is malformed, there are no credentials, or the database can't be read.
    pub async fn connect(database: &str) -> Result<Self, StoreError> {
        if let Ok(host) = std::env::var(EMULATOR_HOST) {
            return FirestoreStore::connect_to_emulator(&host, database).await;
        }
        let database = database_name(database).map_err(|error| StoreError::refused(NAME, error))?;
        FirestoreStore::on(Documents::of_google(database, FirestoreStore::DEFAULT_COLLECTION).await?).await
    }

    /// Connects to Google's emulator at `HOST:PORT`, without `http://`, and ignores the environment. For tests.
    ///
    /// [`StoreError`] if a name is malformed, or the emulator can't be reached.
    pub async fn connect_to_emulator(host: &str, database: &str) -> Result<Self, StoreError> {
        let database = database_name(database).map_err(|error| StoreError::refused(NAME, error))?;
        let host = emulator_host(host).map_err(|error| StoreError::refused(NAME, error))?;
        let emulator = documents::emulator(host)?;
        FirestoreStore::on(Documents::of_emulator(emulator, database, FirestoreStore::DEFAULT_COLLECTION)).await
    }

    /// What [`connect_to_emulator`](FirestoreStore::connect_to_emulator) and
    /// [`with_collection`](FirestoreStore::with_collection) check without a server.
    #[doc(hidden)]
    pub fn check(host: &str, database: &str, collection: &str) -> Result<(), StoreError> {
        let refused = |error| StoreError::refused(NAME, error);
        database_name(database).map_err(refused)?;
        check_collection(collection).map_err(refused)?;
        documents::emulator(emulator_host(host).map_err(refused)?).map(drop)
    }

    async fn on(documents: Documents) -> Result<Self, StoreError> {
        let nobody = RecordKey::from_bytes([0; 32]);
        let _none = documents.get(&nobody).await?;
        let notes = notes_of(&documents);
        Ok(FirestoreStore {
            documents,
            notes,
            codec: Arc::new(JsonCodec),
            dropped: Arc::new(DroppedRecords::new(NAME)),
            recent_reads: RecentReads::new(),
        })
    }

    /// The collection that has the sessions. Default: `sess_`.
    ///
    /// Allowed: 1 to 1494 bytes without `/` and `.`, not of the form `__name__`, and not ending with `_moved`, as the
    /// collection beside it does. Anything else is a [`ConfigError`].
    pub fn with_collection(mut self, collection: &str) -> Result<Self, ConfigError> {
        check_collection(collection)?;
        self.documents = self.documents.of_collection(collection);
        self.notes = notes_of(&self.documents);
        self.recent_reads = RecentReads::new();
        Ok(self)
    }

    /// The codec for the values of sessions. Default: [`JsonCodec`]. An `EncryptedCodec` encrypts them.
    ///
    /// Sessions that were stored with a codec that this one can't read count as missing.
    #[must_use]
    pub fn with_codec(mut self, codec: impl Codec) -> Self {
        self.codec = Arc::new(codec);
        self.recent_reads = RecentReads::new();
        self
    }

    fn seal(&self, record: &Record) -> Result<Envelope, StoreError> {
        let envelope = Envelope::seal(record, &*self.codec).map_err(|error| StoreError::refused(NAME, error))?;
        if envelope.body.len() > MAX_BODY_BYTES {
            let size = envelope.body.len();
            let cause = format!(
                "the session has {size} bytes, and a document of Firestore holds {MAX_BODY_BYTES}: store less in it"
            );
            return Err(StoreError::refused(NAME, cause));
        }
        Ok(envelope)
    }

    fn document_of(&self, envelope: Envelope) -> Document {
        let name = self.documents.name_of(&envelope.key);
        document_of(envelope, name)
    }

    /// The live record of this key, and the time by which a write checks that it is unchanged.
    async fn find(&self, key: &RecordKey, now: Time) -> Result<Option<(Envelope, UpdateTime)>, StoreError> {
        let Some(mut document) = self.documents.get(key).await? else { return Ok(None) };
        let Some(read) = document.update_time.take() else {
            return Err(StoreError::refused(NAME, "a document has no update time"));
        };
        let envelope = envelope_of(*key, document).inspect_err(|error| self.dropped.warn(Some(key), error));
        Ok(envelope.ok().filter(|envelope| envelope.expires_at() > now).map(|envelope| (envelope, read)))
    }

    /// Does what [`find`](Self::find) does, but without a call if this process has read the record lately. The
    /// envelope then has no body. Finds only the given version, if there is one.
    async fn recall_or_find(
        &self,
        key: &RecordKey,
        version: Option<Version>,
        now: Time,
    ) -> Result<Option<(Envelope, UpdateTime)>, StoreError> {
        let is_of_use = |envelope: &Envelope| {
            envelope.expires_at() > now && version.is_none_or(|version| version == envelope.version)
        };
        match self.recent_reads.take(key).filter(|(envelope, _)| is_of_use(envelope)) {
            Some(recent) => Ok(Some(recent)),
            None => self.find(key, now).await,
        }
    }

    fn ending(&self) -> Ending<'_> {
        Ending { records: &self.documents, notes: &self.notes }
    }

    /// The live records of these documents.
    fn open_all(&self, documents: Vec<Document>, now: Time) -> Vec<Record> {
        let open = |document: Document| {
            let key = document::key_of(&document)?;
            let envelope = envelope_of(key, document);
            envelope
                .inspect_err(|error| self.dropped.warn(Some(&key), error))
                .ok()?
                .open_or_warn(&*self.codec, &self.dropped)
        };
        let records = documents.into_iter().filter_map(open);
        records.filter(|record| !record.is_expired(now)).collect()
    }
}

/// The moved notes of the records in these documents.
fn notes_of(documents: &Documents) -> Documents {
    documents.of_collection(&format!("{}{MOVED}", documents.collection))
}

fn check_collection(collection: &str) -> Result<(), ConfigError> {
    let is_reserved = collection.starts_with("__") && collection.ends_with("__") || collection.ends_with(MOVED);
    let max_bytes = MAX_NAME_BYTES - MOVED.len();
    if collection.is_empty() || collection.len() > max_bytes || collection.contains(['/', '.']) || is_reserved {
        return Err(ConfigError::new(format!(
            "{collection:?} is not allowed as the name of a collection; write 1 to {max_bytes} bytes without `/` and \
             `.`, not of the form `__name__`, and not ending with `{MOVED}`"
        )));
    }
    check_name("the name of the collection", collection)
}

/// The full name of the database `PROJECT` or `PROJECT/DATABASE`.
fn database_name(text: &str) -> Result<String, ConfigError> {
    let (project, database) = text.split_once('/').unwrap_or((text, "(default)"));
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:_()".contains(&b));
    if !is_name(project) || !is_name(database) {
        return Err(ConfigError::new(format!(
            "{text:?} is not the name of a Firestore database; write PROJECT or PROJECT/DATABASE"
        )));
    }
    Ok(format!("projects/{project}/databases/{database}"))
}

/// The address of the emulator, if it is `HOST:PORT`.
fn emulator_host(text: &str) -> Result<&str, ConfigError> {
    check_address(text)?;
    let is_host = |host: &str| match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && is_port(port) => Ok(text),
        _ => Err(ConfigError::new(format!(
            "{:?} is not the address of Firestore's emulator; write HOST:PORT, such as `localhost:8080`, without \
             `http://` and without user and password",
            shown(text)
        ))),
    }
}

impl std::fmt::Debug for FirestoreStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Documents { database, collection, .. } = &self.documents;
        f.debug_struct("FirestoreStore").field("database", database).field("collection", collection).finish()
    }
}

impl Store for FirestoreStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL.with_max_session_bytes(MAX_SESSION_BYTES)
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let document = self.document_of(self.seal(record)?);
        Ok(match self.documents.commit(vec![documents::insert(document)]).await? {
            Committed::Done(_) => Created::Done,
            Committed::Exists | Committed::Changed => Created::Exists,
        })
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let Some((envelope, read)) = self.find(key, now).await? else { return Ok(None) };
        let record = envelope.open_or_warn(&*self.codec, &self.dropped);
        self.recent_reads.note(envelope, read);
        Ok(record)
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let mut envelope = self.seal(record)?;
        loop {
            let found = self.recall_or_find(&record.key, Some(expected), record.accessed).await?;
            let Some((stored, read)) = found else { return Ok(Saved::Missing) };
            if stored.version != expected {
                return Ok(Saved::Conflict);
            }
            envelope.accessed = envelope.accessed.max(stored.accessed);
            let write = documents::replace(self.document_of(envelope.clone()), read);
            // The document has changed, perhaps only by a touch, which is no conflict. Look again.
            let Committed::Done(written) = self.documents.commit(vec![write]).await? else { continue };
            if let Some(read) = written {
                self.recent_reads.note(envelope, read);
            }
            return Ok(Saved::Done);
        }
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        loop {
            let Some((mut envelope, read)) = self.recall_or_find(key, None, accessed).await? else {
                return Ok(());
            };
            if envelope.accessed >= accessed {
                return Ok(());
            }
            envelope.accessed = accessed;
            let mut document = self.document_of(envelope);
            document.fields.retain(|name, _| [ACCESSED, EXPIRES_AT].contains(&name.as_str()));
            let write = documents::replace_fields(document, read);
            if let Committed::Done(_) = self.documents.commit(vec![write]).await? {
                return Ok(());
            }
        }
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let document = self.document_of(self.seal(record)?);
        let note = moved_until.map(|until| document::note_of(&record.key, until, self.notes.name_of(old)));
        loop {
            let found = self.recall_or_find(old, Some(expected), record.accessed).await?;
            let Some((stored, read)) = found else { return Ok(Renewed::Missing) };
            if stored.version != expected {
                return Ok(Renewed::Conflict);
            }
            let mut writes = vec![documents::insert(document.clone())];
            writes.extend(note.clone().map(documents::put));
            writes.push(documents::delete_unchanged(self.documents.name_of(old), read));
            match self.documents.commit(writes).await? {
                Committed::Done(_) => return Ok(Renewed::Done),
                Committed::Exists => return Ok(Renewed::Exists),
                Committed::Changed => {}
            }
        }
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        let note = self.ending().note(key).await?;
        Ok(note.filter(|(_, until)| now < *until).map(|(to, _)| to))
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        // What is remembered of the record is of no use any more.
        let _ = self.recent_reads.take(key);
        self.ending().delete(key).await
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let limit = limit.clamp(1, MAX_BATCH);
        let (_, more_notes) = purge(&self.notes, UNTIL, now, limit).await?;
        let (expired, more) = purge(&self.documents, EXPIRES_AT, now, limit).await?;
        Ok(Purged::new(expired, more || more_notes))
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        let condition = Condition(EXPIRES_AT, Operator::GreaterThan, document::time(now));
        Ok(self.open_all(self.documents.query(condition, limit, None).await?, now))
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let value = document::bytes(principal.as_bytes().to_vec());
        let condition = Condition(PRINCIPAL, Operator::Equal, value);
        let documents = self.documents.query_at_one_moment(condition).await?;
        Ok(self.open_all(documents, now))
    }

    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        self.ending().of_principal(principal, except, now).await
    }
}

/// Deletes at most `limit` documents whose field is at most `now`. How many it has deleted, and whether there may be
/// more.
async fn purge(documents: &Documents, field: &'static str, now: Time, limit: usize) -> Result<(u64, bool), StoreError> {
    let condition = Condition(field, Operator::LessThanOrEqual, document::time(now));
    let found = documents.query(condition, limit, Some(&[])).await?;
    let more = found.len() == limit;
    // A document that was touched meanwhile has changed, so it stays.
    let delete = |found: Document| Some(documents::delete_unchanged(found.name, found.update_time?));
    let deletes: Vec<_> = found.into_iter().filter_map(delete).collect();
    let done = if deletes.is_empty() { Vec::new() } else { documents.write_each(deletes).await? };
    Ok((done.into_iter().filter(|is_done| *is_done).count() as u64, more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_emulator_is_checked() {
        for right in ["localhost:8080", "127.0.0.1:1", "[::1]:65535", "emulator_1.example:8080"] {
            assert_eq!(emulator_host(right).unwrap(), right);
        }
        for wrong in [
            "http://localhost:8080",
            "https://localhost:8080",
            "localhost",
            "localhost:",
            "localhost:0",
            ":8080",
            "[]:1",
            "::1:80",
        ] {
            let message = emulator_host(wrong).expect_err(wrong).to_string();
            assert!(message.contains("HOST:PORT") && message.contains("`http://`"), "{message}");
        }
        for wrong in ["app:marker@localhost:8080", "http://app:marker@localhost:8080/marker", "localhost:8080\n"] {
            let message = emulator_host(wrong).expect_err(wrong).to_string();
            assert!(message.contains("localhost") && !message.contains("marker"), "{message}");
        }
    }

    #[test]
    fn databases_are_checked() {
        assert_eq!(database_name("shop-1").unwrap(), "projects/shop-1/databases/(default)");
        assert_eq!(database_name("shop-1/eu").unwrap(), "projects/shop-1/databases/eu");
        for wrong in ["", "/", "shop/", "/eu", "a/b/c", "a b", "shop\r\n"] {
            assert!(database_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
