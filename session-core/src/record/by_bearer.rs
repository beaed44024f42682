use super::attribute::Attribute;
use super::format::BY_BEARER;
use super::record::Record;

/// Whether the session was started by a bearer token where cookies are taken too. Its id opens it only as such a token.
#[inline]
pub(crate) fn is_by_bearer(record: &Record) -> bool {
    !record.extensions.is_empty() && record.extensions.get(BY_BEARER).is_some()
}

/// Notes that the session is started by a bearer token.
pub(crate) fn note_by_bearer(record: &mut Record) {
    let extension = Attribute::new(BY_BEARER, &true).expect("a truth value has a JSON form");
    record.extensions = record.extensions.with(extension);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RecordFormat, sample};

    #[test]
    fn what_is_noted_is_no_obstacle_to_this_release() {
        let mut record = sample();
        assert!(!is_by_bearer(&record));
        note_by_bearer(&mut record);
        assert!(is_by_bearer(&record) && !record.is_beyond_us());
        assert_eq!(RecordFormat::V1.with(&record.extensions), RecordFormat::V2, "the release before leaves it alone");
    }
}
