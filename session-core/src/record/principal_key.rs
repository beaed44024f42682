use sha2::{Digest, Sha256};

/// The SHA-256 hash of a principal. Stores index sessions by it, so that the index contains no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalKey([u8; 32]);

impl PrincipalKey {
    /// The hash of this principal.
    pub fn of(principal: &str) -> Self {
        PrincipalKey(Sha256::new().chain_update("principal:").chain_update(principal).finalize().into())
    }

    /// Makes a key of the 32 bytes that a store has read.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        PrincipalKey(bytes)
    }

    /// The 32 bytes of the hash, for a store to write.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
