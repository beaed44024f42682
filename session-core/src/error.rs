use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// Why an operation on a session failed.
///
/// A session that is not found is not an error: lookups return `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed. A write may or may not have taken effect; trying again later may help.
    #[error("the session store failed")]
    Store(#[from] StoreError),
    /// The session has ended since it was loaded: it was removed, renewed or replaced, or it expired.
    #[error("the session is gone: it was removed, renewed or replaced, or it expired")]
    Gone,
    /// The client's session is bound to a device, and this request came without a proof of it. The next one may have it,
    /// so no other session takes the place of that one.
    #[error("the client has a session that is bound to a device, and the request came without a proof of it")]
    NoProof,
    /// The client came with an id that was replaced, and goes on for a short while only: see
    /// [`renewal_grace`](crate::manager::SessionManagerBuilder::renewal_grace). Such a session can't be renewed, and
    /// can't end others. The client's next request comes with the new id.
    #[error("the session can't be {0} by a request that came with an id that was replaced")]
    OldId(&'static str),
    /// Other writers changed the session during every attempt to save it. Nothing was saved.
    #[error("the session was not saved: other writers changed it during each of {attempts} attempts")]
    Conflict {
        /// The number of attempts.
        attempts: u32,
    },
    /// An attribute could not be read or written. The stored value is unchanged.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// No session id could be generated.
    #[error("no session id could be generated")]
    Random(#[from] RandomError),
    /// A session was started or renewed after the response head was sent. The client learns the new id
    /// from the response head, so it would never get this one.
    #[error("the session can't be {0} after the response head was sent; do it before the handler returns")]
    HeadSent(&'static str),
    /// A session was to be [detached](crate::session::Session::detach) in the request that has started it.
    #[error(
        "the session can't be detached before it is stored; do it in a later request, or after the response head was sent"
    )]
    NotStored,
    /// The application's function failed that brings older attributes up to date: see
    /// [`attributes_version`](crate::manager::SessionManagerBuilder::attributes_version). The session is not served, and
    /// stays in the store as it is.
    #[error("the session's attributes could not be upgraded from version {from} to {to}")]
    Upgrade {
        /// The version that the session has. 0 if none is noted.
        from: u32,
        /// The version of this manager.
        to: u32,
        /// What the function returned. The text of its causes may contain values, so keep it out of logs.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A setting of a new session has a value that is not allowed.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Error {
    /// Whether the session has ended since it was loaded: [`Error::Gone`].
    pub fn is_gone(&self) -> bool {
        matches!(self, Error::Gone)
    }

    /// Whether the store failed: [`Error::Store`]. It is then unknown whether the operation took effect.
    pub fn is_store_failure(&self) -> bool {
        matches!(self, Error::Store(_))
    }
}

/// Why an attribute could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The stored value does not have the requested type. It is not changed.
    #[error("attribute {name:?} is not a {expected}")]
    Type {
        /// The attribute's name.
        name: String,
        /// The requested type.
        expected: &'static str,
        /// Why the value does not fit. The text may contain the value, so keep it out of logs.
        source: serde_json::Error,
    },
    /// The value can't be written as JSON: for example a map whose keys are lists, or a type whose own `Serialize`
    /// fails.
    #[error("attribute {name:?} can't be written as JSON")]
    Serialize {
        /// The attribute's name.
        name: String,
        /// What can't be written.
        source: serde_json::Error,
    },
    /// The value would come back as another one, or could not be read. The session is not changed.
    #[error("attribute {name:?} would not come back as it is: {reason}")]
    Lossy {
        /// The attribute's name.
        name: String,
        /// What would be lost, and what to store instead.
        reason: &'static str,
    },
    /// The value has lists, maps, structs or enum variants nested deeper than can be read back. The session is not
    /// changed.
    #[error("attribute {name:?} is nested deeper than {limit} levels; store a flatter value")]
    TooDeep {
        /// The attribute's name.
        name: String,
        /// The largest number of levels.
        limit: usize,
    },
    /// The value would make the session larger than [`MAX_SESSION_BYTES`](crate::record::MAX_SESSION_BYTES).
    /// The session is not changed.
    #[error("attribute {name:?} makes the session larger than {limit} bytes of JSON")]
    TooLarge {
        /// The attribute that does not fit.
        name: String,
        /// The largest allowed size of a session, in bytes of JSON.
        limit: usize,
    },
}

/// The source of random bytes failed. It is returned by a [`RandomSource`](crate::random::RandomSource).
#[derive(Debug, thiserror::Error)]
#[error("the random source failed")]
pub struct RandomError(#[source] Cause);

impl RandomError {
    /// Makes an error with this cause.
    pub fn new(cause: impl Into<Cause>) -> Self {
        RandomError(cause.into())
    }
}

/// A setting has a value that is not allowed. The message names the setting and says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// Makes an error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        ConfigError(message.into())
    }
}

/// Why an operation of a store failed.
///
/// An unknown session, a conflict or a missing record is not an error, but an outcome: see
/// [`Store`](crate::store::Store).
///
/// The constructors take the store's name, as [`Store::name`](crate::store::Store::name) gives it.
#[derive(Debug)]
pub struct StoreError {
    store: &'static str,
    problem: Problem,
    source: Option<Cause>,
    names_causes: bool,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.store, self.problem)?;
        let mut cause = self.source.as_deref().filter(|_| self.names_causes).map(|cause| cause as &dyn StdError);
        let mut told = String::new();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat the next cause in the text of an error.
            if !told.contains(&text) {
                write!(f, ": {text}")?;
            }
            (told, cause) = (text, error.source());
        }
        Ok(())
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().filter(|_| !self.names_causes).map(|cause| cause as _)
    }
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
    /// The server could not be reached, or the connection broke. It is unknown whether the operation took
    /// effect. The library repeats the operation where that is safe.
    pub fn unavailable(store: &'static str, source: impl Into<Cause>) -> Self {
        StoreError { store, problem: Problem::Unavailable, source: Some(source.into()), names_causes: false }
    }

    /// The store answered that it can't do this. Repeating the same operation does not help. A store that is full or
    /// read-only is [`unavailable`](StoreError::unavailable).
    pub fn refused(store: &'static str, source: impl Into<Cause>) -> Self {
        StoreError { store, problem: Problem::Refused, source: Some(source.into()), names_causes: false }
    }

    /// The store does not have this operation. `operation` reads like "listing sessions".
    pub fn unsupported(store: &'static str, operation: &'static str) -> Self {
        StoreError { store, problem: Problem::Unsupported(operation), source: None, names_causes: false }
    }

    /// The error with all its causes in the message, for one that a person reads when a program starts. It then has no
    /// [`source`](std::error::Error::source).
    ///
    /// Not for errors of operations, which are logged with their causes.
    #[must_use]
    pub fn naming_causes(self) -> Self {
        StoreError { names_causes: true, ..self }
    }

    pub(crate) fn timed_out(store: &'static str, limit: Duration) -> Self {
        StoreError { store, problem: Problem::TimedOut(limit), source: None, names_causes: false }
    }

    /// Whether repeating the same operation later may help: the store was not reached, or was too slow.
    pub fn is_unavailable(&self) -> bool {
        matches!(self.problem, Problem::Unavailable | Problem::TimedOut(_))
    }

    /// Whether the store does not have this operation.
    pub fn is_unsupported(&self) -> bool {
        matches!(self.problem, Problem::Unsupported(_))
    }
}

/// The chain of an error's causes as one line, for logs.
pub fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The chain of an error's causes as one line, up to what may quote a value.
pub fn causes_without_values(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    // serde_json says what it has found in place of what it expected.
    let causes = causes.take_while(|cause| !cause.is::<serde_json::Error>());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("can't connect{0}")]
    struct Connecting(&'static str, #[source] io::Error);

    fn connecting(repeated: &'static str) -> StoreError {
        StoreError::unavailable("redis", Connecting(repeated, io::Error::other("refused")))
    }

    #[test]
    fn a_cause_that_may_quote_a_value_is_left_out() {
        let source = serde_json::from_str::<u32>("\"secret\"").unwrap_err();
        assert!(source.to_string().contains("secret"));
        let error = AttributeError::Type { name: "Pin".to_owned(), expected: "u32", source };
        let error = Error::Upgrade { from: 0, to: 1, source: error.into() };
        assert_eq!(causes_without_values(&error), "attribute \"Pin\" is not a u32");
    }

    #[test]
    fn an_error_names_its_causes_once_where_it_is_asked_to() {
        let error = connecting("");
        assert_eq!(
            (error.to_string().as_str(), causes(&error).as_str()),
            ("redis: not available", "can't connect: refused")
        );
        for repeated in ["", ": refused"] {
            let error = connecting(repeated).naming_causes();
            assert_eq!(error.to_string(), "redis: not available: can't connect: refused");
            assert_eq!(causes(&error), "");
        }
        assert_eq!(
            StoreError::unsupported("redis", "listing").naming_causes().to_string(),
            "redis: listing is not supported by this store"
        );
    }
}
