use crate::error::AttributeError;

use super::attributes::Attributes;
use super::audience::Audience;
use super::record::Record;
use super::value::{MAX_SESSION_BYTES, Refusal, text_bytes};

/// The bytes that the body of a record takes as JSON: what counts against the limit of a session.
///
/// It is kept up to date while attributes change, so that the next change need not add up all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// As long as this is below the limit, nobody asks what a change replaces, and which characters are escaped.
    AtMost(usize),
    Exactly(usize),
}

/// Around each list: its key, colon and comma, as in `"a":{…},`. The last comma of the list is no more than its braces.
const AROUND_LIST: usize = 4 + 1 + 1;
/// Around the principal, as in `"p":"ann",`.
const AROUND_PRINCIPAL: usize = 4 + 1;
/// Around the audience, as in `"aud":"shop",`.
const AROUND_AUDIENCE: usize = 6 + 1;
/// An audience has visible ASCII characters, of which two are escaped.
const LONGEST_AUDIENCE: usize = 2 + 2 * Audience::MAX_BYTES;
/// The braces of the body, without the last comma.
const AROUND_BODY: usize = 1;
/// The most that one byte of a text takes: `\u0001`.
const LONGEST_ESCAPE: usize = 6;

impl Size {
    #[inline]
    pub(crate) fn at_most(record: &Record) -> Self {
        const AROUND: usize = AROUND_BODY + AROUND_PRINCIPAL + 2 + AROUND_AUDIENCE + LONGEST_AUDIENCE + 3 * AROUND_LIST;
        let principal = record.principal.as_deref().map_or(0, str::len);
        let lists = record.constants.json_bytes() + record.attributes.json_bytes() + record.extensions.json_bytes();
        Size::AtMost(AROUND + LONGEST_ESCAPE * principal + lists)
    }

    /// Attributes count as a list even if there are none, because some may come.
    #[cold]
    pub(crate) fn exactly(record: &Record) -> Self {
        let list = |list: &Attributes| if list.is_empty() { 0 } else { AROUND_LIST + list.json_bytes() };
        let principal = record.principal.as_deref().map_or(0, |principal| AROUND_PRINCIPAL + text_bytes(principal));
        let audience = match &record.audience {
            default if default.is_default() => 0,
            audience => AROUND_AUDIENCE + text_bytes(audience.as_str()),
        };
        let attributes = AROUND_LIST + record.attributes.json_bytes();
        let lists = list(&record.constants) + attributes + list(&record.extensions);
        Size::Exactly(AROUND_BODY + principal + audience + lists)
    }

    /// The size after a change: from `old` bytes, which are asked for if they count, to `new` bytes.
    #[inline]
    pub(crate) fn replacing(self, old: impl FnOnce() -> usize, new: usize) -> Self {
        match self {
            Size::AtMost(bytes) => Size::AtMost(bytes + new),
            Size::Exactly(bytes) => Size::Exactly(bytes + new - old()),
        }
    }

    /// Whether it may be too large for a session.
    #[inline]
    pub(crate) fn may_exceed(self) -> bool {
        self.bytes() > MAX_SESSION_BYTES
    }

    #[inline]
    fn bytes(self) -> usize {
        let (Size::AtMost(bytes) | Size::Exactly(bytes)) = self;
        bytes
    }

    /// The error for a size that exceeds the limit. It names the attribute `name`.
    #[cold]
    pub(crate) fn error(name: &str) -> AttributeError {
        Refusal::TooLarge.of(name)
    }
}

/// Whether a record is too large for a session.
#[inline]
pub(crate) fn exceeds_limit(record: &Record) -> bool {
    json_bytes_above(record, MAX_SESSION_BYTES).is_some()
}

/// How many bytes of JSON the record takes, if that is more than `limit`.
#[inline]
pub(crate) fn json_bytes_above(record: &Record, limit: usize) -> Option<usize> {
    let is_small = Size::at_most(record).bytes() <= limit;
    if is_small { None } else { Some(Size::exactly(record).bytes()).filter(|bytes| *bytes > limit) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::{Audience, Envelope, JsonCodec, sample};

    #[track_caller]
    fn assert_counted(record: &Record) {
        let envelope = Envelope::seal(record, &JsonCodec).unwrap();
        let encoded = envelope.body.len() - (1 + 32 + 4);
        assert_eq!(Size::exactly(record), Size::Exactly(encoded));
        assert!(matches!(Size::at_most(record), Size::AtMost(bytes) if bytes >= encoded));
    }

    fn list(json: serde_json::Value) -> Attributes {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_is_counted_is_what_is_written() {
        let mut record = sample();
        assert_counted(&record);
        record.attributes = list(json!({"a": 1, "b\"\n\u{1}": "ü\n\\", "c": [1.5, null, -0.0, {"d": [[]]}], "": ""}));
        assert_counted(&record);
        record.principal = Some("Zoë \"\u{0}\"".into());
        record.constants = Attributes::default();
        assert_counted(&record);
        record.principal = None;
        record.audience = Audience::new("shop\"s").unwrap();
        assert_counted(&record);
        record.extensions = list(json!({"later": {"x": true}}));
        assert_counted(&record);
    }
}
