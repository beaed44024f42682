//! Time, and everything that waits for it: clocks, pauses, time limits, tasks and threads.
//!
//! This room knows points in time and nothing else. Code elsewhere asks it for the time, sleeps and starts
//! background work through it, so that a model checker can take the place of the runtime.

pub(crate) mod background;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod clock;

pub use clock::{Clock, ManualClock, SystemClock};
