//! Remembers what was read lately, for backends that write only over what they have read.

use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use session_core::{Envelope, RecordKey};

/// More than the requests that one process handles at the same time.
const MAX_RECORDS: u64 = 10_000;

/// Longer than most requests take from their load to their save.
const TIME_TO_LIVE: Duration = Duration::from_secs(60);

/// Records that were read or written lately, without their bodies, so that a save needs no second read.
///
/// Each has a `Token`. With it the server refuses a write if the record has changed since, so an entry that is out of
/// date only costs another call.
#[derive(Clone)]
pub(crate) struct RecentReads<Token>(Cache<RecordKey, (Envelope, Token)>);

impl<Token: Clone + Send + Sync + 'static> RecentReads<Token> {
    pub(crate) fn new() -> Self {
        let cache = Cache::builder().max_capacity(MAX_RECORDS).time_to_live(TIME_TO_LIVE);
        // moka's default policy keeps entries that are used often. Here each entry is used once.
        RecentReads(cache.eviction_policy(EvictionPolicy::lru()).build())
    }

    pub(crate) fn note(&self, mut envelope: Envelope, token: Token) {
        envelope.body = Vec::new();
        self.0.insert(envelope.key, (envelope, token));
    }

    /// Takes what was noted last for this key. It is good for one attempt to write.
    pub(crate) fn take(&self, key: &RecordKey) -> Option<(Envelope, Token)> {
        self.0.remove(key)
    }
}
