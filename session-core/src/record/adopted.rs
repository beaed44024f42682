use serde::{Deserialize, Serialize};

use super::attribute::Attribute;
use super::key::RecordKey;
use super::record::Record;

/// The name of the extension that has it.
const NAME: &str = "adopted";

/// What a session says of the old session of another library that it was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Adopted {
    /// The place of the old session: a hash of its id.
    #[serde(rename = "p")]
    pub(crate) place: RecordKey,
    /// Where the secret was, for a while, from which the session's id was made.
    #[serde(rename = "s")]
    pub(crate) secret_at: RecordKey,
    /// When the id was made, in Unix milliseconds.
    #[serde(rename = "t")]
    pub(crate) at: i64,
}

impl Adopted {
    /// What the record says. `None` for a session that was started here, or is too much changed since to be found by the
    /// old id.
    #[inline]
    pub(crate) fn of(record: &Record) -> Option<Self> {
        if record.extensions.is_empty() {
            return None;
        }
        serde_json::from_value(record.extensions.get(NAME)?.clone()).ok()
    }

    pub(crate) fn is_noted(record: &Record) -> bool {
        record.extensions.get(NAME).is_some()
    }

    pub(crate) fn write(&self, record: &mut Record) {
        if let Ok(extension) = Attribute::new(NAME, self) {
            record.extensions = record.extensions.with(extension);
        }
    }

    pub(crate) fn forget_in(record: &mut Record) {
        record.extensions = record.extensions.without(NAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn what_is_written_is_read_until_it_is_forgotten() {
        let mut record = sample();
        assert_eq!(Adopted::of(&record), None);
        let adopted =
            Adopted { place: RecordKey::from_bytes([1; 32]), secret_at: RecordKey::from_bytes([2; 32]), at: 5 };
        adopted.write(&mut record);
        assert_eq!(Adopted::of(&record), Some(adopted));
        assert!(Adopted::is_noted(&record) && !record.is_beyond_us());
        Adopted::forget_in(&mut record);
        assert!(record.extensions.is_empty());
    }
}
