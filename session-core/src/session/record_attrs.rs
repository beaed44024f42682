use serde::de::DeserializeOwned;

use crate::error::AttributeError;
use crate::record::{Attributes, Record, read};

use super::attr_key::AttrName;

// Here, because records may not know the names of attributes.
impl Record {
    /// Reads an attribute, for lists of sessions. `None` if the session does not have it.
    ///
    /// [`AttributeError::Type`] if the value has another type.
    ///
    /// ```
    /// use session_core::{AttrKey, Error, MemoryStore, NewSession, SessionManager};
    ///
    /// const BROWSER: AttrKey<String> = AttrKey::new("Browser");
    ///
    /// # async fn example() -> Result<(), Error> {
    /// let sessions = SessionManager::new(MemoryStore::new());
    /// sessions.create(NewSession::new().principal("ann").constant(BROWSER, "Firefox").attr("Count", &3)).await?;
    /// for record in sessions.sessions_of("ann").await? {
    ///     assert_eq!(record.attr::<u32>("Count")?, Some(3));
    ///     assert_eq!(record.constant(BROWSER)?.as_deref(), Some("Firefox"));
    /// }
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
    /// ```
    pub fn attr<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, AttributeError> {
        value(&self.attributes, key)
    }

    /// Reads a constant attribute. `None` if the session does not have it.
    ///
    /// [`AttributeError::Type`] if the value has another type.
    pub fn constant<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, AttributeError> {
        value(&self.constants, key)
    }
}

fn value<T: DeserializeOwned>(values: &Attributes, key: impl AttrName<T>) -> Result<Option<T>, AttributeError> {
    let name = key.name();
    values.get(name).map(|value| read(name, value)).transpose()
}

#[cfg(test)]
mod tests {
    use crate::error::AttributeError;
    use crate::record::sample;
    use crate::session::AttrKey;

    #[test]
    fn a_record_tells_its_attributes_and_constants_by_type() {
        const COUNT: AttrKey<u32> = AttrKey::new("Count");
        let record = sample();
        assert_eq!(record.attr(COUNT).unwrap(), Some(1));
        assert_eq!(record.constant("UserName").unwrap(), Some("ann".to_owned()));
        assert_eq!(record.attr::<String>("UserName").unwrap(), None, "a constant is no attribute");
        assert_eq!(record.constant(COUNT).unwrap(), None, "an attribute is no constant");
        assert!(matches!(record.attr::<bool>("Count"), Err(AttributeError::Type { .. })));
    }
}
