use session_core::{Renewed, Saved, Version};

/// Why a record was not replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has another version than the writer expected.
    Conflict,
    /// There is no live record of this key.
    Missing,
}

impl Refusal {
    /// The reason, by what is found under the key afterwards.
    pub(crate) fn of(found: Option<Version>) -> Self {
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
