//! Where records are kept: the contract, and what every caller of a store needs.
//!
//! This room knows records, times and errors. It may not know sessions, visits, managers, or any one store.

mod any;
mod backoff;
mod capabilities;
mod contract;
mod fast;
mod immediate;
mod limit;
mod outcome;
mod patient;

pub use any::AnyStore;
pub use backoff::Backoff;
pub use capabilities::{Capabilities, Purged};
pub use contract::Store;
pub use fast::FastStore;
pub use immediate::ImmediateStore;
pub(crate) use limit::within;
pub use outcome::{Buried, Created, Renewed, Saved};
pub(crate) use patient::PatientStore;
