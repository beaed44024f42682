use std::future::Future;
use std::pin::Pin;

use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::RecordKey;
use crate::session::NewSession;

/// What errors call the store of another library.
pub(super) const OLD_STORE: &str = "old sessions";

/// Asks the old store for the old session, as a new session that takes its place.
pub type LoadOld<'a> =
    dyn Fn() -> Pin<Box<dyn Future<Output = Result<Option<NewSession>, StoreError>> + Send>> + Send + Sync + 'a;

/// Ends the old session in the old store.
pub type EndOld<'a> = dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> + Send + Sync + 'a;

/// An old session that a request presents. It has no `Debug`, because the old id is as secret as one of ours.
pub struct OldSession {
    id: Box<str>,
    place: RecordKey,
}

impl OldSession {
    /// The session that has this id in the other library. `source` tells several old libraries of one audience apart.
    pub fn new(audience: &str, source: &str, id: &str) -> Self {
        OldSession { place: hash("adopt:", &[audience, source, id]), id: id.into() }
    }

    /// The id that the other library knows it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn place(&self) -> RecordKey {
        self.place
    }

    /// The id that is made of this secret. Nobody makes it who lacks the old id or the secret.
    pub(super) fn new_id(&self, secret: &[u8], bytes: usize) -> SessionId {
        let hash = Sha256::new().chain_update("adopt id:").chain_update(secret).chain_update(self.id.as_bytes());
        SessionId::of_bytes(&hash.finalize()[..bytes.min(SessionId::MAX_BYTES)])
    }
}

/// A key that is no session's: the text that is hashed has a colon, which no id has.
pub(super) fn hash(purpose: &str, parts: &[&str]) -> RecordKey {
    let mut hash = Sha256::new().chain_update(purpose);
    for part in parts {
        // With its length, or parts could be cut in another way.
        hash = hash.chain_update((part.len() as u64).to_be_bytes()).chain_update(part);
    }
    RecordKey::from_bytes(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_old_session_has_a_place_of_its_own() {
        let place = |audience, source, id| OldSession::new(audience, source, id).place();
        let all = [place("a", "b", "c"), place("ab", "", "c"), place("a", "bc", ""), place("", "ab", "c")];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one), "{at}");
        }
        assert_eq!(place("a", "b", "c"), all[0]);
    }

    #[test]
    fn the_new_id_needs_the_secret_and_the_old_id() {
        let id = |old, secret: &[u8]| OldSession::new("a", "b", old).new_id(secret, 18);
        assert!(id("x", b"1") == id("x", b"1"));
        assert!(id("x", b"1") != id("x", b"2") && id("x", b"1") != id("y", b"1"));
        assert_eq!(id("x", b"1").as_str().len(), 24);
    }
}
