//! Sessions in PostgreSQL.
//!
//! From top to bottom: the store (`store.rs`), its address (`address.rs`), the server behind it (`server.rs`), a statement
//! with its values (`statement.rs`), the source of connections (`connections.rs`), a connection that is lent for one operation
//! (`lent.rs`), and the two pools: the store's own (`own_pool.rs`) and the application's (`shared_pool.rs`). Both
//! need a provider of cryptography (`provider.rs`). What an error means is in `error.rs`. Only the store knows records.
//! What both SQL databases share is in [`crate::sql`]. This room may not know another backend.

mod address;
mod connections;
mod error;
mod lent;
mod own_pool;
mod provider;
mod server;
mod shared_pool;
mod statement;
mod store;

pub use store::PostgresStore;
