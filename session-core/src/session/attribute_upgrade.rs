use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::AttributeError;
use crate::record::{Attribute, Record, Size, exceeds_limit};

use super::attr_key::{AttrName, Name, WriteName};

/// The attributes of a session that an older release of the application has written, to be brought up to date: see
/// [`attributes_version`](crate::manager::SessionManagerBuilder::attributes_version).
///
/// Constants never change, so they can only be read.
pub struct AttributeUpgrade<'a> {
    version: u32,
    record: &'a mut Record,
}

impl<'a> AttributeUpgrade<'a> {
    pub(crate) fn of(record: &'a mut Record, version: u32) -> Self {
        AttributeUpgrade { version, record }
    }

    /// The version that the session has: that of the release which has saved it last. 0 if none is noted.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Reads an attribute. `None` if the session does not have it.
    ///
    /// [`AttributeError::Type`] if the value has another type.
    pub fn attr<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, AttributeError> {
        self.record.attr(key)
    }

    /// Reads a constant attribute. `None` if the session does not have it.
    ///
    /// [`AttributeError::Type`] if the value has another type.
    pub fn constant<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, AttributeError> {
        self.record.constant(key)
    }

    /// Sets an attribute.
    ///
    /// # Errors
    ///
    /// [`AttributeError`] if the value would not come back or makes the session too large, as for
    /// [`Session::set_attr`](super::Session::set_attr). Nothing is changed then.
    pub fn set_attr<V: Serialize + ?Sized>(&mut self, key: impl WriteName<V>, value: &V) -> Result<(), AttributeError> {
        self.put(Attribute::new(key.name(), value)?)
    }

    /// Gives the attribute `from` the name `to`. It then replaces the attribute that has that name. Does nothing if the
    /// session has no attribute `from`.
    ///
    /// [`AttributeError::TooLarge`] if a longer name makes the session too large. Nothing is changed then.
    pub fn rename_attr(&mut self, from: impl Name, to: impl Name) -> Result<(), AttributeError> {
        let Some(renamed) = self.record.attributes.entry(from.name()).map(|old| old.renamed(to.name())) else {
            return Ok(());
        };
        let before = self.record.attributes.clone();
        self.remove_attr(from);
        self.put(renamed).inspect_err(|_| self.record.attributes = before)
    }

    /// Removes an attribute. Does nothing if the session does not have it.
    pub fn remove_attr(&mut self, key: impl Name) {
        if self.record.attributes.entry(key.name()).is_some() {
            self.record.attributes = self.record.attributes.without(key.name());
        }
    }

    fn put(&mut self, new: Attribute) -> Result<(), AttributeError> {
        let name = new.name().to_owned();
        let attributes = self.record.attributes.with(new);
        let before = std::mem::replace(&mut self.record.attributes, attributes);
        if exceeds_limit(self.record) {
            self.record.attributes = before;
            return Err(Size::error(&name));
        }
        Ok(())
    }
}

/// Shows the names of the attributes, because values may be secret.
impl fmt::Debug for AttributeUpgrade<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AttributeUpgrade");
        shown.field("version", &self.version).field("attributes", &self.record.attributes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{MAX_SESSION_BYTES, sample};

    #[test]
    fn attributes_are_set_renamed_and_removed() {
        let mut record = sample();
        let mut upgrade = AttributeUpgrade::of(&mut record, 3);
        assert_eq!(upgrade.version(), 3);
        assert_eq!(upgrade.constant::<String>("UserName").unwrap().as_deref(), Some("ann"));
        upgrade.set_attr("Total", &7).unwrap();
        upgrade.rename_attr("Count", "Total").unwrap();
        upgrade.rename_attr("Count", "Other").unwrap();
        upgrade.remove_attr("Count");
        assert_eq!(upgrade.attr::<u32>("Total").unwrap(), Some(1));
        upgrade.rename_attr("Total", "Total").unwrap();
        assert!(upgrade.attr::<String>("Total").is_err());
        let expected = serde_json::json!({"Total": 1});
        assert_eq!(serde_json::to_value(&record.attributes).unwrap(), expected);
    }

    #[test]
    fn what_makes_the_session_too_large_is_refused_and_changes_nothing() {
        let mut record = sample();
        let mut upgrade = AttributeUpgrade::of(&mut record, 0);
        let large = "x".repeat(MAX_SESSION_BYTES - 200);
        upgrade.set_attr("Large", &large).unwrap();
        assert!(matches!(upgrade.set_attr("More", &"x".repeat(200)), Err(AttributeError::TooLarge { .. })));
        let long = "n".repeat(200);
        assert!(matches!(upgrade.rename_attr("Count", &long), Err(AttributeError::TooLarge { .. })));
        assert_eq!(record.attributes.len(), 2);
        assert_eq!(record.attributes.get("Count"), Some(&1.into()));
    }
}
