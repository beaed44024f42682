//! What a write can answer. Each operation has its own type, so that a store can't return an answer that makes
//! no sense for the operation. None of them may get more variants: every caller handles each.

use crate::record::RecordKey;

/// Outcome of [`Store::create`](super::Store::create).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// The record is stored.
    Done,
    /// The key is taken; nothing was written.
    Exists,
}

/// Outcome of [`Store::save`](super::Store::save).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Saved {
    /// The record is stored.
    Done,
    /// The stored record has another version; nothing was written.
    Conflict,
    /// There is no live record of this key; nothing was written.
    Missing,
}

/// Outcome of [`Store::renew`](super::Store::renew).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Renewed {
    /// The new record has replaced the old one.
    Done,
    /// The old record has another version; nothing was written.
    Conflict,
    /// There is no live record of the old key; nothing was written.
    Missing,
    /// The new key is taken; nothing was written.
    Exists,
}

/// Outcome of [`Store::delete`](super::Store::delete).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The record is deleted.
    Done,
    /// The session has a new id, and its record is under this key; nothing was deleted. Whoever ends the session goes
    /// on there.
    Moved(RecordKey),
    /// There was no record of this key, and no note of where it went.
    Missing,
}

/// Outcome of [`FastStore::bury_version`](super::FastStore::bury_version).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Buried {
    /// The record is deleted, and copies of it are refused.
    Done,
    /// A live record of another version is here; nothing was written.
    Conflict,
}

/// What the code that repeats writes has to know about an outcome.
pub(super) trait Outcome: Copy + PartialEq {
    const DONE: Self;
    fn is_conflict(self) -> bool;
}

impl Outcome for Saved {
    const DONE: Self = Saved::Done;
    fn is_conflict(self) -> bool {
        self == Saved::Conflict
    }
}

impl Outcome for Renewed {
    const DONE: Self = Renewed::Done;
    fn is_conflict(self) -> bool {
        self == Renewed::Conflict
    }
}
