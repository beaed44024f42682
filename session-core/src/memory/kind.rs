use crate::record::Record;

/// Anonymous or signed in. Each kind has its own bound, so that a flood of anonymous sessions evicts only
/// anonymous ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Anonymous,
    SignedIn,
}

impl Kind {
    pub(super) const ALL: [Kind; 2] = [Kind::Anonymous, Kind::SignedIn];

    pub(super) fn of(record: &Record) -> Self {
        if record.principal.is_some() { Kind::SignedIn } else { Kind::Anonymous }
    }
}
