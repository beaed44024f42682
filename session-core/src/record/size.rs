use crate::error::AttributeError;

use super::attributes::Attributes;
use super::record::Record;
use super::value::{MAX_SESSION_BYTES, Refusal, text_bytes};

/// The bytes that the body of a record takes as JSON: what counts against the limit of a session.
///
/// It is kept up to date while attributes change, so that the next change need not add up all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(usize);

/// Around each list: its key, colon and comma, as in `"a":{…},`. The last comma of the list is no more than its braces.
const AROUND_LIST: usize = 4 + 1 + 1;
/// Around the principal, as in `"p":"ann",`.
const AROUND_PRINCIPAL: usize = 4 + 1;
/// Around the audience, as in `"aud":"shop",`.
const AROUND_AUDIENCE: usize = 6 + 1;
/// The braces of the body, without the last comma.
const AROUND_BODY: usize = 1;

impl Size {
    /// The size of a record. Attributes count as a list even if there are none, because some may come.
    pub(crate) fn of(record: &Record) -> Self {
        let list = |list: &Attributes| if list.is_empty() { 0 } else { AROUND_LIST + list.json_bytes() };
        let principal = record.principal.as_deref().map_or(0, |principal| AROUND_PRINCIPAL + text_bytes(principal));
        let audience = match &record.audience {
            default if default.is_default() => 0,
            audience => AROUND_AUDIENCE + text_bytes(audience.as_str()),
        };
        let attributes = AROUND_LIST + record.attributes.json_bytes();
        Size(AROUND_BODY + principal + audience + list(&record.constants) + attributes + list(&record.extensions))
    }

    /// The size when an attribute of `old` bytes has been replaced by one of `new` bytes: 0 for none.
    #[inline]
    pub(crate) fn replacing(self, old: usize, new: usize) -> Self {
        Size(self.0 + new - old)
    }

    /// Fails if that is too large for a session. The error names the attribute `name`.
    #[inline]
    pub(crate) fn check(self, name: &str) -> Result<(), AttributeError> {
        if self.0 > MAX_SESSION_BYTES { Err(Refusal::TooLarge.of(name)) } else { Ok(()) }
    }
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
        assert_eq!(Size::of(record), Size(encoded));
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
