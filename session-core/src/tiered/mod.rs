//! A fast store before a durable one.
//!
//! Two modes share the two stores (`tiers.rs`): `write_through.rs` writes to the durable one first,
//! `write_behind.rs` later, through a queue that background workers empty. This room knows the contract of
//! stores, and no store: both tiers are the application's choice.

mod advance;
mod builder;
mod doubts;
mod fast_tier;
mod locks;
mod queue;
#[cfg(all(test, session_shuttle))]
mod schedules;
mod settings;
mod store;
mod tiers;
mod worker;
mod write_behind;
mod write_through;

pub use builder::TieredStoreBuilder;
pub use settings::WriteBehind;
pub use store::{TierCounters, TieredStore};
