//! Sessions in Redis or Valkey: one server, the master that sentinels name, or a cluster.
//!
//! From top to bottom: the store with copies in this process, the store and its operations, what
//! they are made of (steps across servers, the index by principal, walks through all keys), what
//! lies under a key, and the link to the servers. The link and what is below it know no record.

mod answer;
mod cluster;
mod copies;
mod error;
mod index;
mod keys;
mod link;
mod operations;
mod renewal;
mod scripts;
mod server;
mod source;
mod store;
mod sweep;
mod tracked;
mod value;
mod walk;

pub use store::RedisStore;
pub use tracked::TrackedRedisStore;
