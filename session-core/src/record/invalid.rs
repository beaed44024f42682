use std::error::Error as StdError;

use crate::error::causes;

use super::key::RecordKey;

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

/// A body could not be encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[error("the body of a record could not be {action}")]
pub struct CodecError {
    action: &'static str,
    source: Box<dyn StdError + Send + Sync>,
}

impl CodecError {
    /// A body that has no form in this codec.
    pub fn encode(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        CodecError { action: "encoded", source: source.into() }
    }

    /// Bytes that are no body of this codec.
    pub fn decode(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        CodecError { action: "decoded", source: source.into() }
    }
}

/// One warning for a record that can't be handed out.
pub fn warn_dropped(key: &RecordKey, error: &InvalidRecord, store: &'static str) {
    let (session, causes) = (key.fingerprint(), causes(error));
    tracing::warn!(store, %session, %error, causes, "dropped a record that does not fit its key");
}
