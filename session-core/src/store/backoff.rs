use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// Pauses between attempts: exponential backoff with jitter, so that callers which failed together do not all
/// try again at the same moment.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses that double from `first` up to `longest`. Jitter makes each up to twice as long.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Backoff { first, longest }
    }

    /// The pauses, as an iterator that never ends.
    pub fn pauses(self) -> impl Iterator<Item = Duration> + Send {
        let settings = ExponentialBuilder::default().with_min_delay(self.first).with_max_delay(self.longest);
        settings.with_jitter().without_max_times().build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(10), Duration::from_millis(80));
        let pauses: Vec<Duration> = Backoff::new(first, longest).pauses().take(20).collect();
        assert!(pauses[0] >= first && pauses[0] <= 2 * first, "{pauses:?}");
        assert!(pauses[3..].iter().all(|pause| (longest..=2 * longest).contains(pause)), "{pauses:?}");
    }
}
