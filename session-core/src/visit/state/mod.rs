//! What one visit did to its session, as plain data, and the decider: what is to be done next at the store.
//!
//! Nothing here waits, calls a store or reads a clock (the field calls this sans-IO): a driver asks
//! [`State::next`] for a [`Step`], carries it out, and gives the store's [`Answer`] to [`State::answered`].

mod decide;
mod limit;
mod notice;
mod operation;
mod outgoing;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod state;
#[cfg(test)]
mod tests;

pub(crate) use notice::Notice;
pub(super) use operation::{Answer, Computed, Moment, Operation, Step};
pub(crate) use state::{Phase, State};
pub(super) use state::{Stored, Tell};
