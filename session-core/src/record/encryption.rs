use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::random::{RandomSource, SystemRandom};
use crate::record::{Body, Codec, CodecError, Envelope, JsonCodec};

/// Encrypts the output of another codec: XChaCha20-Poly1305 with a random nonce for each record.
///
/// The principal, the audience and all values are unreadable in the store. The times and the hash of the principal
/// are not encrypted.
///
/// # What is authenticated
///
/// Everything that decides about a session, except the time of its last use: the body, the key, the version, the
/// format, all deadlines and timeouts, the principal and the audience. If somebody changes one of them in the store,
/// moves a body to another record, or puts an old body back, the record counts as missing.
///
/// Who can write to the store can still do this:
///
/// - **Forge the last use** (`accessed`), which a touch changes alone. A session then ends when it is still in use, or
///   lives on although nobody uses it: until its absolute deadline, which can't be changed.
/// - **Forge or remove a note of a renewal.** A logout under an old id then ends another session, or none, and what a
///   request under way changes is lost. It never reaches the session of another user.
/// - **Put a whole old row back**, or one that was deleted. It is what was stored once, so nothing shows that it is
///   old. The session then has what it had at that time, such as a role that was taken away since, or works again
///   after a logout. This too ends at the absolute deadline. Whoever does it must also know the id, which no store
///   has, or wait for the user. So look up what may change at any time (roles, whether an account is locked) where
///   accounts are kept, and give sessions an absolute timeout.
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
        let payload = Payload { msg: &plain, aad: &envelope.authenticated_part() };
        let sealed = self.ciphers[0]
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| CodecError::encode("encryption failed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn decode(&self, bytes: &[u8], envelope: &Envelope) -> Result<Body, CodecError> {
        let (nonce, sealed) =
            bytes.split_first_chunk::<NONCE>().ok_or_else(|| CodecError::decode("the bytes are too few"))?;
        let authenticated = envelope.authenticated_part();
        let plain = self
            .ciphers
            .iter()
            .find_map(|cipher| cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &authenticated }).ok())
            .ok_or_else(|| CodecError::decode("the bytes were changed, or encrypted with an unknown key"))?;
        self.inner.decode(&plain, envelope)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::{InvalidRecord, PrincipalKey, Record, sample};

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn an_encrypted_record_opens_and_shows_nothing() {
        let record = sample();
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
        let record = sample();
        let envelope = Envelope::seal(&record, &EncryptedCodec::new(&[1; 32])).unwrap();
        assert!(envelope.open(&EncryptedCodec::new(&[2; 32]).also_decrypt(&[1; 32])).is_ok());
        assert!(envelope.open(&EncryptedCodec::new(&[2; 32])).is_err());
    }

    #[test]
    fn plain_json_is_refused() {
        let record = sample();
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
        let envelope = Envelope::seal(&sample(), &codec).unwrap();
        (codec, envelope)
    }

    #[test]
    fn a_body_moved_to_another_record_is_refused() {
        let (codec, mut envelope) = sealed();
        // The key in front of the body is not encrypted, so it moves along.
        let other = sample().key;
        envelope.key = other;
        envelope.body[1..33].copy_from_slice(other.as_bytes());
        assert_not_authentic(&envelope, &codec);
    }

    #[test]
    fn an_altered_start_is_refused() {
        let (codec, mut envelope) = sealed();
        envelope.created = envelope.created.saturating_add(MILLISECOND);
        assert_not_authentic(&envelope, &codec);
    }

    #[test]
    fn an_altered_deadline_is_refused() {
        let (codec, envelope) = sealed();
        let later = envelope.absolute_deadline.map(|deadline| deadline.saturating_add(MILLISECOND));
        for absolute_deadline in [None, later] {
            assert_not_authentic(&Envelope { absolute_deadline, ..envelope.clone() }, &codec);
        }
    }

    #[test]
    fn an_altered_idle_timeout_is_refused() {
        let (codec, envelope) = sealed();
        for idle_timeout_ms in [0, envelope.idle_timeout_ms + 1, i64::MAX] {
            assert_not_authentic(&Envelope { idle_timeout_ms, ..envelope.clone() }, &codec);
        }
    }

    #[test]
    fn an_altered_lifetime_of_the_cookie_is_refused() {
        let (codec, envelope) = sealed();
        assert_not_authentic(&Envelope { persistent: !envelope.persistent, ..envelope }, &codec);
    }

    #[test]
    fn an_altered_format_is_refused() {
        let (codec, mut envelope) = sealed();
        envelope.body[0] = 2;
        assert_not_authentic(&envelope, &codec);
    }

    #[test]
    fn an_altered_principal_is_refused() {
        let (codec, envelope) = sealed();
        for principal in [None, Some(PrincipalKey::of("eve"))] {
            assert_not_authentic(&Envelope { principal, ..envelope.clone() }, &codec);
        }
    }

    /// A role that was taken away does not come back with the body that had it.
    #[test]
    fn an_old_body_under_a_new_version_is_refused() {
        let codec = EncryptedCodec::new(&[1; 32]);
        let admin = Record { constants: [("Role".to_owned(), "admin".into())].into_iter().collect(), ..sample() };
        let later = Record { version: admin.version.next(0), constants: Default::default(), ..admin.clone() };
        let [before, now] = [admin, later].map(|record| Envelope::seal(&record, &codec).unwrap());
        assert_not_authentic(&Envelope { body: before.body.clone(), ..now.clone() }, &codec);
        // The old version, with a body that is new, neither.
        assert_not_authentic(&Envelope { version: before.version, ..now }, &codec);
    }

    /// What the documentation says can't be seen.
    #[test]
    fn a_whole_old_row_opens() {
        let codec = EncryptedCodec::new(&[1; 32]);
        let record = sample();
        let before = Envelope::seal(&record, &codec).unwrap();
        let accessed = before.accessed.saturating_add(MILLISECOND);
        assert!(Envelope { accessed, ..before }.open(&codec).is_ok());
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
        let envelope = Envelope::seal(&sample(), &codec).unwrap();
        for at in 0..envelope.body.len() {
            let mut altered = envelope.clone();
            altered.body[at] ^= 1;
            assert!(altered.open(&codec).is_err(), "byte {at}");
        }
    }
}
