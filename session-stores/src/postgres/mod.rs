//! Sessions in PostgreSQL.
//!
//! From top to bottom: the store and its statements, where connections come from, a connection
//! that is lent for one piece of work, and the store's own pool. What both SQL databases share is
//! in [`crate::sql`]; nothing here knows another backend.

mod connections;
mod lent;
mod own_pool;
mod store;

pub use store::PostgresStore;
