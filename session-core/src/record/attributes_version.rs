use serde_json::Value;

use super::attribute::Attribute;
use super::record::Record;

/// The name of the extension that has it.
const NAME: &str = "attributes_version";

/// The version of the application's attributes that a record has. 0 if none is noted.
pub(crate) fn attributes_version(record: &Record) -> u32 {
    let noted = record.extensions.get(NAME).and_then(Value::as_u64);
    noted.and_then(|version| u32::try_from(version).ok()).unwrap_or_default()
}

/// Notes the version of whoever writes the record, also a lower one: it may have written attributes as it knows them.
/// 0 leaves no note.
#[inline]
pub(crate) fn note_attributes_version(record: &mut Record, version: u32) {
    if version > 0 || !record.extensions.is_empty() {
        note(record, version);
    }
}

fn note(record: &mut Record, version: u32) {
    match record.extensions.get(NAME) {
        None if version == 0 => {}
        Some(_) if version == 0 => record.extensions = record.extensions.without(NAME),
        Some(noted) if *noted == version => {}
        _ => {
            if let Ok(extension) = Attribute::new(NAME, &version) {
                record.extensions = record.extensions.with(extension);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Attributes, sample};

    fn with(extensions: Value) -> Record {
        Record { extensions: serde_json::from_value(extensions).unwrap(), ..sample() }
    }

    #[test]
    fn whoever_writes_a_record_notes_its_own_version() {
        let mut record = sample();
        for (version, expected) in [(0, None), (2, Some(2)), (1, Some(1)), (1, Some(1)), (0, None)] {
            note_attributes_version(&mut record, version);
            assert_eq!(attributes_version(&record), version);
            assert_eq!(record.extensions.get(NAME), expected.map(Value::from).as_ref());
        }
        assert_eq!(record.extensions, Attributes::default(), "a record without extensions stays without");
    }

    #[test]
    fn other_extensions_stay() {
        let mut record = with(serde_json::json!({"later": true}));
        for version in [3, 0] {
            note_attributes_version(&mut record, version);
            assert_eq!(record.extensions.get("later"), Some(&true.into()));
        }
    }

    #[test]
    fn a_note_that_is_no_version_is_none_and_does_not_stay() {
        for junk in [serde_json::json!("7"), 0.into(), (-1).into(), (1_u64 << 32).into(), Value::Null] {
            let mut record = with(serde_json::json!({ NAME: junk }));
            assert_eq!(attributes_version(&record), 0);
            note_attributes_version(&mut record, 0);
            assert_eq!(record.extensions, Attributes::default());
        }
    }
}
