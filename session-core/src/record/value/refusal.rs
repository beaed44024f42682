use std::error::Error as StdError;
use std::fmt;

use serde::ser;

use crate::error::AttributeError;

use super::json_size::MAX_SESSION_BYTES;

/// How many lists, maps, structs and variants with data an attribute may have inside each other: 120.
///
/// serde_json reads 127 levels. The body of a record takes two; the others are left for codecs and later formats.
pub(super) const MAX_DEPTH: usize = 120;

/// Why a value does not become an attribute.
#[derive(Debug)]
pub(in crate::record) enum Refusal {
    TooLarge,
    TooDeep,
    /// It would come back as another value, or not at all.
    Lossy(&'static str),
    /// It has no JSON form, or its own `Serialize` failed.
    Failed(serde_json::Error),
}

impl Refusal {
    pub(super) const NOT_FINITE: Refusal =
        Refusal::Lossy("JSON has no infinite number and no NaN; store an `Option`, or a text");
    pub(super) const WIDE: Refusal =
        Refusal::Lossy("serde can't read 128-bit integers everywhere; store a 64-bit integer, two of them, or a text");
    pub(super) const BYTES: Refusal = Refusal::Lossy(
        "JSON has no bytes, and not every type reads them back from a list; store a text such as base64, or a list of numbers",
    );
    pub(super) const NULL_IN_SOME: Refusal = Refusal::Lossy(
        "`Some(None)`, and `Some` of anything else that is null, would come back as `None`; store an enum",
    );
    pub(super) const SAME_KEY: Refusal = Refusal::Lossy("a map or struct has the same key twice");
    pub(super) const RESERVED_KEY: Refusal = Refusal::Lossy("a key begins with `$serde_json::private::`");
    pub(super) const FLAT_KEY: Refusal =
        Refusal::Lossy("a flattened map has negative or fractional numbers or bools as keys; do not flatten it");
    pub(super) const MIXED_KEYS: Refusal =
        Refusal::Lossy("it has numbers as keys and also texts that look like numbers; store these in two attributes");

    /// The error for the attribute with this name.
    #[cold]
    pub(in crate::record) fn of(self, name: &str) -> AttributeError {
        let name = name.to_owned();
        match self {
            Refusal::TooLarge => AttributeError::TooLarge { name, limit: MAX_SESSION_BYTES },
            Refusal::TooDeep => AttributeError::TooDeep { name, limit: MAX_DEPTH },
            Refusal::Lossy(reason) => AttributeError::Lossy { name, reason },
            Refusal::Failed(source) => AttributeError::Serialize { name, source },
        }
    }
}

impl ser::Error for Refusal {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Refusal::Failed(ser::Error::custom(message))
    }
}

/// For implementations of `Serialize` that turn an error into a text.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooLarge => write!(f, "it takes more than {MAX_SESSION_BYTES} bytes"),
            Refusal::TooDeep => write!(f, "it is nested deeper than {MAX_DEPTH} levels"),
            Refusal::Lossy(reason) => f.write_str(reason),
            Refusal::Failed(error) => error.fmt(f),
        }
    }
}

impl StdError for Refusal {}
