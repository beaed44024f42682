//! Brings the durable tier up to a version that the fast tier has accepted.
//!
//! A session's versions form one line, because the fast tier accepts each save against the version before
//! it. The durable tier gets some of them, in that order: of several saves in the queue only the last is
//! written, over whatever earlier version of the line the durable tier has. If that has the same or a later
//! version, from another process, there is nothing left to do. If it has none, the session is gone, and so
//! is what waits.

use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::store::{FastStore, Renewed, Saved, Store};
use crate::time::Time;

use super::tiers::Tiers;

/// How bringing the durable tier up to a version ended.
#[derive(Debug, PartialEq)]
pub(super) enum Advanced {
    /// It has the record.
    Done,
    /// It has this version, which is later, or was written by an earlier attempt.
    Passed(Version),
    /// It has no live record of this session.
    Gone,
}

/// Attempts to save over what other processes write meanwhile. Each of their writes is a step forward, so
/// few attempts are needed.
const MAX_ATTEMPTS: usize = 100;

impl<F: FastStore, D: Store> Tiers<F, D> {
    /// Saves a record over an earlier version of the same line: `durable` as far as is known, at most `latest`.
    pub(super) async fn advance(
        &self,
        record: &Record,
        durable: Version,
        latest: Version,
    ) -> Result<Advanced, StoreError> {
        let mut expected = durable;
        for _ in 0..MAX_ATTEMPTS {
            match self.durable.save(record, expected).await? {
                Saved::Done => return Ok(Advanced::Done),
                Saved::Missing => return Ok(Advanced::Gone),
                Saved::Conflict => {}
            }
            match self.durable.version(&record.key, record.accessed).await? {
                None => return Ok(Advanced::Gone),
                Some(version) if version > latest => return Ok(Advanced::Passed(version)),
                Some(version) => expected = version,
            }
        }
        let cause = format!("other processes saved the session during each of {MAX_ATTEMPTS} attempts");
        Err(StoreError::unavailable("tiered", cause))
    }

    /// Renews in the durable tier over `expected`, or over an earlier version of the same line.
    pub(super) async fn renew_durable(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let mut durable = expected;
        loop {
            match self.durable.renew(old, durable, record, moved_until).await? {
                Renewed::Conflict => {}
                renewed => return Ok(renewed),
            }
            match self.durable.version(old, record.accessed).await? {
                None => return Ok(Renewed::Missing),
                Some(version) if version > expected || version == durable => return Ok(Renewed::Conflict),
                Some(version) => durable = version,
            }
        }
    }
}

/// The latest version that is earlier than this.
pub(super) fn before(version: Version) -> Version {
    Version::from_number(version.get().saturating_sub(1))
}
