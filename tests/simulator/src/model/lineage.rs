//! A session through all its ids.

use session_core::SessionId;

use super::Model;
use super::renewals::Standing;
use super::using::Uses;
use super::values::{Count, Register};
use crate::stamp::{Attempt, Stamp};

/// One session, whatever ids it has had.
pub struct Lineage {
    pub user: Option<usize>,
    /// The application that it belongs to.
    pub audience: usize,
    /// The session whose attributes it copied.
    pub kept: Option<usize>,
    /// The commit that stored it.
    pub start: Attempt,
    /// An attempt to store it may have failed, and may have left a record under an id that nobody knows.
    pub may_have_ghosts: bool,
    /// Its ids, in the order in which they were made. Most sessions have one.
    pub names: Vec<Name>,
    pub end: Attempt,
    /// How many attempts to end it there were.
    pub endings: u32,
    pub count: Count,
    pub registers: [Register; 3],
    pub life: Life,
    pub uses: Uses,
    /// Commits that offer a new id at this moment, or may have done so.
    pub offering: u32,
    /// Requests that may make one id replace all others at this moment.
    pub replacing: u32,
    /// When the last of those was done.
    pub last_replaced: Option<Stamp>,
}

/// One id of a session.
pub struct Name {
    /// None before the commit of a handler that did not ask for it.
    pub id: Option<SessionId>,
    /// The commit that made it the session's id.
    pub given: Attempt,
    /// The commit that gave the session another.
    pub replaced: Attempt,
    /// How many commits tried to give the session another.
    pub renewals: u32,
    /// It was made, but surely never became the session's id.
    pub is_void: bool,
    /// A request that found nothing under it has ended.
    pub seen_gone: Option<Stamp>,
    pub standing: Standing,
}

/// Where an id belongs: the session, and which of its ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub lineage: usize,
    pub name: usize,
}

/// The times of a session, in milliseconds since the world began, by the clocks of processes.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub created: i64,
    /// The last use that is surely noted.
    pub noted: i64,
    /// The last use that may be noted.
    pub used: i64,
    pub shortest_idle: i64,
    pub longest_idle: i64,
    pub absolute: Option<i64>,
    /// It may have expired where it is durable: its use was noted there too late.
    pub may_be_over: bool,
    /// When it was last saved although some clock may have said that it had expired.
    pub revived: Option<Stamp>,
}

impl Life {
    pub fn new(now: i64, idle: i64, absolute: Option<i64>) -> Self {
        let absolute = absolute.map(|timeout| now + timeout);
        Life {
            created: now,
            noted: now,
            used: now,
            shortest_idle: idle,
            longest_idle: idle,
            absolute,
            may_be_over: false,
            revived: None,
        }
    }

    /// Until then it is surely alive.
    pub fn alive_until(&self) -> i64 {
        self.bounded(self.noted + self.shortest_idle)
    }

    /// From then on it surely has expired.
    pub fn expired_from(&self) -> i64 {
        self.bounded(self.used + self.longest_idle)
    }

    fn bounded(&self, idle: i64) -> i64 {
        self.absolute.map_or(idle, |absolute| absolute.min(idle))
    }
}

impl Lineage {
    /// Whether it may be there at that moment, or later.
    pub fn may_live(&self, now: Stamp) -> bool {
        self.start.began.is_some() && !self.end.was_done(now)
    }

    fn name(&self, name: usize) -> &Name {
        &self.names[name]
    }
}

impl Model {
    /// A session that is about to be started, without an id yet.
    pub fn new_lineage(&mut self, user: Option<usize>, kept: Option<usize>, audience: usize, life: Life) -> usize {
        self.lineages.push(Lineage {
            user,
            audience,
            kept,
            start: Attempt::default(),
            may_have_ghosts: false,
            names: Vec::new(),
            end: Attempt::default(),
            endings: 0,
            count: Count::default(),
            registers: Default::default(),
            life,
            uses: Uses::default(),
            offering: 0,
            replacing: 0,
            last_replaced: None,
        });
        self.lineages.len() - 1
    }

    /// A new id of a session, which no commit has given it yet. `None` if nobody has asked for it yet.
    pub fn new_name(&mut self, lineage: usize, id: Option<SessionId>) -> Place {
        let place = Place { lineage, name: self.lineages[lineage].names.len() };
        let (given, replaced) = (Attempt::default(), Attempt::default());
        let standing = Standing::default();
        let name = Name { id: None, given, replaced, renewals: 0, is_void: false, seen_gone: None, standing };
        self.lineages[lineage].names.push(name);
        if let Some(id) = id {
            self.learn_id(place, id);
        }
        place
    }

    pub(super) fn learn_id(&mut self, place: Place, id: SessionId) {
        if self.ids.insert(id.as_str().to_owned(), place).is_some() {
            self.violate(&[place.lineage], format!("the new id of #{} is not new", place.lineage));
        }
        self.keys.insert(id.key(), place);
        self.story.name_key(id.key(), place.lineage, || Model::name_of(place));
        self.lineages[place.lineage].names[place.name].id = Some(id);
    }

    /// The commit will not give the session this id after all.
    pub fn never_given(&mut self, place: Place) {
        self.lineages[place.lineage].names[place.name].is_void = true;
    }

    /// A request sets the idle timeout, in milliseconds.
    pub fn set_idle(&mut self, lineage: usize, timeout: i64) {
        let life = &mut self.lineages[lineage].life;
        life.shortest_idle = life.shortest_idle.min(timeout);
        life.longest_idle = life.longest_idle.max(timeout);
    }

    /// How stories call an id: `#3` for the first of session 3, `#3b` for its second.
    pub fn name_of(place: Place) -> String {
        let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
        match place.name {
            0 => format!("#{}", place.lineage),
            name => format!("#{}{}", place.lineage, letter(name)),
        }
    }

    /// Whether whoever presents this id from `began` on, and asks until now, must find the session.
    pub fn must_find(&self, place: Place, began: Stamp) -> bool {
        let lineage = &self.lineages[place.lineage];
        let name = lineage.name(place.name);
        lineage.start.was_done(began)
            && name.given.was_done(began)
            && self.counts(lineage, name)
            && self.surely_lives(place.lineage)
    }

    /// Whether nothing has tried to end the session, and no clock says that it has expired.
    pub fn surely_lives(&self, lineage: usize) -> bool {
        let Lineage { end, life, .. } = &self.lineages[lineage];
        end.began.is_none() && self.is_in_time(life)
    }

    /// Whether no process takes it for expired.
    pub(super) fn is_in_time(&self, life: &Life) -> bool {
        !life.may_be_over && self.latest_clock() < life.alive_until() - self.early_end
    }

    /// Whether a change of the session, or its end, that a request under this id asked for must reach the session, if
    /// the session lives.
    pub fn reaches(&self, place: Place, now: Stamp) -> bool {
        let lineage = &self.lineages[place.lineage];
        let Some(renewed) = lineage.name(place.name).replaced.began else { return true };
        lineage.user.is_some() && now.at < renewed.at + FOLLOWED_FOR
    }
}

/// For how long requests under way follow a renewal, in milliseconds: 60 s, less what clocks may differ.
const FOLLOWED_FOR: u64 = 50_000;
