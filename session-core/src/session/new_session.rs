use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::record::{Attribute, Attributes, Record, Version, check_size};
use crate::visit::{Changes, Environment, Kept, Started};

use super::attr_key::WriteName;
use super::session::Session;
use super::timeout::AskedLifetime;

/// The contents and settings of a session that is about to start.
///
/// The methods never fail. A value that can't be written as JSON, a session that is too large or a timeout
/// that is not allowed is reported when the session is started.
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{AttrKey, MemoryStore, NewSession, SessionManager};
///
/// const USER: AttrKey<String> = AttrKey::new("UserName");
/// const COUNT: AttrKey<u32> = AttrKey::new("Count");
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_core::Error> {
/// let new = NewSession::new()
///     .principal("ann")
///     .constant(USER, "ann")
///     .attr(COUNT, &0)
///     .idle_timeout(Duration::from_secs(10 * 60));
/// let session = SessionManager::new(MemoryStore::new()).create(new).await?;
/// assert_eq!(session.constant(USER)?.as_deref(), Some("ann"));
/// # Ok(()) }
/// ```
#[must_use]
#[derive(Default)]
pub struct NewSession {
    principal: Option<Arc<str>>,
    constants: Changes,
    attributes: Changes,
    kept: Option<(Attributes, Kept)>,
    lifetime: AskedLifetime,
    problem: Option<Error>,
}

impl NewSession {
    /// An anonymous session without attributes, with the manager's timeouts.
    pub fn new() -> Self {
        NewSession::default()
    }

    /// Sets the principal: the id or name of the user who is signed in. Default: none, an anonymous session.
    ///
    /// [`SessionManager::sessions_of`](crate::manager::SessionManager::sessions_of) and related methods find
    /// the session by it. It can't be changed later.
    pub fn principal(mut self, principal: impl AsRef<str>) -> Self {
        self.principal = Some(principal.as_ref().into());
        self
    }

    /// Adds a constant attribute, which can be read but never changed.
    pub fn constant<V: Serialize + ?Sized>(mut self, key: impl WriteName<V>, value: &V) -> Self {
        match Attribute::new(key.name(), value) {
            Ok(constant) => self.constants.set(constant),
            Err(error) => self.complain(error.into()),
        }
        self
    }

    /// Adds an attribute, which can be changed later.
    pub fn attr<V: Serialize + ?Sized>(mut self, key: impl WriteName<V>, value: &V) -> Self {
        match Attribute::new(key.name(), value) {
            Ok(attribute) => self.attributes.set(attribute),
            Err(error) => self.complain(error.into()),
        }
        self
    }

    /// Copies the attributes of another session, such as a cart that was filled before the login.
    ///
    /// Constants and the principal are not copied. A value given by [`attr`](NewSession::attr) wins over a
    /// copied one. If the other session has ended when the new one is stored, nothing is copied.
    pub fn keep(mut self, session: &Session) -> Self {
        match session.kept() {
            Ok(kept) => self.kept = Some(kept),
            Err(error) => self.complain(error),
        }
        self
    }

    /// How long this session lives after its last request. Default: the manager's idle timeout. Allowed: at
    /// least 1 ms, at most the [`absolute_timeout`](NewSession::absolute_timeout) of this session, which is the
    /// manager's (24 hours by default) unless it is given here. A short one signs users out while they read a page; a long one leaves a forgotten browser
    /// signed in.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.lifetime.idle_timeout = Some(timeout);
        self
    }

    /// How long this session lives after its start, however much it is used. Default: the manager's absolute
    /// timeout. Allowed: at least 1 ms. A short one makes users sign in again in the middle of their work; a
    /// long one lets a stolen id work for as long.
    ///
    /// "Remember me" needs this, [`idle_timeout`](NewSession::idle_timeout) and
    /// [`persistent`](NewSession::persistent).
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.lifetime.absolute_timeout = Some(Some(timeout));
        self
    }

    /// Lets this session live for as long as it is used. A stolen id then works for as long too.
    pub fn without_absolute_timeout(mut self) -> Self {
        self.lifetime.absolute_timeout = Some(None);
        self
    }

    /// Whether the session's cookie survives closing the browser. Default: the manager's setting.
    ///
    /// With `true`, an absolute timeout must be given here or to the manager, or
    /// [`without_absolute_timeout`](NewSession::without_absolute_timeout): the default of 24 hours would end what was
    /// meant to be remembered.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.lifetime.persistent = Some(persistent);
        self
    }

    fn complain(&mut self, problem: Error) {
        self.problem.get_or_insert(problem);
    }

    /// The session under a new id, starting now.
    pub(crate) fn started(self, environment: &Environment) -> Result<Started, Error> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let defaults = environment.defaults;
        let lifetime = self.lifetime.or(defaults.lifetime)?;
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
            // The mark is set by each attempt to store it.
            version: Version::first(0),
            created: now,
            accessed: now,
            idle_timeout: lifetime.idle_timeout,
            absolute_deadline: lifetime.absolute_timeout.map(|timeout| now.saturating_add(timeout)),
            persistent: lifetime.persistent,
            principal: self.principal,
            audience: environment.audience.clone(),
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
