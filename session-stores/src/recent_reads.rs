use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use session_core::{Envelope, RecordKey};

/// More than there are requests under way in one process.
const MAX_RECORDS: u64 = 10_000;

/// More than a request takes from its load to its save.
const TIME_TO_LIVE: Duration = Duration::from_secs(60);

/// Records as they were read or written lately, without their bodies, so that whoever writes one
/// need not read it again.
///
/// With each comes a `Token`, by which the server refuses a write if the record has changed since: if
/// what is remembered is out of date, that costs another call, and nothing else.
#[derive(Clone)]
pub(crate) struct RecentReads<Token>(Cache<RecordKey, (Envelope, Token)>);

impl<Token: Clone + Send + Sync + 'static> RecentReads<Token> {
    pub(crate) fn new() -> Self {
        let cache = Cache::builder().max_capacity(MAX_RECORDS).time_to_live(TIME_TO_LIVE);
        // By default moka would rather keep what was asked for often, and nothing here is.
        RecentReads(cache.eviction_policy(EvictionPolicy::lru()).build())
    }

    pub(crate) fn note(&self, mut envelope: Envelope, token: Token) {
        envelope.body = Vec::new();
        self.0.insert(envelope.key, (envelope, token));
    }

    /// What was noted last; good for one attempt to write.
    pub(crate) fn take(&self, key: &RecordKey) -> Option<(Envelope, Token)> {
        self.0.remove(key)
    }
}
