//! The contract of stores in the plainest way: one map of bytes, and one step at a time.

use std::collections::BTreeMap;

use session_core::{
    Created, Deleted, Envelope, JsonCodec, PrincipalKey, Purged, Record, RecordKey, Renewed, Saved, StoreError, Time,
    Version,
};

/// What a database keeps.
#[derive(Default)]
pub struct Records {
    rows: BTreeMap<RecordKey, Row>,
    /// Where a renewed record went, and until when that is to be known.
    moved: BTreeMap<RecordKey, (RecordKey, Time)>,
}

/// A record as bytes, and as it was before it became bytes, for whoever looks on.
struct Row {
    bytes: Vec<u8>,
    seen: Record,
}

type Answer<T> = Result<T, StoreError>;

const NAME: &str = "remote";

impl Row {
    fn new(record: &Record) -> Answer<Self> {
        let envelope = Envelope::seal(record, &JsonCodec).map_err(|error| StoreError::refused(NAME, error))?;
        Ok(Row { bytes: envelope.to_bytes(), seen: record.clone() })
    }

    fn envelope(&self) -> Answer<Envelope> {
        Envelope::from_bytes(self.seen.key, &self.bytes).map_err(|error| StoreError::refused(NAME, error))
    }
}

impl Records {
    /// All records, expired ones too.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.rows.values().map(|row| &row.seen)
    }

    fn live(&self, key: &RecordKey, now: Time) -> Option<&Row> {
        self.rows.get(key).filter(|row| !row.seen.is_expired(now))
    }

    pub fn create(&mut self, record: &Record) -> Answer<Created> {
        if self.rows.contains_key(&record.key) {
            return Ok(Created::Exists);
        }
        self.rows.insert(record.key, Row::new(record)?);
        Ok(Created::Done)
    }

    pub fn load(&self, key: &RecordKey, now: Time) -> Answer<Option<Record>> {
        let Some(row) = self.live(key, now) else { return Ok(None) };
        let record = row.envelope()?.open(&JsonCodec);
        record.map(Some).map_err(|error| StoreError::refused(NAME, error))
    }

    pub fn version(&self, key: &RecordKey, now: Time) -> Answer<Option<Version>> {
        Ok(self.live(key, now).map(|row| row.seen.version))
    }

    pub fn save(&mut self, record: &Record, expected: Version) -> Answer<Saved> {
        let Some(row) = self.live(&record.key, record.accessed) else { return Ok(Saved::Missing) };
        if row.seen.version != expected {
            return Ok(Saved::Conflict);
        }
        let accessed = row.seen.accessed.max(record.accessed);
        let mut record = record.clone();
        record.accessed = accessed;
        self.rows.insert(record.key, Row::new(&record)?);
        Ok(Saved::Done)
    }

    pub fn touch(&mut self, key: &RecordKey, accessed: Time) -> Answer<()> {
        let Some(row) = self.rows.get_mut(key).filter(|row| !row.seen.is_expired(accessed)) else { return Ok(()) };
        row.seen.accessed = row.seen.accessed.max(accessed);
        let mut envelope = row.envelope()?;
        envelope.accessed = row.seen.accessed;
        row.bytes = envelope.to_bytes();
        Ok(())
    }

    pub fn renew(
        &mut self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Answer<Renewed> {
        let Some(row) = self.live(old, record.accessed) else { return Ok(Renewed::Missing) };
        if row.seen.version != expected {
            return Ok(Renewed::Conflict);
        }
        if self.rows.contains_key(&record.key) {
            return Ok(Renewed::Exists);
        }
        self.rows.insert(record.key, Row::new(record)?);
        self.rows.remove(old);
        self.moved.extend(moved_until.map(|until| (*old, (record.key, until))));
        Ok(Renewed::Done)
    }

    pub fn moved(&self, key: &RecordKey, now: Time) -> Answer<Option<RecordKey>> {
        Ok(self.moved.get(key).filter(|(_, until)| now < *until).map(|(to, _)| *to))
    }

    pub fn delete(&mut self, key: &RecordKey) -> Answer<Deleted> {
        if self.rows.remove(key).is_some() {
            return Ok(Deleted::Done);
        }
        Ok(self.moved.get(key).map_or(Deleted::Missing, |(to, _)| Deleted::Moved(*to)))
    }

    pub fn purge_expired(&mut self, now: Time, limit: usize) -> Answer<Purged> {
        let is_expired = |(_, row): &(&RecordKey, &Row)| row.seen.is_expired(now);
        let expired: Vec<RecordKey> = self.rows.iter().filter(is_expired).map(|(key, _)| *key).take(limit).collect();
        for key in &expired {
            self.rows.remove(key);
        }
        self.moved.retain(|_, (_, until)| now < *until);
        Ok(Purged::new(expired.len() as u64, expired.len() == limit))
    }

    pub fn list(&self, now: Time, limit: usize) -> Answer<Vec<Record>> {
        self.rows.keys().filter_map(|key| self.load(key, now).transpose()).take(limit).collect()
    }

    pub fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Answer<Vec<Record>> {
        let is_theirs = |record: &Record| record.principal.as_deref().map(PrincipalKey::of).as_ref() == Some(principal);
        let keys = self.all().filter(|record| is_theirs(record)).map(|record| record.key);
        keys.filter_map(|key| self.load(&key, now).transpose()).collect()
    }
}
