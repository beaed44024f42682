//! The uses of a session: each moves its idle deadline, some of them late.

use super::{Doing, Model, Place};
use crate::network::LONGEST_DELAY;
use crate::stamp::Stamp;

/// What moves the idle deadline of one session.
#[derive(Default)]
pub struct Uses {
    /// Calls that may note a use at any moment.
    under_way: u32,
    /// When the last one was noted, or sent to be noted, in milliseconds since the world began.
    last: u64,
    /// By what clock somebody found that the session had expired, although no note of a use was on its way.
    seen_expired: Option<i64>,
}

/// For how long a use that was sent may still be noted, in milliseconds: one operation of a manager is tried for 5 s, and
/// its last attempt may be late.
const ON_ITS_WAY: u64 = 5000 + LONGEST_DELAY;

impl Model {
    /// A call begins that may use this session.
    pub fn using_begins(&mut self, lineage: usize) {
        self.lineages[lineage].uses.under_way += 1;
        self.use_is_sent(lineage);
    }

    pub fn using_ended(&mut self, lineage: usize) {
        self.lineages[lineage].uses.under_way -= 1;
        self.use_is_sent(lineage);
    }

    /// From now on a use of the session is on its way.
    fn use_is_sent(&mut self, lineage: usize) {
        let now = self.stamp().at;
        let uses = &mut self.lineages[lineage].uses;
        (uses.last, uses.seen_expired) = (now, None);
    }

    /// The handler of a request saves its session, or the request stores the one that it has started.
    pub(super) fn saving_begins(&mut self, doing: &Doing) {
        for lineage in saved_by(doing) {
            self.using_begins(lineage);
        }
    }

    pub fn saving_ended(&mut self, doing: &Doing) {
        for lineage in saved_by(doing) {
            self.using_ended(lineage);
        }
    }

    /// A session that nobody has ended was not found. It has expired, and stays so: a use that was in time keeps a session
    /// alive, however late it is noted, but no later one does.
    pub(super) fn note_expired(&mut self, process: usize, place: Place, (began, clock): (Stamp, i64)) {
        let clock = clock.max(self.clock(process));
        let lineage = &mut self.lineages[place.lineage];
        let name = &lineage.names[place.name];
        let was_there = lineage.start.was_done(began) && name.given.was_done(began);
        let is_its_id = name.replaced.began.is_none() && !name.standing.is_offer && lineage.end.began.is_none();
        let is_used = lineage.uses.under_way > 0 || began.at < lineage.uses.last + ON_ITS_WAY;
        if was_there && is_its_id && !is_used && self.early_end == 0 {
            lineage.uses.seen_expired.get_or_insert(clock);
        }
    }

    /// Whether a request that asked by this clock comes too late for the session.
    pub(super) fn has_expired(&self, lineage: usize, clock: i64) -> bool {
        let lineage = &self.lineages[lineage];
        let is_over = clock >= lineage.life.expired_from() && lineage.uses.under_way == 0;
        is_over || lineage.uses.seen_expired.is_some_and(|seen| clock >= seen)
    }

    /// A use of the session, which counts from this time of the process's clock, at the latest from now.
    pub(super) fn used(&mut self, lineage: usize, process: usize, since: i64) {
        self.use_is_sent(lineage);
        // The clock may have been set since the use was decided.
        let clock = self.elapsed() + self.clocks[process].greatest_skew();
        let is_in_time = self.is_in_time(&self.lineages[lineage].life);
        let life = &mut self.lineages[lineage].life;
        life.used = life.used.max(clock).max(since);
        life.may_be_over |= !is_in_time;
    }

    /// A save that began then was acknowledged.
    pub(super) fn saved(&mut self, lineage: usize, process: usize, began: Stamp) {
        self.used(lineage, process, i64::MIN);
        let now = self.stamp();
        // The save was decided after it had begun; clocks may have been set since.
        let began = began.at as i64 + self.clocks[process].least_skew();
        let life = &mut self.lineages[lineage].life;
        if life.may_be_over {
            life.revived = Some(now);
        }
        life.noted = life.noted.max(began);
    }

    /// Written behind while the durable tier fails, a session that was used right before its deadline may expire there.
    pub(super) fn may_have_missed_its_use(&self, lineage: usize) -> bool {
        self.early_end > 0 && self.lineages[lineage].life.may_be_over
    }
}

fn saved_by(doing: &Doing) -> impl Iterator<Item = usize> {
    let used = doing.opened.filter(|_| !doing.only_looks);
    used.into_iter().chain(doing.started).map(|place| place.lineage)
}
