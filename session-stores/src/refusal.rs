//! The reason why a write was refused, for backends whose write says only that it was.

use session_core::{Renewed, Saved};

/// Why a record was not replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The record has another version than the writer expected.
    Conflict,
    /// There is no live record of this key.
    Missing,
}

impl Refusal {
    /// The reason, given the version that was found under the key after the refusal.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn of(found: Option<session_core::Version>) -> Self {
        if found.is_some() { Refusal::Conflict } else { Refusal::Missing }
    }
}

impl From<Refusal> for Saved {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict => Saved::Conflict,
            Refusal::Missing => Saved::Missing,
        }
    }
}

impl From<Refusal> for Renewed {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict => Renewed::Conflict,
            Refusal::Missing => Renewed::Missing,
        }
    }
}
