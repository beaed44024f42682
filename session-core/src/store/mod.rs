//! Where records are kept: the contract [`Store`], its optional parts [`FastStore`] and [`ImmediateStore`], and
//! what every caller of a store needs: time limits, retries and backoff.
//!
//! This room may know records, times and errors. It may not know sessions, visits or the manager, nor any
//! particular store.

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
pub use contract::{Store, end, end_all, follow};
pub use fast::FastStore;
pub use immediate::ImmediateStore;
pub(crate) use limit::within;
pub use outcome::{Buried, Created, Deleted, Renewed, Saved};
pub(crate) use patient::PatientStore;
