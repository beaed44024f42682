//! What the workspace tests share.

pub mod client;
pub mod records;
pub mod store_faults;
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
#[cfg(any(feature = "firestore", feature = "memcached", feature = "redis"))]
pub use server_process::{ServerProcess, free_port};
#[cfg(feature = "redis")]
pub use redis_server::{RedisCluster, RedisSentinel, RedisServer};

/// Compiles every example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
