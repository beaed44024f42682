//! Sessions without HTTP: what a server remembers of one visitor, where that is kept, and for
//! how long.
//!
//! A web server uses it through `session-axum`; anything else uses a [`SessionManager`]
//! directly, with no HTTP in its dependency tree.
//!
//! # Layout
//!
//! A [`SessionManager`] hands out [`Session`]s and keeps them in a [`Store`] as [`Record`]s. A
//! [`Session`] collects what is done to it as plain data; the manager turns that into calls of
//! the store. Stores that keep bytes seal records in an [`Envelope`] whose body a [`Codec`]
//! makes.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod event;
mod id;
mod manager;
mod memory;
mod random;
mod record;
mod session;
mod store;
mod tiered;
mod time;
mod visit;

pub use error::{AttributeError, ConfigError, Error, RandomError, StoreError};
pub use event::{Counters, Event, Observer};
pub use id::{PresentedIds, SessionId};
pub use manager::{IntoSessionManager, SessionManager, SessionManagerBuilder};
pub use memory::MemoryStore;
pub use random::{RandomSource, SystemRandom};
#[cfg(feature = "encryption")]
pub use record::EncryptedCodec;
pub use record::{
    Attributes, Body, Codec, CodecError, Envelope, InvalidRecord, InvalidRecordKey, JsonCodec, MAX_SESSION_BYTES,
    PrincipalKey, Record, RecordFormat, RecordKey, Version,
};
pub use session::{AttrKey, AttrName, Name, NewSession, Session, WriteName};
pub use store::{AnyStore, Buried, Capabilities, Created, FastStore, ImmediateStore, Purged, Renewed, Saved, Store};
pub use tiered::{TierCounters, TieredStore, TieredStoreBuilder, WriteBehind};
pub use time::{Clock, ManualClock, SystemClock, Time};
pub use visit::{Committed, IssuedId, Visit};

/// For the sibling crates only: not part of the public interface, and changed without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::error::causes;
    pub use crate::record::warn_dropped;
    pub use crate::store::Backoff;
    pub use crate::visit::{Environment, Host};
}

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
