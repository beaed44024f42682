//! What the workspace tests share.

pub mod client;
pub mod unsteady_store;

mod proxy;

pub use proxy::{Fault, Proxy};
