//! What one request does to its session.
//!
//! [`State`] is plain data, and decides what is to be done at the store (`state/`). Two drivers carry that out
//! (`drive.rs`): one never waits, for stores that answer at once; the other is `async`. Opening, updating and
//! committing a session (`open.rs`, `update.rs`, `commit.rs`) start a driver.
//!
//! A visit owns what it needs: the store, the clock, events and the conflict queue (`environment.rs`). This room
//! may not know the handles that an application holds ([`Session`](crate::session::Session)), nor the manager.

mod changes;
mod commit;
mod conflict_queue;
mod device;
mod drive;
mod effects;
mod environment;
mod old_sessions;
mod open;
mod renewals;
mod rules;
mod started;
mod state;
mod taking_over;
mod up_to_date;
mod update;
mod upgrades;
mod using;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod visit;

pub(crate) use changes::Changes;
pub use commit::{Committed, IssuedId};
pub(crate) use conflict_queue::ConflictQueues;
pub use device::DeviceSession;
pub use environment::Environment;
pub(crate) use environment::{Lifetime, Warnings};
pub(crate) use old_sessions::OldSessions;
pub(crate) use renewals::Renewals;
pub(crate) use rules::Rules;
pub(crate) use started::{Keeping, Kept, Started, Travelling};
pub(crate) use state::{Gains, LONGEST_OFFER, Phase, State};
pub(crate) use update::Update;
pub(crate) use upgrades::Upgrades;
pub use visit::{Host, Visit};
