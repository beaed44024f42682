use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::error::{ConfigError, Error};
use crate::record::Attributes;
use crate::record::{Attribute, check_size};

use crate::record::{Record, Version};
use crate::visit::{Changes, Environment, Kept, Started};

use super::attr_key::WriteName;
use super::session::Session;

/// What a session starts with.
///
/// ```
/// use session_core::{AttrKey, NewSession};
///
/// const USER: AttrKey<String> = AttrKey::new("UserName");
///
/// let new = NewSession::new().principal("ann").constant(USER, "ann").attr("Count", &0);
/// ```
///
/// A value that can't be kept is reported when the session is started.
#[must_use]
#[derive(Default)]
pub struct NewSession {
    principal: Option<Arc<str>>,
    constants: Changes,
    attributes: Changes,
    kept: Option<(Attributes, Kept)>,
    idle_timeout: Option<Duration>,
    /// Outer `None`: as the manager has it.
    absolute_timeout: Option<Option<Duration>>,
    persistent: Option<bool>,
    problem: Option<Error>,
}

impl NewSession {
    /// A session with nothing in it.
    pub fn new() -> Self {
        NewSession::default()
    }

    /// Says who is signed in, as the application names its users.
    pub fn principal(mut self, principal: impl AsRef<str>) -> Self {
        self.principal = Some(principal.as_ref().into());
        self
    }

    /// Gives the session a value that never changes.
    pub fn constant<V: Serialize + ?Sized>(mut self, key: impl WriteName<V>, value: &V) -> Self {
        match Attribute::new(key.name(), value) {
            Ok(constant) => self.constants.set(constant),
            Err(error) => self.complain(error.into()),
        }
        self
    }

    /// Gives the session an attribute.
    pub fn attr<V: Serialize + ?Sized>(mut self, key: impl WriteName<V>, value: &V) -> Self {
        match Attribute::new(key.name(), value) {
            Ok(attribute) => self.attributes.set(attribute),
            Err(error) => self.complain(error.into()),
        }
        self
    }

    /// Carries over the attributes of a session, as they are now: a cart filled before the login.
    ///
    /// Its constants and its principal are not carried over. What [`attr`](NewSession::attr) gives
    /// wins. If that session is gone when the new one is stored, its attributes are gone too.
    pub fn keep(mut self, session: &Session) -> Self {
        match session.kept() {
            Ok(kept) => self.kept = Some(kept),
            Err(error) => self.complain(error),
        }
        self
    }

    /// Another idle timeout than the manager's.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Another absolute timeout than the manager's. Remember-me needs both timeouts, and
    /// [`persistent`](NewSession::persistent).
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.absolute_timeout = Some(Some(timeout));
        self
    }

    /// No absolute timeout: the session lives for as long as it is used, and a stolen id too.
    pub fn without_absolute_timeout(mut self) -> Self {
        self.absolute_timeout = Some(None);
        self
    }

    /// Whether the client keeps the session's cookie when it is closed.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = Some(persistent);
        self
    }

    fn complain(&mut self, problem: Error) {
        self.problem.get_or_insert(problem);
    }

    /// The session under a fresh id, as it starts now.
    pub(crate) fn started(self, environment: &Environment) -> Result<Started, Error> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let defaults = environment.defaults;
        let idle_timeout = self.idle_timeout.map(|timeout| checked_timeout(timeout, "idle_timeout")).transpose()?;
        let absolute_timeout = match self.absolute_timeout {
            Some(timeout) => timeout.map(|timeout| checked_timeout(timeout, "absolute_timeout")).transpose()?,
            None => defaults.absolute_timeout,
        };
        let constants = self.constants.into_attributes();
        let (attributes, kept) = match self.kept {
            None => (self.attributes.into_attributes(), None),
            Some((before, kept)) => (self.attributes.applied_to(&before), Some((kept, self.attributes))),
        };
        let last = attributes.iter().chain(constants.iter()).last().map_or("", |(name, _)| name);
        check_size(&constants, &attributes, last)?;
        let (id, now) = (environment.draw_id()?, environment.now());
        let record = Record {
            key: id.key(),
            // The attempt to store it marks it.
            version: Version::first(0),
            created: now,
            accessed: now,
            idle_timeout: idle_timeout.unwrap_or(defaults.idle_timeout),
            absolute_deadline: absolute_timeout.map(|timeout| now.saturating_add(timeout)),
            persistent: self.persistent.unwrap_or(defaults.persistent),
            principal: self.principal,
            constants,
            attributes,
            format: defaults.record_format,
            extensions: Attributes::default(),
        };
        Ok(Started::new(id, record, kept))
    }
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession").field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// Longest timeout that is kept as it is; anything longer lives as long: a thousand years.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// A timeout in whole milliseconds. Zero is an error.
pub(crate) fn checked_timeout(timeout: Duration, name: &str) -> Result<Duration, ConfigError> {
    if timeout < Duration::from_millis(1) {
        return Err(ConfigError::new(format!(
            "the {name} timeout is {timeout:?}, which ends every session at once; give at least 1 ms"
        )));
    }
    Ok(Duration::from_millis(timeout.min(LONGEST_TIMEOUT).as_millis() as u64))
}
