//! What must be true, kept beside the real thing: which sessions there are, what was acknowledged, and what ended.
//!
//! Operations that overlap may have happened in either order, and an operation whose answer was lost may have
//! happened or not, also later. So each rule here speaks only of what was acknowledged before something else began.

mod ending;
mod lineage;
mod opening;
mod renewals;
mod request;
mod stored;
mod using;
mod values;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use session_core::{RecordKey, SessionId};
use tokio::time::Instant;

use crate::clock::ProcessClock;
use crate::network::Trouble;
use crate::setup::{Renewals, Setup, Stores};
use crate::stamp::Stamp;
use crate::stores::Tombstones;
use crate::story::Story;

pub use lineage::{Life, Lineage, Place};
pub use opening::Seen;
pub use request::{Commit, Doing};
pub use values::Attr;

/// What went wrong, and the sessions that it is about.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What it is, in a sentence.
    pub what: String,
    /// The numbers of the sessions, as stories name them. None: all of them.
    pub sessions: Vec<usize>,
}

/// All that is known of a world.
pub struct Model {
    pub lineages: Vec<Lineage>,
    pub violation: Option<Violation>,
    pub(crate) story: Arc<Story>,
    trouble: Arc<Trouble>,
    tombstones: Arc<Tombstones>,
    beginning: Instant,
    stamps: u64,
    ids: HashMap<String, Place>,
    keys: HashMap<RecordKey, Place>,
    writes: Vec<values::Write>,
    clocks: Vec<ProcessClock>,
    /// The application that each process belongs to.
    audiences: Vec<usize>,
    /// The furthest ahead that any clock ever was.
    most_ahead: i64,
    /// How far two clocks may differ.
    skew_span: i64,
    /// How long a session may still be read that has ended or was renewed, in milliseconds.
    staleness: u64,
    /// How long values may be read that were replaced, in milliseconds.
    staleness_of_values: u64,
    /// How long requests may differ about a session that is being ended, in milliseconds.
    while_ending: u64,
    /// How much earlier than it should a session may end, in milliseconds.
    early_end: i64,
    limit: Option<usize>,
    renewals: Option<Renewals>,
    /// The users that sign in at this moment, and those whose sessions are being ended.
    signing_in: Vec<usize>,
    being_ended: Vec<usize>,
    /// The users whose limit a login could not enforce, because of a fault.
    unlimited: BTreeSet<usize>,
}

impl Model {
    pub fn new(
        setup: &Setup,
        clocks: Vec<ProcessClock>,
        story: Arc<Story>,
        trouble: Arc<Trouble>,
        tombstones: Arc<Tombstones>,
    ) -> Self {
        let most_ahead = clocks.iter().map(ProcessClock::skew).max().unwrap_or(0);
        Model {
            lineages: Vec::new(),
            violation: None,
            story,
            trouble,
            tombstones,
            beginning: Instant::now(),
            stamps: 0,
            ids: HashMap::new(),
            keys: HashMap::new(),
            writes: Vec::new(),
            clocks,
            most_ahead,
            skew_span: setup.largest_skew() as i64,
            staleness: staleness(setup),
            staleness_of_values: staleness_of_values(setup),
            // Two tiers are told one after the other.
            while_ending: if setup.stores.has_tiers() { staleness(setup).max(15_000) } else { 0 },
            // A durable tier that fails learns late that a session is used.
            early_end: if setup.stores.write_behind() && setup.remote.are_any() { 60_000 } else { 0 },
            limit: setup.limit,
            renewals: setup.renewals,
            audiences: (0..setup.processes).map(|process| setup.audience(process)).collect(),
            signing_in: Vec::new(),
            being_ended: Vec::new(),
            unlimited: BTreeSet::new(),
        }
    }

    /// The next moment.
    pub fn stamp(&mut self) -> Stamp {
        self.stamps += 1;
        Stamp { number: self.stamps, at: self.beginning.elapsed().as_millis() as u64 }
    }

    /// What the clock of this process shows, in milliseconds since the world began.
    pub fn clock(&self, process: usize) -> i64 {
        self.elapsed() + self.clocks[process].skew()
    }

    /// The latest time that any process may take it to be.
    fn latest_clock(&self) -> i64 {
        self.elapsed() + self.most_ahead
    }

    fn elapsed(&self) -> i64 {
        self.beginning.elapsed().as_millis() as i64
    }

    pub fn set_clock(&mut self, process: usize, skew: i64) {
        self.clocks[process].set_skew(skew);
        self.most_ahead = self.most_ahead.max(skew);
    }

    /// Notes that something is not as it must be. Only the first counts.
    pub fn violate(&mut self, sessions: &[usize], what: impl Into<String>) {
        if self.violation.is_none() {
            let what = what.into();
            self.story.tell(sessions, || format!("!! {what}"));
            self.violation = Some(Violation { what, sessions: sessions.to_vec() });
        }
    }

    /// Whether something that began then may fail.
    pub fn may_fail(&self, began: Stamp) -> bool {
        self.trouble.excuses(began.at)
    }

    pub fn place_of(&self, id: &str) -> Option<Place> {
        self.ids.get(id).copied()
    }

    pub fn place_of_key(&self, key: &RecordKey) -> Option<Place> {
        self.keys.get(key).copied()
    }

    /// How long the values of this session may be behind that a request reads which began then, in milliseconds.
    fn staleness_of_values(&self, place: Place, began: Stamp) -> u64 {
        // What is saved while a renewal is under way may be saved under the new id, and a copy under the old one is older.
        let is_moving = self.lineages[place.lineage].names[place.name].replaced.began.is_some();
        // A tombstone keeps the copy of a writer out too. If it ends at once, a slow reader puts an older one there.
        let within = self.staleness + self.skew_span as u64 + SLOWEST_OPERATION;
        let is_let_in = || self.id(place).is_some_and(|id| self.tombstones.end_near(&id.key(), began.at, within));
        if is_moving || is_let_in() { self.staleness } else { self.staleness_of_values }
    }

    /// The id of this name, if anybody knows it.
    pub fn id(&self, place: Place) -> Option<SessionId> {
        self.lineages[place.lineage].names[place.name].id.clone()
    }
}

/// How long the managers wait for one operation of a store, in milliseconds.
const SLOWEST_OPERATION: u64 = 5000;

/// How long a copy may be served, in milliseconds, whatever has become of its session.
fn staleness(setup: &Setup) -> u64 {
    use Stores::*;
    let bound = setup.max_staleness.as_millis() as u64 + 2 * setup.largest_skew();
    match setup.stores {
        MemoryBeforeRemote | CacheBeforeRemote => bound,
        _ => 0,
    }
}

/// How long the values of a session may be behind, in milliseconds: not at all, unless a process changes them without
/// the copy of another, or the cache misses a change or loses it.
fn staleness_of_values(setup: &Setup) -> u64 {
    use crate::setup::Stores::*;
    let is_told = match setup.stores {
        MemoryBeforeRemote => setup.processes == 1,
        _ => !setup.cache.are_any(),
    };
    if is_told && !setup.cache_forgets { 0 } else { staleness(setup) }
}
