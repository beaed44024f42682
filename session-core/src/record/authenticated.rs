use serde::{Deserialize, Serialize};

use crate::time::Time;

use super::attribute::Attribute;
use super::record::Record;

/// The name of the extension that has it.
const NAME: &str = "auth";

/// How the user of a session has proven who they are, as far as that was told. A record has it only if something was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authenticated {
    /// When, in Unix milliseconds. `None` if that was when the session started.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<i64>,
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) methods: Vec<String>,
    /// The hash of the version of the credentials.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<String>,
}

impl Authenticated {
    /// The time of an authentication that nobody knows, such as that of a session that was taken over.
    pub(crate) const UNKNOWN: i64 = i64::MIN;

    /// What the record says. `None` if that can't be read, which proves nothing.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        match record.extensions.get(NAME) {
            None => Some(Authenticated::default()),
            Some(stored) => serde_json::from_value(stored.clone()).ok(),
        }
    }

    /// When the record's principal was last authenticated. `None` without a principal, or if nobody knows.
    pub(crate) fn time(record: &Record) -> Option<Time> {
        record.principal.as_ref()?;
        match Authenticated::of(record)?.at {
            None => Some(record.created),
            Some(Authenticated::UNKNOWN) => None,
            Some(at) => Some(Time::from_unix_millis(at)),
        }
    }

    /// What was not told of the authentication is not known: it was not now.
    pub(crate) fn was_elsewhere(record: &mut Record) {
        let told = Authenticated::of(record).unwrap_or_default();
        if record.principal.is_some() && told.at.is_none() {
            Authenticated { at: Some(Authenticated::UNKNOWN), ..told }.write(record);
        }
    }

    /// Whether both records tell of the same authentication.
    pub(crate) fn is_same(one: &Record, other: &Record) -> bool {
        one.extensions.get(NAME) == other.extensions.get(NAME)
    }

    pub(crate) fn write(&self, record: &mut Record) {
        if *self == Authenticated::default() {
            record.extensions = record.extensions.without(NAME);
        } else if let Ok(extension) = Attribute::new(NAME, self) {
            record.extensions = record.extensions.with(extension);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn a_record_that_says_nothing_was_authenticated_when_it_started() {
        let mut record = sample();
        assert_eq!(Authenticated::time(&record), Some(record.created));
        record.principal = None;
        assert_eq!(Authenticated::time(&record), None);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_is_written_for_nothing() {
        let mut record = sample();
        let authenticated =
            Authenticated { at: Some(5), methods: vec!["pwd".to_owned()], credentials: Some("x".to_owned()) };
        authenticated.write(&mut record);
        assert_eq!(Authenticated::of(&record), Some(authenticated));
        assert_eq!(Authenticated::time(&record), Some(Time::from_unix_millis(5)));
        Authenticated::default().write(&mut record);
        assert!(record.extensions.is_empty());
    }

    #[test]
    fn an_authentication_elsewhere_has_no_time_unless_it_was_told() {
        let mut record = sample();
        Authenticated::was_elsewhere(&mut record);
        assert_eq!(Authenticated::time(&record), None);
        Authenticated { at: Some(5), ..Authenticated::default() }.write(&mut record);
        Authenticated::was_elsewhere(&mut record);
        assert_eq!(Authenticated::time(&record), Some(Time::from_unix_millis(5)));
    }

    #[test]
    fn what_can_not_be_read_proves_nothing() {
        let mut record = sample();
        record.extensions = [(NAME.to_owned(), "nonsense".into())].into_iter().collect();
        assert_eq!((Authenticated::of(&record), Authenticated::time(&record)), (None, None));
    }
}
