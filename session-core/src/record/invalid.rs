use std::error::Error as StdError;

use crate::error::causes;

use super::key::RecordKey;

/// Why the bytes that are stored under a key are not a record of that key. The record counts as missing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// The record is shorter or longer than it was when it was written.
    #[error("the record is truncated or too long")]
    Truncated,
    /// The record has a format that this version of the library does not know.
    #[error("the record has the unknown format {0}")]
    Format(u8),
    /// The record belongs to another key: somebody has copied it.
    #[error("the record belongs to another key")]
    ForeignKey,
    /// The record's idle timeout is negative.
    #[error("the idle timeout of the record is negative")]
    Times,
    /// The codec can't decode the body.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A [`Codec`](super::codec::Codec) could not encode or decode the body of a record.
#[derive(Debug, thiserror::Error)]
#[error("the body of a record could not be {action}")]
pub struct CodecError {
    action: &'static str,
    source: Box<dyn StdError + Send + Sync>,
}

impl CodecError {
    /// Makes the error for a body that this codec can't write.
    pub fn encode(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        CodecError { action: "encoded", source: source.into() }
    }

    /// Makes the error for bytes that this codec can't read.
    pub fn decode(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        CodecError { action: "decoded", source: source.into() }
    }
}

/// Logs a warning about a record that counts as missing because it does not fit its key.
pub fn warn_dropped(key: &RecordKey, error: &InvalidRecord, store: &'static str) {
    let (session, causes) = (key.fingerprint(), causes(error));
    tracing::warn!(store, %session, %error, causes, "dropped a record that does not fit its key");
}

/// Logs a warning about an attribute or constant that is dropped because it can't be read. The rest of its record is
/// kept.
pub(super) fn warn_unreadable(key: &RecordKey, name: &str, error: &serde_json::Error) {
    let session = key.fingerprint();
    tracing::warn!(%session, name, %error, "dropped an attribute that can't be read");
}
