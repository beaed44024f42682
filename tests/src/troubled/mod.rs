//! Servers that get into trouble when told to, and out of it again: the same words for every backend.

mod filling;
mod server;
mod sqlite_file;

pub use server::{Backend, TierSettings, TroubledServer, open_tiers};

/// What is the matter with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It has no room. What is there can be read and ended.
    Full,
    /// It takes no writes.
    ReadOnly,
    /// It has become a replica, which takes no writes, of a server that is not there.
    Demoted,
    /// Each answer takes about 3 s.
    Slow,
    /// It gives no answer, and closes nothing.
    Silent,
    /// Connections are cut, and new ones refused.
    Unreachable,
    /// Its process is stopped, and goes on later.
    Frozen,
    /// It is killed, and starts again when the trouble is over.
    Killed,
}
