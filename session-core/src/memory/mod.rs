//! A store in this process's memory.
//!
//! An index of our own answers requests. moka, told afterwards where there are many, knows which session
//! was used longest ago and evicts it when there are too many. Expired records are found by sweeping the
//! index shard by shard. This room knows the contract of stores and records, and nothing above them.

mod cell;
mod index;
mod recency;
mod store;

pub use store::MemoryStore;
