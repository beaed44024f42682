use std::error::Error as StdError;
use std::time::Duration;

type Cause = Box<dyn StdError + Send + Sync>;

/// Why a session operation failed.
///
/// A session that isn't there when it is looked for is no error: that is `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed. Nothing is known to be saved; trying again later may help.
    #[error("the session store failed")]
    Store(#[from] StoreError),
    /// The session ended (removed, expired, renewed or replaced) since it was loaded.
    #[error("the session is gone")]
    Gone,
    /// Other writers changed the session at each of many attempts. Nothing was saved.
    #[error("the session was changed by others at each of {attempts} attempts to save it")]
    Conflict {
        /// How many attempts were made.
        attempts: u32,
    },
    /// An attribute could not be read or written. The stored value is as it was.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// No session id could be made.
    #[error("no session id could be made")]
    Random(#[from] RandomError),
    /// A session can be started or renewed only until the response head has left, because the
    /// client learns the new id from it.
    #[error("the response head has left: a session can't be {0} any more")]
    HeadSent(&'static str),
    /// A setting of a new session can't work.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Error {
    /// Whether the session ended since it was loaded: [`Error::Gone`].
    pub fn is_gone(&self) -> bool {
        matches!(self, Error::Gone)
    }

    /// Whether the store failed: [`Error::Store`]. Whether the operation took effect is not known.
    pub fn is_store_failure(&self) -> bool {
        matches!(self, Error::Store(_))
    }
}

/// Why an attribute was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The stored value is not of the type asked for. It is left alone.
    #[error("attribute {name:?} is not a {expected}")]
    Type {
        /// The attribute's name.
        name: String,
        /// The type asked for.
        expected: &'static str,
        /// What the value has instead. It may print the value, so keep it out of logs.
        source: serde_json::Error,
    },
    /// The value has no JSON form.
    #[error("attribute {name:?} has no JSON form")]
    Serialize {
        /// The attribute's name.
        name: String,
        /// What stands in the way.
        source: serde_json::Error,
    },
    /// The session would be larger than a session may be. It is left as it was.
    #[error("attribute {name:?} makes the session larger than {limit} bytes of JSON")]
    TooLarge {
        /// The attribute that did not fit.
        name: String,
        /// The most bytes that a session may have.
        limit: usize,
    },
}

/// The random source failed.
#[derive(Debug, thiserror::Error)]
#[error("the random source failed")]
pub struct RandomError(#[source] Cause);

impl RandomError {
    /// An error with this cause.
    pub fn new(cause: impl Into<Cause>) -> Self {
        RandomError(cause.into())
    }
}

/// A setting that can't work; the message says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        ConfigError(message.into())
    }
}

/// Why a store did not do what it was asked.
///
/// An unknown session, a conflict or a missing record is not an error.
#[derive(Debug, thiserror::Error)]
#[error("{store}: {problem}")]
pub struct StoreError {
    store: &'static str,
    problem: Problem,
    source: Option<Cause>,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Problem {
    #[error("not available")]
    Unavailable,
    #[error("refused the operation")]
    Refused,
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("{0} is not supported by this store")]
    Unsupported(&'static str),
}

impl StoreError {
    /// The server could not be reached, or the connection broke: trying again may help, and
    /// whether the operation took effect is not known.
    pub fn unavailable(store: &'static str, source: impl Into<Cause>) -> Self {
        StoreError { store, problem: Problem::Unavailable, source: Some(source.into()) }
    }

    /// The store answered that it can't: trying the same again does not help.
    pub fn refused(store: &'static str, source: impl Into<Cause>) -> Self {
        StoreError { store, problem: Problem::Refused, source: Some(source.into()) }
    }

    /// This store has no such operation.
    pub fn unsupported(store: &'static str, operation: &'static str) -> Self {
        StoreError { store, problem: Problem::Unsupported(operation), source: None }
    }

    pub(crate) fn timed_out(store: &'static str, limit: Duration) -> Self {
        StoreError { store, problem: Problem::TimedOut(limit), source: None }
    }

    /// Whether trying the same again may help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self.problem, Problem::Unavailable | Problem::TimedOut(_))
    }

    /// Whether the store lacks this operation.
    pub fn is_unsupported(&self) -> bool {
        matches!(self.problem, Problem::Unsupported(_))
    }
}

/// What is behind an error, for logs.
pub fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
