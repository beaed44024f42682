//! Sessions in a file of SQLite.
//!
//! `store.rs` has the store. `contention.rs` keeps writers of one session from overtaking each other again and again.
//! What both SQL databases share is in [`crate::sql`]. This room may not know another backend.

mod contention;
mod store;

pub use store::SqliteStore;
