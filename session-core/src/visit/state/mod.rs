//! What one visit has done to its session, as plain data, and the decision what is to be done next at the store.
//!
//! Nothing here waits, calls a store or reads a clock: this is "sans-IO". A driver asks [`State::next`] for a [`Step`],
//! carries it out, and passes the store's [`Answer`] to [`State::answered`]. `decide.rs` has these two functions;
//! `state.rs` has the data and what the handler sees and does. This room may know records, the outcomes of stores, and
//! errors. It may not know the drivers.

mod decide;
mod limit;
mod notice;
mod operation;
mod outgoing;
mod renewing;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod state;
#[cfg(test)]
mod tests;

pub(crate) use notice::Notice;
pub(super) use operation::{Answer, Moment, Operation, Step};
pub(crate) use renewing::Gains;
pub(super) use state::{NewId, Stored, Tell};
pub(crate) use state::{Phase, State};
