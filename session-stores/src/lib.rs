//! Stores for sessions that outlive a process: one file and one feature per backend.

#![forbid(unsafe_code)]

#[cfg(feature = "memcached")]
mod memcached;
#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "memcached")]
pub use memcached::MemcachedStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
