use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::error::{ConfigError, Error};
use crate::record::{
    Attribute, Attributes, Authenticated, Record, Size, Version, exceeds_limit, note_attributes_version,
};
use crate::time::Time;
use crate::visit::{Changes, Environment, Started, Travelling};

use super::attr_key::{Name, WriteName};
use super::authentication::Authentication;
use super::keep::Keep;
use super::session::Session;
use super::timeout::AskedLifetime;

/// The contents and settings of a session that is about to start.
///
/// The methods never fail. A value that [`Session::set_attr`] would refuse, a session that is too large, an empty
/// principal or a timeout that is not allowed is reported when the session is started.
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
    keep: Option<Keep>,
    authenticated: Option<Authenticated>,
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
    /// the session by it. It can't be changed later. Allowed: any text but an empty one; it is compared byte by byte,
    /// and counts towards the size of the session.
    pub fn principal(mut self, principal: impl AsRef<str>) -> Self {
        match principal.as_ref() {
            "" => self.complain(ConfigError::new(NO_USER).into()),
            principal => self.principal = Some(principal.into()),
        }
        self
    }

    /// Says how the user has proven who they are: by which methods, and with which version of their credentials. Default:
    /// at the start of the session, by methods that nobody has named. Needs a [`principal`](NewSession::principal).
    pub fn authenticated(mut self, authentication: Authentication) -> Self {
        match authentication.checked() {
            Ok(authenticated) => self.authenticated = Some(authenticated),
            Err(error) => self.complain(error.into()),
        }
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

    /// Copies the attributes of the visitor's session, such as a cart that was filled before the login.
    ///
    /// All attributes are copied if `session` is anonymous, or if its principal is that of the new session. They are
    /// left behind if another user is signed in there: use [`keep_only`](NewSession::keep_only) to name what may travel
    /// from one user to the next. [`left_behind`](NewSession::left_behind) returns what is not copied. The first time
    /// that another user's attributes are left behind, a warning is logged; later ones are logged at debug level.
    ///
    /// Constants and the principal are not copied. A value given by [`attr`](NewSession::attr) wins over a copied one.
    /// If the other session has ended when the new one is stored, nothing is copied. A later call of `keep` or
    /// `keep_only` replaces an earlier one.
    pub fn keep(mut self, session: &Session) -> Self {
        self.copy(session, Travelling::All);
        self
    }

    /// Copies the attributes with these names, whoever was signed in to `session`. All others are left behind, which is
    /// logged at debug level.
    ///
    /// Name only what the next user of the same browser may see. The rest is as for [`keep`](NewSession::keep).
    ///
    /// ```
    /// use session_core::{NewSession, Session};
    ///
    /// fn signed_in(before: &Session) -> NewSession {
    ///     NewSession::new().principal("ann").keep_only(before, ["Language", "Theme"])
    /// }
    /// ```
    pub fn keep_only<N: Name>(mut self, session: &Session, names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(|name| name.name().into()).collect();
        self.copy(session, Travelling::Only(names));
        self
    }

    fn copy(&mut self, session: &Session, travelling: Travelling) {
        match session.keep(travelling) {
            Ok(keep) => self.keep = Some(keep),
            Err(error) => self.complain(error),
        }
    }

    /// The names of the attributes that [`keep`](NewSession::keep) or [`keep_only`](NewSession::keep_only) does not copy.
    /// Empty if everything is copied, and without either of them. Call it after [`principal`](NewSession::principal).
    pub fn left_behind(&self) -> Vec<&str> {
        let keep = self.keep.iter();
        keep.flat_map(|keep| keep.left_behind(self.principal.as_deref())).collect()
    }

    /// Says what is not copied. Clients can cause it as often as they like, so only the first time is a warning.
    fn log_left_behind(&self, environment: &Environment) {
        let left_behind = self.left_behind();
        if left_behind.is_empty() {
            return;
        }
        let principal = self.principal.as_deref();
        if self.keep.as_ref().is_some_and(|keep| keep.is_refused_to(principal)) {
            environment.events.left_another_users_behind(&left_behind);
        } else {
            tracing::debug!(?left_behind, "`keep_only` left attributes of the session before behind");
        }
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
    /// For "remember me", use [`remember`](NewSession::remember).
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.lifetime.absolute_timeout = Some(Some(timeout));
        self
    }

    /// When this session ends, used or not: at a time that comes from elsewhere, such as the expiry date of a session that
    /// is taken over from another library. Default: the manager's absolute timeout.
    ///
    /// It also is the idle timeout, unless [`idle_timeout`](NewSession::idle_timeout) gives a shorter one. Starting fails if
    /// the time is over, or beside [`absolute_timeout`](NewSession::absolute_timeout) or
    /// [`remember`](NewSession::remember).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use session_core::{Clock, MemoryStore, NewSession, SessionManager, SystemClock};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), session_core::Error> {
    /// let end = SystemClock.now().saturating_add(Duration::from_secs(14 * 86_400));
    /// let session = SessionManager::new(MemoryStore::new()).create(NewSession::new().ends_at(end)).await?;
    /// assert_eq!(session.expires_at(), end);
    /// # Ok(()) }
    /// ```
    pub fn ends_at(mut self, end: Time) -> Self {
        self.lifetime.ends_at = Some(end);
        self
    }

    /// Whether the time of [`ends_at`](NewSession::ends_at) is over.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.lifetime.ends_at.is_some_and(|end| end <= now)
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

    /// Remembers the user on this browser ("remember me"): the session lives for this time, used or not, and its cookie
    /// survives closing the browser. At least 1 ms.
    ///
    /// It stands for [`idle_timeout`](NewSession::idle_timeout), [`absolute_timeout`](NewSession::absolute_timeout) and
    /// [`persistent`](NewSession::persistent), so starting fails if one of them contradicts it. Later,
    /// [`Session::remember`] and [`Session::stop_remembering`] change it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use session_core::NewSession;
    /// const MONTH: Duration = Duration::from_secs(30 * 86_400);
    ///
    /// let new = NewSession::new().principal("ann").remember(MONTH);
    /// ```
    pub fn remember(mut self, time: Duration) -> Self {
        self.lifetime.remember = Some(time);
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
        if self.authenticated.is_some() && self.principal.is_none() {
            return Err(ConfigError::new(NOBODY).into());
        }
        self.log_left_behind(environment);
        let now = environment.now();
        let lifetime = self.lifetime.or(environment.lifetime, now)?;
        let constants = self.constants.into_attributes();
        let (attributes, kept) = match self.keep {
            None => (self.attributes.into_attributes(), None),
            Some(keep) => keep.copied_to(self.principal.as_deref(), self.attributes),
        };
        let id = environment.draw_id()?;
        let mut record = Record {
            key: id.key(),
            // The mark is set by each attempt to store it.
            version: Version::first(0),
            created: now,
            accessed: now,
            idle_timeout: lifetime.idle_timeout,
            absolute_deadline: lifetime.absolute_timeout.map(|timeout| now.saturating_add(timeout)),
            persistent: lifetime.persistent,
            principal: self.principal,
            audience: environment.rules.audience.clone(),
            constants,
            attributes,
            format: environment.rules.record_format,
            extensions: Attributes::default(),
        };
        note_attributes_version(&mut record, environment.rules.attributes_version);
        if let Some(mut authenticated) = self.authenticated {
            authenticated.at = authenticated.at.map(|at| at.min(now.unix_millis()));
            authenticated.write(&mut record);
        }
        if exceeds_limit(&record) {
            return Err(too_large(&record));
        }
        Ok(Started::new(id, record, kept))
    }
}

#[cold]
fn too_large(record: &Record) -> Error {
    match record.attributes.iter().chain(record.constants.iter()).last() {
        Some((name, _)) => Size::error(name).into(),
        None => ConfigError::new(LONG_PRINCIPAL).into(),
    }
}

const LONG_PRINCIPAL: &str = "`principal` takes more than the 1 MiB of a session; use a short id of the user";
const NOBODY: &str = "`authenticated` says how a user has proven who they are; give the `principal` too";
const NO_USER: &str = "`principal` must not be empty; leave it out for a session without a user";

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession").field("principal", &self.principal).finish_non_exhaustive()
    }
}
