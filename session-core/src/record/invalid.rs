use std::error::Error as StdError;

use serde_json::error::Category;

use crate::error::causes;
use crate::time::LogThrottle;

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
    /// The record's key or its principal does not have 32 bytes.
    #[error("the key or the principal of the record does not have 32 bytes")]
    Keys,
    /// The value, or a field of it, has a type that the store never writes: another program has written it.
    #[error("the value or a field of it is of another type, as another program writes it")]
    OtherType,
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
        CodecError { action: "encoded", source: without_values(source.into()) }
    }

    /// Makes the error for bytes that this codec can't read.
    ///
    /// An error of `serde_json` quotes the value that does not fit. The log must not have it, so it is replaced by one
    /// that tells only what kind of error it is, and where.
    pub fn decode(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        CodecError { action: "decoded", source: without_values(source.into()) }
    }
}

fn without_values(source: Box<dyn StdError + Send + Sync>) -> Box<dyn StdError + Send + Sync> {
    let error = match source.downcast::<serde_json::Error>() {
        Ok(error) => error,
        Err(other) => return other,
    };
    let problem = match error.classify() {
        Category::Io => "the JSON could not be read or written",
        Category::Syntax => "it is no JSON",
        Category::Data => "the JSON has another form",
        Category::Eof => "the JSON ends too early",
    };
    format!("{problem}, at line {} column {}", error.line(), error.column()).into()
}

/// Warns of records of a store that can't be read. Each counts as missing.
///
/// A record stays where it is, and is met by each request with its id. So the first one is logged at once, and then one
/// in a minute with the number of times since. A store has one of these, which its clones share.
#[derive(Debug)]
pub struct DroppedRecords {
    store: &'static str,
    throttle: LogThrottle,
    attributes: LogThrottle,
}

impl DroppedRecords {
    /// Begins to count for the store with this name.
    pub const fn new(store: &'static str) -> Self {
        DroppedRecords { store, throttle: LogThrottle::new(), attributes: LogThrottle::new() }
    }

    /// Counts a record that can't be read, and warns of it if a warning is due. The key is `None` if that is what can't
    /// be read.
    pub fn warn(&self, key: Option<&RecordKey>, error: &InvalidRecord) {
        let Some(times) = self.throttle.due() else { return };
        let (store, session, causes) = (self.store, key.map(|key| key.fingerprint().to_string()), causes(error));
        tracing::warn!(store, session, times, %error, causes, "dropped a record that does not fit its key");
    }

    /// Counts a record of which these attributes or constants can't be read, and warns of it if a warning is due. The
    /// rest of the record is kept.
    pub(super) fn warn_of_attributes(&self, key: &RecordKey, names: &[String]) {
        let Some(times) = self.attributes.due() else { return };
        let (store, session) = (self.store, key.fingerprint());
        tracing::warn!(store, %session, times, ?names, "dropped attributes of a record that can't be read");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Body;

    const SECRET: &str = "4111-1111-1111-1111";

    fn chain(error: &CodecError) -> String {
        format!("{error}: {}: {error:?}", causes(error))
    }

    #[test]
    fn an_error_of_a_codec_quotes_no_value() {
        for json in [format!("{{\"p\":[\"{SECRET}\"]}}"), format!("{{\"a\":\"{SECRET}\"}}"), format!("\"{SECRET}")] {
            let error = serde_json::from_str::<Body>(&json).expect_err("it is no body");
            let told = chain(&CodecError::decode(error));
            assert!(!told.contains(SECRET), "{told}");
            assert!(told.contains("line 1 column"), "{told}");
        }
    }

    #[test]
    fn an_error_of_another_kind_is_told_as_it_is() {
        assert!(chain(&CodecError::decode("an unknown key")).contains("an unknown key"));
    }
}
