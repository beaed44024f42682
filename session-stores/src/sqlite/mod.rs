//! Sessions in an SQLite file.
//!
//! The store and its statements, and what it knows of writers that get in each other's way. What
//! both SQL databases share is in [`crate::sql`]; nothing here knows another backend.

mod contention;
mod store;

pub use store::SqliteStore;
