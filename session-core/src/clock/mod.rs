//! Clocks, and everything that waits: pauses, time limits, tasks and threads.
//!
//! This room may know points in time ([`Time`](crate::time::Time)) and nothing else. All other code reads the time,
//! sleeps and starts background work through this room, so that a test can replace the runtime.

pub(crate) mod background;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod clock;

pub use clock::{Clock, ManualClock, SystemClock};
