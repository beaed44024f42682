//! What the workspace tests share.

pub mod client;
pub mod unsteady_store;

mod proxy;

pub use proxy::{Fault, Proxy};

/// Compiles every example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
