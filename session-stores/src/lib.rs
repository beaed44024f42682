//! Stores for sessions that outlive a process: one feature for each backend, none of them on by default.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = session_stores::SqliteStore::open("sessions.db").await?;
//! let sessions = session_core::SessionManager::new(store);
//! let session = sessions.create(session_core::NewSession::new().principal("ann")).await?;
//! # Ok(()) }
//! ```
//!
//! # What to read first
//!
//! The page of the store that you want says what it needs, what it promises, and what a crash can lose, and has an example.
//!
//! | feature | store | sessions are kept |
//! |---|---|---|
//! | `sqlite` | `SqliteStore` | in a file of one machine |
//! | `postgres` | `PostgresStore` | in a table of PostgreSQL |
//! | `redis` | `RedisStore`, `TrackedRedisStore` | in Redis or Valkey: one server, Sentinel or a cluster |
//! | `memcached` | `MemcachedStore` | in the memory of Memcached, until it is restarted or full |
//! | `firestore` | `FirestoreStore` | in Google's Firestore |
//!
//! Each store is a [`Store`](session_core::Store). Give it to `SessionLayer::new` of the crate `session-axum`,
//! which has the same features, or to [`SessionManager::new`](session_core::SessionManager::new). Redis and
//! Memcached are also a [`FastStore`](session_core::FastStore): a cache before another store, as a
//! [`TieredStore`](session_core::TieredStore) has it.
//!
//! All stores keep the same promises, which the conformance suite of `session-core` tests. They differ in what survives
//! a crash, which each store's documentation says.
//!
//! # Layout
//!
//! Each backend has its own folder, which may know `session-core` and what several backends share (`address.rs`,
//! `tls.rs`, `sql.rs`, `recent_reads.rs`, `refusal.rs`, `attempt.rs`), but no other backend.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
mod address;
#[cfg(any(feature = "memcached", feature = "redis"))]
mod attempt;
#[cfg(feature = "firestore")]
mod firestore;
#[cfg(feature = "memcached")]
mod memcached;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "firestore", feature = "memcached"))]
mod recent_reads;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
mod refusal;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod tls;

#[cfg(feature = "firestore")]
pub use firestore::FirestoreStore;
#[cfg(feature = "memcached")]
pub use memcached::MemcachedStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use redis::{RedisStore, TrackedRedisStore};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

/// Compiles the example of the README.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
