use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// Pauses between attempts: each about twice as long as the one before, with jitter, so that callers which
/// failed together do not come back together.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses from `first` up to `longest`, and up to twice that by jitter.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Backoff { first, longest }
    }

    /// The pauses, without end.
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
