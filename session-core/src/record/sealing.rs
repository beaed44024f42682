//! An envelope is sealed and opened with a codec. This is beside `envelope.rs` because codecs know envelopes, and
//! an envelope's fields need no codec.

use std::time::Duration;

use super::body::Body;
use super::codec::Codec;
use super::envelope::Envelope;
use super::format::RecordFormat;
use super::invalid::{CodecError, DroppedRecords, InvalidRecord};
use super::principal_key::PrincipalKey;
use super::record::Record;

/// The header of a body: format, key, and the length of what the codec made.
const BODY_HEAD: usize = 1 + 32 + 4;

impl Envelope {
    /// Turns a record into an envelope. `codec` turns its principal and values into the body.
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
            body: head(record),
        };
        let body = Body {
            principal: record.principal.clone(),
            audience: record.audience.clone(),
            constants: record.constants.clone(),
            attributes: record.attributes.clone(),
            extensions: record.extensions.clone(),
            unreadable: Vec::new(),
        };
        let encoded = codec.encode(&body, &envelope)?;
        envelope.body.reserve_exact(4 + encoded.len());
        envelope.body.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
        envelope.body.extend_from_slice(&encoded);
        Ok(envelope)
    }

    /// Turns the envelope back into its record. Fails unless all parts fit each other and the key.
    ///
    /// An attribute that [`JsonCodec`](super::codec::JsonCodec) can't read is missing in the record.
    pub fn open(&self, codec: &dyn Codec) -> Result<Record, InvalidRecord> {
        Ok(self.opened(codec)?.0)
    }

    /// The record, and the names of attributes that can't be read.
    fn opened(&self, codec: &dyn Codec) -> Result<(Record, Vec<String>), InvalidRecord> {
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
        let record = Record {
            key: self.key,
            version: self.version,
            created: self.created,
            accessed: self.accessed,
            idle_timeout: Duration::from_millis(idle_timeout_ms),
            absolute_deadline: self.absolute_deadline,
            persistent: self.persistent,
            principal: body.principal,
            audience: body.audience,
            constants: body.constants,
            attributes: body.attributes,
            format: format.with(&body.extensions),
            extensions: body.extensions,
        };
        Ok((record, body.unreadable))
    }

    /// Does what [`open`](Envelope::open) does, but warns and returns `None` for a record that does not fit. It also
    /// warns of attributes that can't be read.
    pub fn open_or_warn(&self, codec: &dyn Codec, dropped: &DroppedRecords) -> Option<Record> {
        let opened = self.opened(codec).inspect_err(|error| dropped.warn(Some(&self.key), error));
        let (record, unreadable) = opened.ok()?;
        if !unreadable.is_empty() {
            dropped.warn_of_attributes(&self.key, &unreadable);
        }
        Some(record)
    }
}

/// The header of a record's body without the length, which is not known yet.
fn head(record: &Record) -> Vec<u8> {
    let format = record.format.with(&record.extensions).byte();
    [&[format], &record.key.as_bytes()[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Audience, JsonCodec, RecordKey, Version};
    use crate::time::Time;

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

    /// The default audience is not written: every record without one is of that.
    #[test]
    fn an_audience_is_part_of_the_first_format() {
        let (mut record, _) = sealed();
        let body = |record: &Record| {
            let envelope = Envelope::seal(record, &JsonCodec).unwrap();
            assert_eq!(envelope.open(&JsonCodec).unwrap(), *record);
            String::from_utf8(envelope.body[BODY_HEAD..].to_vec()).unwrap()
        };
        assert!(!body(&record).contains("aud"));
        record.audience = Audience::new("shop").unwrap();
        assert!(body(&record).contains("\"aud\":\"shop\""));
        assert_eq!(record.format, RecordFormat::V1);
    }

    #[test]
    fn a_stored_value_is_not_printed() {
        let (mut record, _) = sealed();
        record.attributes = [("Card".to_owned(), "4111".into())].into_iter().collect();
        let envelope = Envelope::seal(&record, &JsonCodec).unwrap();
        let shown = format!("{envelope:?} {record:?}");
        assert!(shown.contains("bytes"), "{shown}");
        for value in ["4111", "52, 49, 49, 49"] {
            assert!(!shown.contains(value), "{shown}");
        }
    }

    #[test]
    fn an_extension_is_written_only_where_older_readers_refuse_the_record() {
        let mut record = crate::record::sample();
        record.extensions = [("later".to_owned(), true.into())].into_iter().collect();
        let envelope = Envelope::seal(&record, &JsonCodec).unwrap();
        assert_eq!(envelope.body[0], 2);
        let written = Record { format: RecordFormat::V2, ..record };
        assert_eq!(envelope.open(&JsonCodec).unwrap(), written);

        // Bytes that name the first format all the same keep their extensions, and are written as V2 again.
        let mut first = envelope;
        first.body[0] = 1;
        assert_eq!(first.open(&JsonCodec).unwrap(), written);
    }

    #[test]
    fn another_principal_in_the_index_is_refused() {
        let (_, envelope) = sealed();
        let other = Envelope { principal: Some(PrincipalKey::of("eve")), ..envelope };
        assert!(other.open(&JsonCodec).is_err());
    }
}
