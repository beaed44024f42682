//! Sessions in Redis or Valkey: one server, the master that sentinels name, or a cluster.
//!
//! From top to bottom:
//!
//! - the store with copies in this process (`tracked.rs`, `copies.rs`);
//! - the store (`store.rs`) and its operations (`operations.rs`), made of steps across servers (`renewal.rs`), the
//!   index by principal (`index.rs`), and walks through all keys (`walk.rs`, `sweep.rs`);
//! - the bytes under a key (`value.rs`), names of keys (`keys.rs`), the scripts (`scripts.rs`, `lua/`) and their
//!   answers (`answer.rs`);
//! - the link to the servers (`link.rs`, `server.rs`, `source.rs`, `cluster.rs`, `seeds.rs`, `slots.rs`, `refused.rs`,
//!   `address.rs`, `start.rs`, `error.rs`), which may know no record.
//!
//! This room may not know another backend.

mod address;
mod answer;
mod cluster;
mod copies;
mod error;
mod index;
mod keys;
mod link;
mod operations;
mod refused;
mod renewal;
mod scripts;
mod seeds;
mod server;
mod slots;
mod source;
mod start;
mod store;
mod sweep;
mod tracked;
mod value;
mod walk;

pub use store::RedisStore;
pub use tracked::TrackedRedisStore;
