//! The stores of a world. Each is the real code, or keeps the contract in the plainest way, behind a network.

mod cache;
mod records;
mod remote;
mod tombstones;

pub use cache::{Cache, now};
pub use remote::Remote;
pub use tombstones::Tombstones;
