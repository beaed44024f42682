//! Sessions in Memcached.
//!
//! Every write replaces exactly the item that was read before (Memcached's compare and swap). The record in it has
//! the version that the contract of stores compares. Memcached changes one item at a time, so a renewal takes
//! several steps, one of which is the commit: see `renewal.rs`.
//!
//! From top to bottom: the store (`store.rs`), its protocol of renewal (`renewal.rs`) and what it does as a fast tier
//! (`copies.rs`), items under their keys (`items.rs`), the bytes of an item (`item.rs`), and one server with its
//! connections (`server.rs`). Only the store knows codecs; a server knows neither records nor items. This room may not
//! know another backend.

mod copies;
mod item;
mod items;
mod renewal;
mod server;
mod store;

pub use store::MemcachedStore;
