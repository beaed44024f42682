use std::time::Duration;

use crate::error::ConfigError;
use crate::store::{FastStore, Store};

use super::fast_tier::FastTier;
use super::settings::WriteBehind;
use super::store::TieredStore;
use super::tiers::Tiers;
use super::write_behind::Behind;
use super::write_through::Through;

/// Settings of a [`TieredStore`]. Each has a default.
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{MemoryStore, TieredStore};
///
/// # fn main() -> Result<(), session_core::ConfigError> {
/// # let (cache, database) = (MemoryStore::new(), MemoryStore::new());
/// let store = TieredStore::builder(cache, database)
///     .max_staleness(Duration::from_secs(10))
///     .fast_time_limit(Duration::from_millis(100))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct TieredStoreBuilder<F, D> {
    fast: F,
    durable: D,
    max_staleness: Duration,
    is_strict: bool,
    fast_time_limit: Duration,
    write_behind: Option<WriteBehind>,
}

impl<F: FastStore, D: Store> TieredStore<F, D> {
    /// A store that writes through, with every default.
    pub fn new(fast: F, durable: D) -> Self {
        TieredStore::builder(fast, durable).make()
    }

    /// Settings for a store with these two tiers.
    pub fn builder(fast: F, durable: D) -> TieredStoreBuilder<F, D> {
        TieredStoreBuilder {
            fast,
            durable,
            max_staleness: Duration::from_secs(60),
            is_strict: false,
            fast_time_limit: Duration::from_millis(500),
            write_behind: None,
        }
    }
}

impl<F: FastStore, D: Store> TieredStoreBuilder<F, D> {
    /// How long a cached copy may be served before it is reloaded from the durable tier.
    ///
    /// Default: 60 s. Allowed: at least 1 ms. Bounds staleness after an outage of the fast tier: until then
    /// another process may read the state from before the outage. While a renewal is under way, a request with the old
    /// id may for as long read a state from before changes that arrive under the new one. A short time loads each session
    /// in use from the durable tier more often.
    ///
    /// With [`write_behind`](Self::write_behind) copies are served for as long as their sessions live, and
    /// compared with the durable tier each time that their session is written there.
    pub fn max_staleness(mut self, max_staleness: Duration) -> Self {
        self.max_staleness = max_staleness;
        self
    }

    /// Compares the copy's version with the durable tier's at each load, so that no read is stale.
    ///
    /// Default: off. Each load then waits for the durable tier, which answers with a version instead of a
    /// whole record. Can't be combined with [`write_behind`](Self::write_behind).
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// How long one operation of the fast tier may take. After that it counts as failed, and the durable tier
    /// answers.
    ///
    /// Default: 500 ms. Allowed: at least 1 ms. When the fast tier does not answer, about one request each
    /// second waits for this long. A limit below the tier's usual response time makes every operation fail.
    pub fn fast_time_limit(mut self, limit: Duration) -> Self {
        self.fast_time_limit = limit;
        self
    }

    /// Answers saves and touches from the fast tier, and writes them to the durable tier in the background.
    ///
    /// Default: off, the store writes through. A crash loses changes that are not written yet: see
    /// [`TieredStore`].
    pub fn write_behind(mut self, settings: WriteBehind) -> Self {
        self.write_behind = Some(settings);
        self
    }

    /// Builds the store. The error names the setting that can't work and what to write instead.
    pub fn build(self) -> Result<TieredStore<F, D>, ConfigError> {
        if self.max_staleness < Duration::from_millis(1) {
            return Err(ConfigError::new(format!(
                "`max_staleness` is {:?}, so no copy would ever be served; it must be at least 1 ms, or use `strict`",
                self.max_staleness
            )));
        }
        if self.fast_time_limit < Duration::from_millis(1) {
            return Err(ConfigError::new(format!(
                "`fast_time_limit` is {:?}, so every operation of the fast tier would fail; it must be at least 1 ms",
                self.fast_time_limit
            )));
        }
        if self.is_strict && self.write_behind.is_some() {
            return Err(ConfigError::new(
                "`strict` and `write_behind` are both set, but a durable tier that is written behind does not have the latest version; choose one of them",
            ));
        }
        if let Some(settings) = &self.write_behind {
            settings.check()?;
        }
        Ok(self.make())
    }

    fn make(self) -> TieredStore<F, D> {
        let fast = FastTier::new(self.fast, self.fast_time_limit);
        let tiers = Tiers::new(fast, self.durable, self.max_staleness);
        match self.write_behind {
            Some(settings) => TieredStore::behind(Behind::new(tiers, settings)),
            None => TieredStore::through(Through::new(tiers, self.max_staleness, self.is_strict)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn refused(set: impl FnOnce(&mut TieredStoreBuilder<MemoryStore, MemoryStore>)) -> String {
        let mut builder = TieredStore::builder(MemoryStore::new(), MemoryStore::new());
        set(&mut builder);
        builder.build().expect_err("it can't work").to_string()
    }

    #[test]
    fn settings_that_can_not_work_are_refused_by_name() {
        let message = refused(|builder| builder.max_staleness = Duration::from_micros(999));
        assert!(message.contains("`max_staleness`") && message.contains("1 ms"), "{message}");
        let message = refused(|builder| builder.fast_time_limit = Duration::from_micros(999));
        assert!(message.contains("`fast_time_limit`"), "{message}");
        let message = refused(|builder| {
            builder.is_strict = true;
            builder.write_behind = Some(WriteBehind::new());
        });
        assert!(message.contains("`strict`") && message.contains("`write_behind`"), "{message}");
    }

    #[test]
    fn what_waits_in_the_queue_is_bounded_in_time_number_and_bytes() {
        let behind = |settings| refused(|builder| builder.write_behind = Some(settings));
        for delay in [Duration::MAX, WriteBehind::MAX_DELAY + Duration::from_nanos(1)] {
            let message = behind(WriteBehind::new().delay(delay));
            assert!(message.contains("`WriteBehind::delay`") && message.contains("1 h"), "{message}");
        }
        for limit in [Duration::ZERO, WriteBehind::MAX_DELAY + Duration::from_nanos(1)] {
            let message = behind(WriteBehind::new().close_limit(limit));
            assert!(message.contains("`WriteBehind::close_limit`") && message.contains("1 ms to 1 h"), "{message}");
        }
        let message = behind(WriteBehind::new().max_sessions(0));
        assert!(message.contains("`WriteBehind::max_sessions`") && message.contains("at least 1"), "{message}");
        let message = behind(WriteBehind::new().max_bytes(1000));
        assert!(message.contains("`WriteBehind::max_bytes`") && message.contains("1 MiB"), "{message}");
    }
}
