use super::json_size::{MAX_SESSION_BYTES, text_bytes};
use super::map_key::{Likeness, MapKey, Was, likeness};
use super::refusal::{MAX_DEPTH, Refusal};

/// What is known of a value while it is turned into JSON: its size so far, and which keys it has.
pub(super) struct Tally {
    pub(super) bytes: usize,
    has_other_keys: bool,
    has_texts_like_others: bool,
}

impl Tally {
    pub(super) fn from(bytes: usize) -> Self {
        Tally { bytes, has_other_keys: false, has_texts_like_others: false }
    }

    /// Counts bytes before they are built, so that a huge value never takes the memory.
    #[inline]
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        if self.bytes > MAX_SESSION_BYTES { Err(Refusal::TooLarge) } else { Ok(()) }
    }

    /// The most elements that the value can still have.
    pub(super) fn room(&self) -> usize {
        MAX_SESSION_BYTES.saturating_sub(self.bytes) / 2 + 1
    }

    /// Counts a key and its colon.
    pub(super) fn key(&mut self, key: &MapKey) -> Result<(), Refusal> {
        // serde_json takes an object with such a key for a number, or for text that it parses.
        if key.text.starts_with("$serde_json::private::") {
            return Err(Refusal::RESERVED_KEY);
        }
        if key.was != Was::Text {
            self.has_other_keys = true;
        } else if !self.has_texts_like_others {
            self.has_texts_like_others = !matches!(likeness(&key.text), Likeness::Text);
        }
        self.add(text_bytes(&key.text) + 1)
    }

    /// The bytes, if all keys can be told apart: see [`read`](super::reading::read).
    #[inline]
    pub(super) fn end(self) -> Result<usize, Refusal> {
        if self.has_other_keys && self.has_texts_like_others { Err(Refusal::MIXED_KEYS) } else { Ok(self.bytes) }
    }
}

/// How deep inside a value something is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    levels_left: u8,
    /// Newtypes and `Some` are no level in JSON, but they take stack.
    wrappers_left: u8,
    /// Whether this is what a `Some` holds.
    pub(super) is_in_some: bool,
}

/// Twice as many as levels: each level may be an `Option` of a newtype.
const MAX_WRAPPERS: u8 = 2 * MAX_DEPTH as u8;

impl Place {
    pub(super) const TOP: Place =
        Place { levels_left: MAX_DEPTH as u8, wrappers_left: MAX_WRAPPERS, is_in_some: false };

    /// Inside this many lists or objects here.
    #[inline]
    pub(super) fn inside(self, levels: u8) -> Result<Self, Refusal> {
        let levels_left = self.levels_left.checked_sub(levels).ok_or(Refusal::TooDeep)?;
        Ok(Place { levels_left, is_in_some: false, ..self })
    }

    pub(super) fn in_some(self) -> Result<Self, Refusal> {
        Ok(Place { is_in_some: true, ..self.wrapped()? })
    }

    pub(super) fn wrapped(self) -> Result<Self, Refusal> {
        let wrappers_left = self.wrappers_left.checked_sub(1).ok_or(Refusal::TooDeep)?;
        Ok(Place { wrappers_left, ..self })
    }
}
