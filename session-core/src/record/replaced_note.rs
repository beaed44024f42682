//! A note that a login has replaced a session that was bound to a device, so that a request of the device that is late
//! is not told that its session has ended: it would end the binding of the session that came after it.
//!
//! The note names nothing. It is an ordinary record, so every store can keep it, under a key that no id leads to, and
//! with a critical extension that no release knows.

use std::time::Duration;

use crate::time::Time;

use super::attribute::Attribute;
use super::audience::Audience;
use super::key::RecordKey;
use super::record::Record;
use super::version::Version;

const NAME: &str = "!replaced";

/// How long a replaced id is known as such.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The key of the note about the session with this key.
pub(crate) fn replaced_key(of: &RecordKey) -> RecordKey {
    of.of_note("replaced")
}

/// The note about a session that a login has just replaced.
pub(crate) fn note_of_replaced(session: &RecordKey, now: Time, mark: u32) -> Record {
    let mut note = Record::new(replaced_key(session), Version::first(mark), now, KEPT_FOR);
    note.absolute_deadline = Some(now.saturating_add(KEPT_FOR));
    note.audience = Audience::of_notes();
    let extension = Attribute::new(NAME, &true).expect("a truth value has a JSON form");
    note.extensions = note.extensions.with(extension);
    note
}

/// Whether a record is such a note, and no session.
pub(crate) fn is_replaced_note(record: &Record) -> bool {
    !record.extensions.is_empty() && record.extensions.get(NAME).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn a_note_is_no_session_and_names_none() {
        let session = sample();
        let note = note_of_replaced(&session.key, session.created, 3);
        assert!(note.is_beyond_us() && is_replaced_note(&note) && !is_replaced_note(&session));
        assert_ne!(note.key, session.key);
        assert_eq!(note.principal, None);
        assert!(note.is_expired(session.created.saturating_add(KEPT_FOR)));
    }
}
