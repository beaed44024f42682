//! Sessions without HTTP: what a server remembers of one visitor, where that is kept, and for how long.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), session_core::Error> {
//! # use session_core::{MemoryStore, NewSession, SessionManager};
//! let sessions = SessionManager::new(MemoryStore::new());
//! let session = sessions.create(NewSession::new().principal("ann").attr("Count", &1)).await?;
//! assert_eq!(sessions.get(session.id().as_str()).await?.unwrap().attr("Count")?, Some(1));
//! # Ok(()) }
//! ```
//!
//! A web application on axum uses the crate `session-axum`, which has everything of this crate under its own name. A
//! WebSocket server, a gRPC service or an admin tool uses this crate directly, without HTTP among its dependencies.
//!
//! # What to read first
//!
//! - [`SessionManager`] creates, finds, lists and ends sessions. Its [settings](SessionManagerBuilder) say for how long
//!   sessions live.
//! - [`Session`] is what an application holds: attributes of any serde type, under plain names or typed [`AttrKey`]s.
//! - [`NewSession`] is what a session starts with, such as the user who is signed in (the *principal*).
//! - [`MemoryStore`] keeps sessions in this process. [`TieredStore`] puts a cache before a durable store. The crate
//!   `session-stores` has stores in databases.
//! - [`Event`], [`Observer`] and [`Counters`] tell what happens.
//! - [`ManualClock`] is for tests of whatever depends on time.
//!
//! The author of a store begins with [`Store`]; the author of an integration with a web framework with [`Visit`].
//!
//! # Layout
//!
//! The source code is divided into rooms (folders). An arrow says which room may know which; none goes back up.
//! Each room begins with a few lines about what it is for.
//!
//! ```text
//! manager ──► session ──► visit ──┬──► event ───┐
//!    the manager, its     │       │             ├──► record ──► id, random, time, error
//!    builder, purging     │       └──► store ───┘
//!                         │              ▲
//!             what an application holds  └── memory, tiered: stores
//! ```
//!
//! | room | what it has |
//! |---|---|
//! | `manager/` | [`SessionManager`], its builder, purging |
//! | `session/` | [`Session`], [`NewSession`], [`AttrKey`] |
//! | `visit/` | what one request does to its session: a state that decides, and two drivers that call the store |
//! | `event.rs` | events, observers, counters |
//! | `store/` | the contract of stores, time limits, retries |
//! | `record/` | a session at rest: [`Record`], [`Attributes`], [`Envelope`], [`Codec`] |
//! | `memory/`, `tiered/` | two stores: [`MemoryStore`], [`TieredStore`] |
//! | `conformance/` | tests that every store must pass |
//! | `id.rs`, `random.rs`, `time/`, `error.rs` | what all others use |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `encryption` | `EncryptedCodec`: records are encrypted where they are stored |
//! | `conformance` | the module `conformance`: tests for authors of stores, and a store that fails on request |
//!
//! No feature is on by default.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adoption;
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
pub use event::{Counters, DeviceRefusal, Event, Observer};
pub use id::{PresentedIds, SessionId};
pub use manager::{IntoSessionManager, SessionManager, SessionManagerBuilder};
pub use memory::{MemoryStore, MemoryStoreBuilder};
pub use random::{RandomSource, SystemRandom};
#[cfg(feature = "encryption")]
pub use record::EncryptedCodec;
pub use record::{
    Attributes, Audience, Body, Codec, CodecError, DroppedRecords, Envelope, InvalidRecord, InvalidRecordKey,
    JsonCodec, MAX_SESSION_BYTES, PrincipalKey, Record, RecordFormat, RecordKey, Version,
};
pub use session::{AttrKey, AttrName, AttributeUpgrade, Authentication, Name, NewSession, Session, WriteName};
pub use store::{
    AnyStore, Buried, Capabilities, Created, Deleted, FastStore, ImmediateStore, Purged, Renewed, Saved, Store,
};
pub use tiered::{TierCounters, TieredStore, TieredStoreBuilder, WriteBehind};
pub use time::{Clock, ManualClock, SystemClock, Time};
pub use visit::{Committed, IssuedId, Visit};

/// What the sibling crates share. It is not part of the public interface, and changes without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::adoption::{EndOld, LoadOld, OldSession};
    pub use crate::error::{causes, causes_without_values};
    pub use crate::record::{DeviceBinding, DeviceCheck, LONGEST_COOKIE};
    pub use crate::store::{Backoff, end, end_all, follow};
    pub use crate::time::LogThrottle;
    pub use crate::visit::{DeviceSession, Environment, Host};
}

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
