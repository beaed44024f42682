//! Stores for sessions that outlive a process: one folder and one feature per backend.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

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
