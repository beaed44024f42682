//! How often a password may be guessed.

use std::time::Duration;

use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

/// Wrong passwords that one user name may have in a row.
const MOST: u32 = 5;
/// How long a name is closed after that.
const PAUSE: Duration = Duration::from_secs(60);
/// Names that are remembered. Beyond, those that are asked for least are forgotten.
const NAMES: u64 = 10_000;

/// Counts the attempts to sign in under each user name, in this process.
///
/// Whoever guesses can so keep a user out for a while. If that is a danger, count by the address of the client as well,
/// which only the proxy before the application knows for sure: a limit there costs the least.
#[derive(Clone)]
pub struct Attempts(Cache<String, u32>);

impl Default for Attempts {
    fn default() -> Self {
        Attempts(Cache::builder().max_capacity(NAMES).time_to_live(PAUSE).build())
    }
}

impl Attempts {
    /// Counts one attempt. Returns whether it may go on. It is counted before the password is looked at, so that many
    /// attempts at the same moment are many.
    pub fn begin(&self, name: &str) -> bool {
        let counted = self.0.entry_by_ref(name).and_compute_with(|before| {
            let before = before.map_or(0, |entry| entry.into_value());
            // What is refused is not counted, so that the pause ends for a user who keeps on trying.
            if before < MOST { Op::Put(before + 1) } else { Op::Nop }
        });
        !matches!(counted, CompResult::Unchanged(_))
    }

    /// Forgets the attempts of a user who has given the password.
    pub fn forget(&self, name: &str) {
        self.0.invalidate(name);
    }
}
