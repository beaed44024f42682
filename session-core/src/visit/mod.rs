//! What one request does to its session: decided by plain data, carried out at the store by two drivers.
//!
//! This room owns what it needs (store, clock, events, conflict queue). It may not know the handles that an
//! application holds, nor the manager.

mod changes;
mod commit;
mod conflict_queue;
mod drive;
mod environment;
mod open;
mod started;
mod state;
mod update;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod visit;

pub(crate) use changes::Changes;
pub use commit::{Committed, IssuedId};
pub(crate) use conflict_queue::ConflictQueue;
pub(crate) use environment::Defaults;
pub use environment::Environment;
pub(crate) use started::{Kept, Started};
pub(crate) use state::{Phase, State};
pub(crate) use update::Update;
pub use visit::{Host, Visit};
