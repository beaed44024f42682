//! What the workspace tests share.

mod proxy;

pub use proxy::{Fault, Proxy};
