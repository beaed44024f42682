//! Sessions in memcached.
//!
//! Every write replaces exactly the item that was read before (memcached's compare and swap); the
//! record in it has the version that the contract speaks of. Memcached changes one item at a time,
//! so renewing takes several steps, of which one is the commit: see
//! [`renew`](MemcachedStore#method.renew).
//!
//! From top to bottom: the store and its protocol of renewing, items by their keys, what an item
//! is in bytes, and one server with its connections. Only the store knows codecs; a server knows
//! neither records nor items.

mod item;
mod items;
mod server;
mod store;

pub use store::MemcachedStore;
