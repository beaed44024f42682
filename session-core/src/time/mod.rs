//! Time, and everything that waits for it: points in time, clocks, pauses, time limits, tasks and threads.
//!
//! This room knows nothing else of the crate. Code elsewhere asks it for the time, sleeps and starts
//! background work through it, so that a model checker or a simulator can take the place of the runtime.

pub(crate) mod background;
mod clock;
mod throttle;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod time;

pub use clock::{Clock, ManualClock, SystemClock};
pub use throttle::LogThrottle;
pub use time::Time;
pub(crate) use time::millis;
