use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::random::{RandomSource, SystemRandom};
use crate::record::{Body, Codec, CodecError, Envelope, JsonCodec};

/// Encrypts the output of another codec: XChaCha20-Poly1305 with a random nonce for each record.
///
/// The principal and all values are unreadable in the store. The times and the hash of the principal are not
/// encrypted.
///
/// It also authenticates the fixed part of the envelope (key, start, absolute deadline, principal). A body that
/// somebody moved to another record, or a deadline that somebody changed in the store, is refused.
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{EncryptedCodec, Envelope, Record, RecordKey, Time, Version};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // 32 random bytes each, from where the application keeps its secrets.
/// let (key, last_years_key) = ([1; 32], [2; 32]);
/// let codec = EncryptedCodec::new(&key).also_decrypt(&last_years_key);
///
/// // A store takes it by `with_codec(codec)`, and then does this:
/// let (now, version) = (Time::from_unix_millis(1_767_225_600_000), Version::from_number(1 << 32));
/// let record = Record::new(RecordKey::from_bytes([7; 32]), version, now, Duration::from_secs(1800));
/// let envelope = Envelope::seal(&record, &codec)?;
/// assert_eq!(envelope.open(&codec)?, record);
/// assert!(envelope.open(&EncryptedCodec::new(&[3; 32])).is_err());
/// # Ok(()) }
/// ```
pub struct EncryptedCodec<C = JsonCodec> {
    inner: C,
    // The first one encrypts. Each of them decrypts.
    ciphers: Vec<XChaCha20Poly1305>,
}

const NONCE: usize = 24;

impl EncryptedCodec {
    /// Makes a codec that writes JSON and encrypts it with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        EncryptedCodec::wrapping(JsonCodec, key)
    }
}

impl<C: Codec> EncryptedCodec<C> {
    /// Makes a codec that encrypts the output of `inner` with this key.
    pub fn wrapping(inner: C, key: &[u8; 32]) -> Self {
        EncryptedCodec { inner, ciphers: vec![XChaCha20Poly1305::new(key.into())] }
    }

    /// Also decrypts records that were encrypted with an earlier key. To change the key, pass the new one to
    /// [`new`](EncryptedCodec::new) and the old one here. A record is encrypted with the new key when it is next
    /// saved.
    #[must_use]
    pub fn also_decrypt(mut self, key: &[u8; 32]) -> Self {
        self.ciphers.push(XChaCha20Poly1305::new(key.into()));
        self
    }
}

impl<C: Codec> Codec for EncryptedCodec<C> {
    fn encode(&self, body: &Body, envelope: &Envelope) -> Result<Vec<u8>, CodecError> {
        let plain = self.inner.encode(body, envelope)?;
        let mut nonce = [0; NONCE];
        SystemRandom.fill(&mut nonce).map_err(CodecError::encode)?;
        let payload = Payload { msg: &plain, aad: &envelope.fixed_part() };
        let sealed = self.ciphers[0]
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| CodecError::encode("encryption failed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn decode(&self, bytes: &[u8], envelope: &Envelope) -> Result<Body, CodecError> {
        let (nonce, sealed) =
            bytes.split_first_chunk::<NONCE>().ok_or_else(|| CodecError::decode("the bytes are too few"))?;
        let fixed = envelope.fixed_part();
        let plain = self
            .ciphers
            .iter()
            .find_map(|cipher| cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &fixed }).ok())
            .ok_or_else(|| CodecError::decode("the bytes were changed, or encrypted with an unknown key"))?;
        self.inner.decode(&plain, envelope)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::{InvalidRecord, PrincipalKey};

    #[test]
    fn an_encrypted_record_opens_and_shows_nothing() {
        let record = crate::record::sample();
        let codec = EncryptedCodec::new(&[7; 32]);
        let envelope = Envelope::seal(&record, &codec).unwrap();
        assert_eq!(envelope.open(&codec).unwrap(), record);
        for shown in ["ann", "Count", "UserName"] {
            let found = envelope.to_bytes().windows(shown.len()).any(|w| w == shown.as_bytes());
            assert!(!found, "{shown} is readable");
        }
    }

    #[test]
    fn an_earlier_key_still_reads_and_an_unknown_one_does_not() {
        let record = crate::record::sample();
        let envelope = Envelope::seal(&record, &EncryptedCodec::new(&[1; 32])).unwrap();
        assert!(envelope.open(&EncryptedCodec::new(&[2; 32]).also_decrypt(&[1; 32])).is_ok());
        assert!(envelope.open(&EncryptedCodec::new(&[2; 32])).is_err());
    }

    #[test]
    fn plain_json_is_refused() {
        let record = crate::record::sample();
        let envelope = Envelope::seal(&record, &JsonCodec).unwrap();
        assert!(envelope.open(&EncryptedCodec::new(&[1; 32])).is_err());
    }

    /// Refused by the codec, and not by something else that a forger could have altered as well.
    #[track_caller]
    fn assert_not_authentic(envelope: &Envelope, codec: &EncryptedCodec) {
        let opened = envelope.open(codec);
        assert!(matches!(opened, Err(InvalidRecord::Codec(_))), "{opened:?}");
    }

    fn sealed() -> (EncryptedCodec, Envelope) {
        let codec = EncryptedCodec::new(&[1; 32]);
        let envelope = Envelope::seal(&crate::record::sample(), &codec).unwrap();
        (codec, envelope)
    }

    #[test]
    fn a_body_moved_to_another_record_is_refused() {
        let (codec, mut envelope) = sealed();
        // The key in front of the body is not encrypted, so it moves along.
        let other = crate::record::sample().key;
        envelope.key = other;
        envelope.body[1..33].copy_from_slice(other.as_bytes());
        assert_not_authentic(&envelope, &codec);
    }

    #[test]
    fn an_altered_start_is_refused() {
        let (codec, mut envelope) = sealed();
        envelope.created = envelope.created.saturating_add(Duration::from_millis(1));
        assert_not_authentic(&envelope, &codec);
    }

    #[test]
    fn an_altered_deadline_is_refused() {
        let (codec, envelope) = sealed();
        let later = envelope.absolute_deadline.map(|deadline| deadline.saturating_add(Duration::from_millis(1)));
        for absolute_deadline in [None, later] {
            assert_not_authentic(&Envelope { absolute_deadline, ..envelope.clone() }, &codec);
        }
    }

    #[test]
    fn an_altered_principal_is_refused() {
        let (codec, envelope) = sealed();
        for principal in [None, Some(PrincipalKey::of("eve"))] {
            assert_not_authentic(&Envelope { principal, ..envelope.clone() }, &codec);
        }
    }

    #[test]
    fn times_that_a_touch_moves_are_not_bound() {
        let (codec, mut envelope) = sealed();
        envelope.accessed = envelope.accessed.saturating_add(Duration::from_secs(60));
        assert!(envelope.open(&codec).is_ok());
    }

    #[test]
    fn every_altered_byte_is_refused() {
        let codec = EncryptedCodec::new(&[1; 32]);
        let envelope = Envelope::seal(&crate::record::sample(), &codec).unwrap();
        for at in 0..envelope.body.len() {
            let mut altered = envelope.clone();
            altered.body[at] ^= 1;
            assert!(altered.open(&codec).is_err(), "byte {at}");
        }
    }
}
