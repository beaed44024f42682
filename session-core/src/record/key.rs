use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::id::SessionId;

/// The key of a record: the SHA-256 hash of its session's id.
///
/// Stores see only this hash, so whoever steals a copy of a store can't use a session. It is also the *handle*
/// of a session: an application lists and ends sessions by it. It does not work as a cookie.
///
/// `Display` shows 43 base64url characters, which [`FromStr`] parses. `Debug` shows the first 8 of them. serde writes and
/// reads the 43 characters too, so a form, a path or JSON can have a field of this type; anything else there is refused.
///
/// ```
/// use session_core::{MemoryStore, NewSession, RecordKey, SessionManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = SessionManager::new(MemoryStore::new());
/// let session = sessions.create(NewSession::new()).await?;
///
/// // A page for administrators shows the handle, and sends it back to end the session.
/// let shown = session.handle().to_string();
/// let handle: RecordKey = shown.parse()?;
/// sessions.end(&handle).await?;
/// assert!(sessions.get(session.id().as_str()).await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey([u8; 32]);

impl RecordKey {
    pub(crate) fn of(session_id: &SessionId) -> Self {
        RecordKey(Sha256::digest(session_id.as_bytes()).into())
    }

    /// The key of a note about the session with this key. It is no hash of an id: ids have no colon.
    pub(crate) fn of_note(&self, prefix: &str) -> Self {
        RecordKey(Sha256::new().chain_update(prefix).chain_update(":").chain_update(self.0).finalize().into())
    }

    /// Makes a key of the 32 bytes that a store has read.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        RecordKey(bytes)
    }

    /// The 32 bytes of the key, for a store to write.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 8 characters, for logs: enough to tell sessions apart, too few to be a handle.
    pub fn fingerprint(&self) -> impl fmt::Display + use<> {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

/// Writes the 43 characters.
impl Serialize for RecordKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads the 43 characters. The error for any other text is that of [`InvalidRecordKey`], and does not repeat the text.
impl<'de> Deserialize<'de> for RecordKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl SessionId {
    /// The key under which stores keep the session with this id.
    pub fn key(&self) -> RecordKey {
        RecordKey::of(self)
    }
}

/// Shows the fingerprint of the key, because the id is secret.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", self.key().fingerprint())
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({})", self.fingerprint())
    }
}

impl FromStr for RecordKey {
    type Err = InvalidRecordKey;

    fn from_str(text: &str) -> Result<Self, InvalidRecordKey> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidRecordKey)?;
        Ok(RecordKey(bytes.try_into().map_err(|_| InvalidRecordKey)?))
    }
}

/// The text that was parsed is not a handle ([`RecordKey`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session handle must be 43 base64url characters")]
#[non_exhaustive]
pub struct InvalidRecordKey;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn a_handle_parses_back_and_is_not_the_id() {
        let id = SessionId::generate(&SystemRandom, 18).unwrap();
        let key = id.key();
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.to_string().len(), 43);
        assert_ne!(key.to_string(), id.as_str());
        assert_eq!("nonsense".parse::<RecordKey>(), Err(InvalidRecordKey));
    }

    /// T25.
    #[test]
    fn a_handle_goes_through_json_and_junk_is_refused_with_what_it_must_be() {
        let key = SessionId::generate(&SystemRandom, 18).unwrap().key();
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, format!("\"{key}\""));
        assert_eq!(serde_json::from_str::<RecordKey>(&json).unwrap(), key);
        assert_eq!(serde_json::from_value::<RecordKey>(serde_json::to_value(key).unwrap()).unwrap(), key);

        let short = key.to_string()[..42].to_owned();
        for junk in
            ["", "nonsense", &short, &format!("{key}="), &format!("{key}A"), &format!(" {key}"), &"é".repeat(43)]
        {
            let error = serde_json::from_value::<RecordKey>(junk.into()).unwrap_err().to_string();
            assert_eq!(error, "a session handle must be 43 base64url characters", "{junk:?}");
        }
        let error = serde_json::from_str::<RecordKey>("7").unwrap_err().to_string();
        assert!(error.contains("expected a string"), "{error}");
    }

    #[test]
    fn the_handle_presented_as_an_id_is_another_key() {
        let key = SessionId::generate(&SystemRandom, 18).unwrap().key();
        assert_ne!(SessionId::parse(key.to_string()).unwrap().key(), key);
    }
}
