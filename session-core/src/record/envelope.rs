use std::time::Duration;

use crate::error::causes;
use crate::record::{Body, Codec, CodecError};
use crate::record::{PrincipalKey, Record, RecordFormat, RecordKey, Version};
use crate::time::Time;

/// A record as stores of bytes keep it: fields that they read, and a body that they don't.
///
/// A store with columns writes the fields; one without writes [`to_bytes`](Envelope::to_bytes).
/// Either way [`open`](Envelope::open) gives a record back only if everything fits the key that
/// was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// The record's key.
    pub key: RecordKey,
    /// Changes with every save.
    pub version: Version,
    /// When the session was started.
    pub created: Time,
    /// When it was last used.
    pub accessed: Time,
    /// How many milliseconds it lives on after `accessed`.
    pub idle_timeout_ms: i64,
    /// When it ends however much it is used.
    pub absolute_deadline: Option<Time>,
    /// Whether the client keeps the id when it is closed.
    pub persistent: bool,
    /// Who is signed in, hashed, for an index.
    pub principal: Option<PrincipalKey>,
    /// Format, key and length, then what the codec made of the values.
    pub body: Vec<u8>,
}

/// Format, key and length before what the codec made.
const BODY_HEAD: usize = 1 + 32 + 4;
/// The fields of [`Envelope::to_bytes`] before the body.
const HEAD: usize = 8 * 5 + 1 + 32;
const NEVER: i64 = i64::MAX;

const PERSISTENT: u8 = 1;
const PRINCIPAL: u8 = 2;

impl Envelope {
    /// An envelope of a record that has expired: what a store with columns begins with when it reads a row.
    ///
    /// Set every other field from the row. One that is forgotten shows in the conformance suite, and ends
    /// sessions rather than prolonging them.
    pub const fn new(key: RecordKey, version: Version, body: Vec<u8>) -> Self {
        let epoch = Time::from_unix_millis(0);
        Envelope {
            key,
            version,
            created: epoch,
            accessed: epoch,
            idle_timeout_ms: 0,
            absolute_deadline: None,
            persistent: false,
            principal: None,
            body,
        }
    }

    /// The record with its values made bytes.
    pub fn seal(record: &Record, codec: &dyn Codec) -> Result<Self, CodecError> {
        let mut envelope = Envelope {
            key: record.key,
            version: record.version,
            created: record.created,
            accessed: record.accessed,
            idle_timeout_ms: crate::time::millis(record.idle_timeout),
            absolute_deadline: record.absolute_deadline,
            persistent: record.persistent,
            principal: record.principal.as_deref().map(PrincipalKey::of),
            body: Vec::new(),
        };
        let body = Body {
            principal: record.principal.clone(),
            constants: record.constants.clone(),
            attributes: record.attributes.clone(),
            extensions: record.extensions.clone(),
        };
        // An extension must not meet a reader that would drop it.
        let format = if record.extensions.is_empty() { record.format } else { record.format.max(RecordFormat::V2) };
        let encoded = codec.encode(&body, &envelope)?;
        let mut bytes = Vec::with_capacity(BODY_HEAD + encoded.len());
        bytes.push(format.byte());
        bytes.extend_from_slice(record.key.as_bytes());
        bytes.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&encoded);
        envelope.body = bytes;
        Ok(envelope)
    }

    /// The record in this envelope.
    pub fn open(&self, codec: &dyn Codec) -> Result<Record, InvalidRecord> {
        let (head, encoded) = self.body.split_at_checked(BODY_HEAD).ok_or(InvalidRecord::Truncated)?;
        let format = RecordFormat::of_byte(head[0]).ok_or(InvalidRecord::Format(head[0]))?;
        if head[1..33] != *self.key.as_bytes() {
            return Err(InvalidRecord::ForeignKey);
        }
        if head[33..] != (encoded.len() as u32).to_be_bytes() {
            return Err(InvalidRecord::Truncated);
        }
        let body = codec.decode(encoded, self)?;
        if body.principal.as_deref().map(PrincipalKey::of) != self.principal {
            return Err(InvalidRecord::ForeignKey);
        }
        let idle_timeout_ms = u64::try_from(self.idle_timeout_ms).map_err(|_| InvalidRecord::Times)?;
        Ok(Record {
            key: self.key,
            version: self.version,
            created: self.created,
            accessed: self.accessed,
            idle_timeout: Duration::from_millis(idle_timeout_ms),
            absolute_deadline: self.absolute_deadline,
            persistent: self.persistent,
            principal: body.principal,
            constants: body.constants,
            attributes: body.attributes,
            format,
            extensions: body.extensions,
        })
    }

    /// [`open`](Envelope::open), where a record that doesn't fit counts as none, with one warning.
    pub fn open_or_warn(&self, codec: &dyn Codec, store: &'static str) -> Option<Record> {
        self.open(codec).inspect_err(|error| warn_dropped(&self.key, error, store)).ok()
    }

    /// When the session ends if it is not used again.
    pub fn expires_at(&self) -> Time {
        let idle = self.accessed.unix_millis().saturating_add(self.idle_timeout_ms.max(0));
        let idle = Time::from_unix_millis(idle);
        self.absolute_deadline.map_or(idle, |absolute| absolute.min(idle))
    }

    /// What an encrypting codec authenticates besides the body: all that never changes.
    pub fn fixed_part(&self) -> Vec<u8> {
        // The layout of this part, not the format of the record.
        let mut fixed = vec![1];
        fixed.extend_from_slice(self.key.as_bytes());
        fixed.extend_from_slice(&self.created.unix_millis().to_be_bytes());
        fixed.extend_from_slice(&self.absolute_deadline.map_or(NEVER, Time::unix_millis).to_be_bytes());
        fixed.extend_from_slice(self.principal.as_ref().map_or(&[], |p| p.as_bytes()));
        fixed
    }

    /// The whole envelope but its key, for a store of keys and values.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.body.len());
        let flag = |is: bool, flag| if is { flag } else { 0 };
        bytes.push(flag(self.persistent, PERSISTENT) | flag(self.principal.is_some(), PRINCIPAL));
        let deadline = self.absolute_deadline.map_or(NEVER, Time::unix_millis);
        let times = [self.created.unix_millis(), self.accessed.unix_millis(), self.idle_timeout_ms, deadline];
        bytes.extend_from_slice(&self.version.get().to_be_bytes());
        bytes.extend(times.iter().flat_map(|time| time.to_be_bytes()));
        bytes.extend_from_slice(self.principal.as_ref().map_or(&[0; 32][..], |p| p.as_bytes()));
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// [`from_bytes`](Envelope::from_bytes), where bytes that don't fit count as none, with one warning.
    pub fn from_bytes_or_warn(key: RecordKey, bytes: &[u8], store: &'static str) -> Option<Self> {
        Envelope::from_bytes(key, bytes).inspect_err(|error| warn_dropped(&key, error, store)).ok()
    }

    /// The envelope that [`to_bytes`](Envelope::to_bytes) made of the record of this key.
    pub fn from_bytes(key: RecordKey, bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let (head, body) = bytes.split_at_checked(HEAD).ok_or(InvalidRecord::Truncated)?;
        let number = |at: usize| {
            let field = head[1 + 8 * at..][..8].try_into().expect("eight bytes");
            i64::from_be_bytes(field)
        };
        let time = |at| Time::from_unix_millis(number(at));
        let principal: [u8; 32] = head[41..73].try_into().expect("32 bytes");
        Ok(Envelope {
            key,
            version: Version::from_number(number(0) as u64),
            created: time(1),
            accessed: time(2),
            idle_timeout_ms: number(3),
            absolute_deadline: (number(4) != NEVER).then(|| time(4)),
            persistent: head[0] & PERSISTENT != 0,
            principal: (head[0] & PRINCIPAL != 0).then(|| PrincipalKey::from_bytes(principal)),
            body: body.to_vec(),
        })
    }
}

/// One warning for a record that can't be handed out.
pub fn warn_dropped(key: &RecordKey, error: &InvalidRecord, store: &'static str) {
    let (session, causes) = (key.fingerprint(), causes(error));
    tracing::warn!(store, %session, %error, causes, "dropped a record that does not fit its key");
}

/// What is stored under a key is not that key's record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// Bytes are missing, or there are more than were written.
    #[error("the record is truncated or too long")]
    Truncated,
    /// Saved by another version of this library, or by something else.
    #[error("unknown record format {0}")]
    Format(u8),
    /// The record belongs to another key.
    #[error("the record belongs to another key")]
    ForeignKey,
    /// A timeout is below zero.
    #[error("the record has impossible times")]
    Times,
    /// The codec refused the body.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::JsonCodec;

    fn sealed() -> (Record, Envelope) {
        let record = crate::record::sample();
        let envelope = Envelope::seal(&record, &JsonCodec).unwrap();
        (record, envelope)
    }

    #[test]
    fn what_was_sealed_opens() {
        let (record, envelope) = sealed();
        let back = Envelope::from_bytes(record.key, &envelope.to_bytes()).unwrap();
        assert_eq!(back, envelope);
        assert_eq!(back.open(&JsonCodec).unwrap(), record);
        assert_eq!(back.expires_at(), record.expires_at());
    }

    #[test]
    fn every_truncation_is_refused() {
        let (record, envelope) = sealed();
        let bytes = envelope.to_bytes();
        for end in 0..bytes.len() {
            let opened = Envelope::from_bytes(record.key, &bytes[..end]).and_then(|e| e.open(&JsonCodec));
            assert!(opened.is_err(), "cut at {end}");
        }
        let longer = [&bytes[..], b"}"].concat();
        assert!(Envelope::from_bytes(record.key, &longer).unwrap().open(&JsonCodec).is_err());
    }

    #[test]
    fn a_record_under_another_key_is_refused() {
        let (_, envelope) = sealed();
        let other = Envelope { key: crate::record::sample().key, ..envelope };
        assert!(matches!(other.open(&JsonCodec), Err(InvalidRecord::ForeignKey)));
    }

    #[test]
    fn the_format_before_and_the_one_after_are_read_and_no_other() {
        let (record, mut envelope) = sealed();
        for (byte, format) in [(1, RecordFormat::V1), (2, RecordFormat::V2), (3, RecordFormat::V2)] {
            envelope.body[0] = byte;
            assert_eq!(envelope.open(&JsonCodec).unwrap(), Record { format, ..record.clone() });
        }
        for byte in [0, 4, 255] {
            envelope.body[0] = byte;
            assert!(matches!(envelope.open(&JsonCodec), Err(InvalidRecord::Format(found)) if found == byte));
        }
    }

    /// What the first release wrote is written and read byte by byte as then.
    #[test]
    fn the_first_format_does_not_change() {
        let key = RecordKey::from_bytes([7; 32]);
        let mut record =
            Record::new(key, Version::from_number(1 << 32), Time::from_unix_millis(5), Duration::from_secs(1));
        record.principal = Some("ann".into());
        record.attributes = [("Count".to_owned(), 1.into())].into_iter().collect();
        let json = br#"{"p":"ann","a":{"Count":1}}"#;
        let body = [&[1][..], &[7; 32], &(json.len() as u32).to_be_bytes(), json].concat();
        let envelope = Envelope::seal(&record, &JsonCodec).unwrap();
        assert_eq!(envelope.body, body);
        assert_eq!(envelope.open(&JsonCodec).unwrap(), record);
    }

    #[test]
    fn an_extension_is_written_only_where_older_readers_refuse_the_record() {
        let mut record = crate::record::sample();
        record.extensions = [("later".to_owned(), true.into())].into_iter().collect();
        let envelope = Envelope::seal(&record, &JsonCodec).unwrap();
        assert_eq!(envelope.body[0], 2);
        assert_eq!(envelope.open(&JsonCodec).unwrap(), Record { format: RecordFormat::V2, ..record });
    }

    #[test]
    fn another_principal_in_the_index_is_refused() {
        let (_, envelope) = sealed();
        let other = Envelope { principal: Some(PrincipalKey::of("eve")), ..envelope };
        assert!(other.open(&JsonCodec).is_err());
    }
}
