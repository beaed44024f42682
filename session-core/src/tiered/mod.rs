//! A fast store before a durable one.
//!
//! This room knows the contract of stores, and no store: both tiers are the application's choice.

mod background;
mod builder;
mod doubts;
mod fast_tier;
mod queue;
#[cfg(all(test, session_shuttle))]
mod schedules;
mod store;
mod tiers;
mod worker;
mod write_behind;
mod write_through;

pub use builder::{TieredStoreBuilder, WriteBehind};
pub use store::{TierCounters, TieredStore};
