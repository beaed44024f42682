use std::time::Duration;

use crate::error::ConfigError;
use crate::store::{FastStore, Store};

use super::doubts::Doubts;
use super::fast_tier::{FastTier, REST};
use super::store::TieredStore;
use super::tiers::{LastSeen, Tiers};
use super::write_behind::Behind;

/// The settings of a [`TieredStore`], each with its default.
#[must_use]
pub struct TieredStoreBuilder<F, D> {
    fast: F,
    durable: D,
    trust: Duration,
    is_strict: bool,
    fast_time_limit: Duration,
    pub(super) rest: Duration,
    write_behind: Option<WriteBehind>,
}

/// How saves and touches reach the durable tier when it is written behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteBehind {
    /// How long a change waits for others of its session: 1 second. With the time it takes to
    /// write, that is what a crash can lose.
    pub delay: Duration,
    /// How many sessions may wait: 10,000. Where there are more, saving takes as long as the
    /// durable tier does.
    pub max_sessions: usize,
}

impl Default for WriteBehind {
    fn default() -> Self {
        WriteBehind { delay: Duration::from_secs(1), max_sessions: 10_000 }
    }
}

impl<F: FastStore, D: Store> TieredStoreBuilder<F, D> {
    pub(super) fn new(fast: F, durable: D) -> Self {
        TieredStoreBuilder {
            fast,
            durable,
            trust: Duration::from_secs(60),
            is_strict: false,
            fast_time_limit: Duration::from_millis(500),
            rest: REST,
            write_behind: None,
        }
    }

    /// How long a copy in the fast tier is believed: a minute. So long a read can be behind after
    /// an outage of the fast tier, and each session that is used is loaded from the durable tier
    /// that often.
    ///
    /// A store that writes behind believes its copies for as long as their sessions live, and
    /// compares them with the durable tier when it writes there.
    pub fn trust(mut self, trust: Duration) -> Self {
        self.trust = trust;
        self
    }

    /// Asks the durable tier at each load whether the copy is its present version: no read is
    /// ever behind, and what the fast tier saves is fetching the whole record.
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// How long one operation of the fast tier may take: half a second. What takes longer has
    /// failed, and the durable tier answers.
    pub fn fast_time_limit(mut self, limit: Duration) -> Self {
        self.fast_time_limit = limit;
        self
    }

    /// Answers saves and touches from the fast tier, and tells the durable one later. See
    /// [`TieredStore`] for what that gives up.
    pub fn write_behind(mut self, settings: WriteBehind) -> Self {
        self.write_behind = Some(settings);
        self
    }

    /// The store; or what can't work, and what to change.
    pub fn build(self) -> Result<TieredStore<F, D>, ConfigError> {
        if self.trust.is_zero() {
            return Err(ConfigError::new(
                "a copy that is believed for no time is of no use; give a longer trust, or call strict",
            ));
        }
        if self.fast_time_limit.is_zero() {
            return Err(ConfigError::new("no fast tier answers in no time; give a longer time limit"));
        }
        if self.is_strict && self.write_behind.is_some() {
            return Err(ConfigError::new(
                "the durable tier lags where it is written behind, so it can't be asked for the present version; choose strict or write_behind",
            ));
        }
        if self.write_behind.is_some_and(|settings| settings.max_sessions == 0) {
            return Err(ConfigError::new("nothing is written behind if no session may wait; allow at least 1"));
        }
        Ok(self.make())
    }

    pub(super) fn make(self) -> TieredStore<F, D> {
        TieredStore::over(Tiers {
            fast: FastTier::new(self.fast, self.fast_time_limit, self.rest),
            durable: self.durable,
            doubts: Doubts::new(),
            trust: self.trust,
            is_strict: self.is_strict,
            behind: self.write_behind.map(|settings| Behind::new(settings.delay, settings.max_sessions)),
            last_seen: LastSeen::new(),
        })
    }
}
