use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

use crate::error::ConfigError;

/// The application to which a session belongs. An id opens a session only where it was issued for the same audience.
///
/// Two applications that keep their sessions in one store have different audiences, so that the id of one opens
/// nothing in the other. The default audience is `sessid`, which is also the default name of the session cookie.
///
/// ```
/// use session_core::Audience;
///
/// assert_eq!(Audience::default().as_str(), Audience::DEFAULT);
/// assert!(Audience::new("shop").is_ok());
/// assert!(Audience::new("shop\n").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Audience(
    // Every request clones it, and all sessions of a manager have the same one. A name of up to 23 bytes is copied, so
    // that threads don't fight for a reference count.
    SmolStr,
);

impl Audience {
    /// The default audience: `sessid`.
    pub const DEFAULT: &str = "sessid";

    /// The longest name: 128 bytes.
    pub const MAX_BYTES: usize = 128;

    /// Whose records are notes of the library's own, and no sessions. No application has a name with a blank.
    pub(crate) fn of_notes() -> Self {
        Audience(SmolStr::new_static("not a session"))
    }

    /// Makes an audience of its name: 1 to 128 visible ASCII characters. Anything else is a [`ConfigError`].
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        if name.is_empty() || name.len() > Audience::MAX_BYTES || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::new(format!(
                "`audience` can't be {name:?}; give 1 to {} visible ASCII characters, such as `shop`",
                Audience::MAX_BYTES
            )));
        }
        Ok(Audience(name.into()))
    }

    /// The audience's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the default one, which records don't name.
    pub(super) fn is_default(&self) -> bool {
        self.0 == Audience::DEFAULT
    }
}

impl Default for Audience {
    fn default() -> Self {
        Audience(SmolStr::new_static(Audience::DEFAULT))
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Audience({:?})", self.as_str())
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Takes any text: one that is no audience of ours fits no manager.
impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SmolStr::deserialize(deserializer).map(Audience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_invisible_characters_is_refused_and_the_error_shows_them() {
        for name in ["", " ", "shop ", "shop\n", "a b", "\u{feff}shop", "sh\u{200b}op"] {
            let error = Audience::new(name).expect_err(name).to_string();
            assert!(error.contains("`audience`") && error.contains(&format!("{name:?}")), "{error}");
        }
        assert!(Audience::new(&"x".repeat(Audience::MAX_BYTES)).is_ok());
        assert!(Audience::new(&"x".repeat(Audience::MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn a_name_is_the_same_however_it_was_made() {
        assert_eq!(Audience::new(Audience::DEFAULT).unwrap(), Audience::default());
        assert_ne!(Audience::new("shop").unwrap(), Audience::default());
    }
}
