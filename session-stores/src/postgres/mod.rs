//! Sessions in PostgreSQL.
//!
//! From top to bottom: the store (`store.rs`), the source of connections (`connections.rs`), a connection that is
//! lent for one operation (`lent.rs`), and the store's own pool (`own_pool.rs`). Only the store knows records and
//! statements. What both SQL databases share is in [`crate::sql`]. This room may not know another backend.

mod connections;
mod lent;
mod own_pool;
mod store;

pub use store::PostgresStore;
