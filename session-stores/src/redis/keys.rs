use std::fmt::Write;
use std::sync::Arc;

use session_core::{ConfigError, PrincipalKey, RecordKey};

use crate::address::check_name;

/// The number of characters of a record key.
const TEXT_LENGTH: usize = 43;

/// The names of the keys in Redis that have records and indexes.
#[derive(Clone)]
pub(crate) struct Keys {
    prefix: Arc<str>,
    index_prefix: Arc<str>,
}

impl Keys {
    /// Fails if the prefix has characters that nobody sees.
    pub(crate) fn checked(prefix: &str) -> Result<Self, ConfigError> {
        check_name("`prefix`", prefix)?;
        Ok(Keys::new(prefix))
    }

    pub(crate) fn new(prefix: &str) -> Self {
        Keys { prefix: prefix.into(), index_prefix: format!("{prefix}principal:").into() }
    }

    /// What the name of a record begins with. The rest is its key.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn record(&self, key: &RecordKey) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(crate) fn index(&self, principal: &PrincipalKey) -> String {
        let mut name = self.index_prefix.to_string();
        for byte in principal.as_bytes() {
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    pub(crate) fn index_prefix(&self) -> &str {
        &self.index_prefix
    }

    /// The record key in a name. `None` if it is not the name of a record with this prefix.
    pub(crate) fn parse_record(&self, name: &[u8]) -> Option<RecordKey> {
        let key = name.strip_prefix(self.prefix.as_bytes())?;
        std::str::from_utf8(key).ok()?.parse().ok()
    }

    /// The record key at the end of a name with any prefix.
    pub(crate) fn parse_any_record(name: &[u8]) -> Option<RecordKey> {
        let key = name.get(name.len().checked_sub(TEXT_LENGTH)?..)?;
        std::str::from_utf8(key).ok()?.parse().ok()
    }

    pub(crate) fn is_index(&self, name: &[u8]) -> bool {
        name.starts_with(self.index_prefix.as_bytes())
    }

    /// The pattern for SCAN that matches all names with this prefix.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::new();
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push('*');
        pattern
    }

    /// Whether the prefix has a hash tag, so that a cluster keeps all keys in one slot.
    pub(crate) fn have_hash_tag(&self) -> bool {
        let tag = self.prefix.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        tag.is_some_and(|(tag, _)| !tag.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_name_parses_back_and_an_index_name_does_not() {
        let keys = Keys::new("a*b:");
        let key = RecordKey::from_bytes([7; 32]);
        assert_eq!(keys.parse_record(keys.record(&key).as_bytes()), Some(key));
        let index = keys.index(&PrincipalKey::of("ann"));
        assert_eq!(keys.parse_record(index.as_bytes()), None);
        assert!(keys.is_index(index.as_bytes()));
        assert!(!keys.is_index(keys.record(&key).as_bytes()));
        assert_eq!(keys.pattern(), "a\\*b:*");
    }

    #[test]
    fn a_hash_tag_is_what_redis_takes_for_one() {
        assert!(Keys::new("{app}:").have_hash_tag());
        assert!(!Keys::new("app:").have_hash_tag());
        assert!(!Keys::new("{}app:").have_hash_tag());
    }
}
