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

mod attr_key;
mod attributes;
mod builder;
mod changes;
mod clock;
mod codec;
mod commit;
mod conflict_queue;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "encryption")]
mod encryption;
mod envelope;
mod error;
mod event;
mod id;
mod key;
mod manager;
mod memory;
mod memory_cell;
mod memory_index;
mod memory_recency;
mod new_session;
mod patient_store;
mod purge;
mod random;
mod record;
mod session;
mod started;
mod state;
mod store;
mod tiered;
mod time;
mod visit;

pub use attr_key::{AttrKey, AttrName, Name, WriteName};
pub use attributes::{Attributes, MAX_SESSION_BYTES};
pub use builder::SessionManagerBuilder;
pub use clock::{Clock, ManualClock, SystemClock};
pub use codec::{Body, Codec, CodecError, JsonCodec};
pub use commit::{Committed, IssuedId};
#[cfg(feature = "encryption")]
pub use encryption::EncryptedCodec;
pub use envelope::{Envelope, InvalidRecord, warn_dropped};
pub use error::{AttributeError, ConfigError, Error, RandomError, StoreError};
pub use event::{Counters, Event, Observer};
pub use id::{PresentedIds, SessionId};
pub use key::{InvalidRecordKey, PrincipalKey, RecordKey};
pub use manager::{IntoSessionManager, SessionManager};
pub use memory::MemoryStore;
pub use new_session::NewSession;
pub use random::{RandomSource, SystemRandom};
pub use record::{Record, Version};
pub use session::Session;
pub use store::{AnyStore, Capabilities, FastStore, Purged, Store, Written};
pub use tiered::{TierCounters, TieredStore, TieredStoreBuilder, WriteBehind};
pub use time::Time;
pub use visit::{Host, Visit};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
