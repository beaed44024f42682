//! A store in this process's memory.
//!
//! An index of our own (`index.rs`) answers requests. When it holds many sessions, moka is told in the
//! background what was used, and evicts the least recently used ones (`recency.rs`). Purging sweeps the index
//! shard by shard for expired records. This room knows the contract of stores and records, and nothing above
//! them.

mod cell;
mod index;
mod recency;
mod store;

pub use store::MemoryStore;
