//! A store in this process's memory.
//!
//! An index of our own (`index.rs`) answers requests. `budget.rs` says how much it may hold. When there is little room,
//! those who take much more than others give way (`owners.rs`). Beyond that moka, which is told in the background what was
//! used, evicts the least recently used sessions (`recency.rs`). What is left of sessions that ended or moved is in
//! `marks.rs`. Purging sweeps the index shard by shard for expired records. This room knows the contract of stores and
//! records, and nothing above them.

mod budget;
mod cell;
mod hash;
mod index;
mod kind;
mod lock;
mod marks;
mod notes;
mod owners;
mod recency;
mod store;

const NAME: &str = "memory";

pub use store::{MemoryStore, MemoryStoreBuilder};
