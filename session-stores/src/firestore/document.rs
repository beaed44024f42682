use std::collections::HashMap;

use googleapis_tonic_google_firestore_v1::google::firestore::v1::value::ValueType;
use googleapis_tonic_google_firestore_v1::google::firestore::v1::{Document, Value};
use session_core::{Envelope, InvalidRecord, PrincipalKey, RecordKey, Time, Version};

const CREATED: &str = "created";
pub(super) const ACCESSED: &str = "accessed";
pub(super) const EXPIRES_AT: &str = "expires_at";
pub(super) const PRINCIPAL: &str = "principal";
pub(super) const UNTIL: &str = "until";

/// Turns an envelope into the document with this name. Times are milliseconds since the Unix epoch.
pub(super) fn document_of(envelope: Envelope, name: String) -> Document {
    let expires_at = envelope.expires_at();
    let mut fields = HashMap::from([
        ("version".to_owned(), integer(envelope.version.get() as i64)),
        (CREATED.to_owned(), time(envelope.created)),
        (ACCESSED.to_owned(), time(envelope.accessed)),
        ("idle_timeout".to_owned(), integer(envelope.idle_timeout_ms)),
        ("persistent".to_owned(), value(ValueType::BooleanValue(envelope.persistent))),
        (EXPIRES_AT.to_owned(), time(expires_at)),
        ("body".to_owned(), bytes(envelope.body)),
    ]);
    if let Some(deadline) = envelope.absolute_deadline {
        fields.insert("absolute_deadline".to_owned(), time(deadline));
    }
    if let Some(principal) = envelope.principal {
        fields.insert(PRINCIPAL.to_owned(), bytes(principal.as_bytes().to_vec()));
    }
    Document { name, fields, ..Document::default() }
}

/// Turns the document of this key back into an envelope.
pub(super) fn envelope_of(key: RecordKey, document: Document) -> Result<Envelope, InvalidRecord> {
    let mut fields = Fields(document.fields);
    let version = Version::from_number(fields.integer("version")? as u64);
    let mut envelope = Envelope::new(key, version, fields.bytes("body")?);
    envelope.created = fields.time(CREATED)?;
    envelope.accessed = fields.time(ACCESSED)?;
    envelope.idle_timeout_ms = fields.integer("idle_timeout")?;
    envelope.persistent = fields.boolean("persistent")?;
    if fields.has("absolute_deadline") {
        envelope.absolute_deadline = Some(fields.time("absolute_deadline")?);
    }
    if fields.has(PRINCIPAL) {
        envelope.principal = Some(fields.principal()?);
    }
    Ok(envelope)
}

/// A moved note, as the document with this name: where a record went, and until when that is to be known.
pub(super) fn note_of(to: &RecordKey, until: Time, name: String) -> Document {
    let moved_to = ("moved_to".to_owned(), bytes(to.as_bytes().to_vec()));
    Document { name, fields: HashMap::from([moved_to, (UNTIL.to_owned(), time(until))]), ..Document::default() }
}

/// Turns the document of a moved note back into its key and its time.
pub(super) fn moved_of(note: Document) -> Result<(RecordKey, Time), InvalidRecord> {
    let mut fields = Fields(note.fields);
    let to = fields.bytes("moved_to")?.try_into().map_err(|_| InvalidRecord::Truncated)?;
    Ok((RecordKey::from_bytes(to), fields.time(UNTIL)?))
}

/// The key in the last part of a document's name.
pub(super) fn key_of(document: &Document) -> Option<RecordKey> {
    document.name.rsplit('/').next()?.parse().ok()
}

/// The time in a field of a document. `None` if there is none.
pub(super) fn time_of(document: &Document, field: &str) -> Option<Time> {
    match document.fields.get(field)?.value_type {
        Some(ValueType::IntegerValue(millis)) => Some(Time::from_unix_millis(millis)),
        _ => None,
    }
}

pub(super) fn time(time: Time) -> Value {
    integer(time.unix_millis())
}

pub(super) fn bytes(bytes: Vec<u8>) -> Value {
    value(ValueType::BytesValue(bytes))
}

fn integer(number: i64) -> Value {
    value(ValueType::IntegerValue(number))
}

fn value(value: ValueType) -> Value {
    Value { value_type: Some(value) }
}

/// Fields that must exist and have the right type.
struct Fields(HashMap<String, Value>);

impl Fields {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn integer(&mut self, name: &str) -> Result<i64, InvalidRecord> {
        match self.take(name) {
            Some(ValueType::IntegerValue(number)) => Ok(number),
            _ => Err(InvalidRecord::Truncated),
        }
    }

    fn time(&mut self, name: &str) -> Result<Time, InvalidRecord> {
        self.integer(name).map(Time::from_unix_millis)
    }

    fn boolean(&mut self, name: &str) -> Result<bool, InvalidRecord> {
        match self.take(name) {
            Some(ValueType::BooleanValue(is)) => Ok(is),
            _ => Err(InvalidRecord::Truncated),
        }
    }

    fn bytes(&mut self, name: &str) -> Result<Vec<u8>, InvalidRecord> {
        match self.take(name) {
            Some(ValueType::BytesValue(bytes)) => Ok(bytes),
            _ => Err(InvalidRecord::Truncated),
        }
    }

    fn principal(&mut self) -> Result<PrincipalKey, InvalidRecord> {
        let bytes = self.bytes(PRINCIPAL)?.try_into().map_err(|_| InvalidRecord::Truncated)?;
        Ok(PrincipalKey::from_bytes(bytes))
    }

    fn take(&mut self, name: &str) -> Option<ValueType> {
        self.0.remove(name)?.value_type
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        let version = Version::from_number(3 << 32 | u64::from(u32::MAX));
        let mut envelope = Envelope::new(RecordKey::from_bytes([7; 32]), version, b"body".to_vec());
        envelope.created = Time::from_unix_millis(1_700_000_000_000);
        envelope.accessed = Time::from_unix_millis(1_700_000_001_000);
        envelope.idle_timeout_ms = 1_800_000;
        envelope.absolute_deadline = Some(Time::from_unix_millis(1_700_086_400_000));
        envelope.persistent = true;
        envelope.principal = Some(PrincipalKey::of("ann"));
        envelope
    }

    #[test]
    fn what_was_written_is_read() {
        let mut bare = envelope();
        (bare.absolute_deadline, bare.principal) = (None, None);
        for envelope in [envelope(), bare] {
            let document = document_of(envelope.clone(), format!("a/b/{}", envelope.key));
            assert_eq!(key_of(&document), Some(envelope.key));
            assert_eq!(envelope_of(envelope.key, document).unwrap(), envelope);
        }
    }

    #[test]
    fn a_note_that_was_written_is_read_and_half_a_note_is_refused() {
        let (to, until) = (RecordKey::from_bytes([8; 32]), Time::from_unix_millis(1_700_000_060_000));
        let note = note_of(&to, until, String::new());
        assert_eq!(moved_of(note.clone()).unwrap(), (to, until));
        for name in ["moved_to", UNTIL] {
            let mut altered = note.clone();
            altered.fields.insert(name.to_owned(), bytes(vec![7; 31]));
            assert!(moved_of(altered).is_err(), "{name}");
        }
    }

    #[test]
    fn a_missing_or_foreign_field_is_refused() {
        let document = document_of(envelope(), String::new());
        for name in document.fields.keys().filter(|name| *name != EXPIRES_AT) {
            let mut altered = document.clone();
            altered.fields.insert(name.clone(), value(ValueType::StringValue("text".to_owned())));
            assert!(envelope_of(envelope().key, altered).is_err(), "{name}");
        }
        assert!(envelope_of(envelope().key, Document::default()).is_err());
    }
}
