//! An envelope is sealed and opened with a codec. This is beside `envelope.rs` because codecs know envelopes, and
//! an envelope's fields need no codec.

use std::time::Duration;

use super::codec::{Body, Codec};
use super::envelope::{Envelope, FORMAT};
use super::invalid::{CodecError, InvalidRecord, warn_dropped};
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
            body: Vec::new(),
        };
        let body = Body {
            principal: record.principal.clone(),
            constants: record.constants.clone(),
            attributes: record.attributes.clone(),
        };
        let encoded = codec.encode(&body, &envelope)?;
        let mut bytes = Vec::with_capacity(BODY_HEAD + encoded.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(record.key.as_bytes());
        bytes.extend_from_slice(&(encoded.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&encoded);
        envelope.body = bytes;
        Ok(envelope)
    }

    /// Turns the envelope back into its record. Fails unless all parts fit each other and the key.
    pub fn open(&self, codec: &dyn Codec) -> Result<Record, InvalidRecord> {
        let (head, encoded) = self.body.split_at_checked(BODY_HEAD).ok_or(InvalidRecord::Truncated)?;
        if head[0] != FORMAT {
            return Err(InvalidRecord::Format(head[0]));
        }
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
        })
    }

    /// Does what [`open`](Envelope::open) does, but logs a warning and returns `None` for a record that does not
    /// fit. `store` is the store's name for the log.
    pub fn open_or_warn(&self, codec: &dyn Codec, store: &'static str) -> Option<Record> {
        self.open(codec).inspect_err(|error| warn_dropped(&self.key, error, store)).ok()
    }
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
    fn a_future_format_is_refused() {
        let (_, mut envelope) = sealed();
        envelope.body[0] = FORMAT + 1;
        assert!(matches!(envelope.open(&JsonCodec), Err(InvalidRecord::Format(2))));
    }

    #[test]
    fn another_principal_in_the_index_is_refused() {
        let (_, envelope) = sealed();
        let other = Envelope { principal: Some(PrincipalKey::of("eve")), ..envelope };
        assert!(other.open(&JsonCodec).is_err());
    }
}
