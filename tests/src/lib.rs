//! What the workspace tests share.

pub mod client;
pub mod unsteady_store;

#[cfg(feature = "firestore")]
mod firestore_emulator;
#[cfg(feature = "memcached")]
mod memcached_server;
mod proxy;
#[cfg(feature = "redis")]
mod redis_server;
#[cfg(any(feature = "firestore", feature = "memcached", feature = "redis"))]
mod server_process;

#[cfg(feature = "firestore")]
pub use firestore_emulator::FirestoreEmulator;
#[cfg(feature = "memcached")]
pub use memcached_server::MemcachedServer;
pub use proxy::{Fault, Proxy};
#[cfg(feature = "redis")]
pub use redis_server::{RedisCluster, RedisSentinel, RedisServer};

/// Compiles every example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
