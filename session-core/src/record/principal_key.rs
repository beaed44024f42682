use sha2::{Digest, Sha256};

/// The name of a principal in a store's index: a SHA-256, so that the index names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalKey([u8; 32]);

impl PrincipalKey {
    /// The key of this principal.
    pub fn of(principal: &str) -> Self {
        PrincipalKey(Sha256::new().chain_update("principal:").chain_update(principal).finalize().into())
    }

    /// The key of these 32 bytes, as a store read them back.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        PrincipalKey(bytes)
    }

    /// The 32 bytes, for a store to write.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
