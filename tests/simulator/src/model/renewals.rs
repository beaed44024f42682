//! Ids that count beside the newest one: offers, and ids that were replaced and go on for a grace.

use session_core::SessionId;

use super::request::Commit;
use super::{Doing, Lineage, Model, Place};
use crate::model::lineage::Name;
use crate::stamp::Stamp;

/// What an id is to its session, beyond whether it was given and replaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// It was offered, and nobody is known to have taken it.
    pub is_offer: bool,
    /// A request has presented it.
    was_presented: bool,
    /// How many offers came after it at most.
    later_offers: u32,
    /// How many of those surely did: their commits began when it was known.
    surely_later_offers: u32,
    /// The id that was first to replace it, by its number.
    replaced_by: Option<usize>,
    /// Others were to replace it as well, and may have cut its grace short.
    is_replaced_twice: bool,
    /// Until then it goes on at least, by every clock.
    surely_until: i64,
    /// Until then it goes on at most, by every clock.
    at_most_until: Option<i64>,
}

impl Standing {
    /// Whether an id that was replaced may still go on by this clock.
    pub fn goes_on(&self, clock: i64) -> bool {
        self.at_most_until.is_some_and(|until| clock < until)
    }
}

/// How many offers stand.
const STANDING: u32 = 2;

impl Model {
    pub fn is_offer(&self, place: Place) -> bool {
        self.lineages[place.lineage].names[place.name].standing.is_offer
    }

    /// Whether this id must lead to its session, if that lives.
    pub(super) fn counts(&self, lineage: &Lineage, name: &Name) -> bool {
        let Standing { is_offer, later_offers, replaced_by, is_replaced_twice, surely_until, .. } = name.standing;
        let is_dropped = is_offer && later_offers + lineage.offering >= STANDING;
        let has_grace = lineage.user.is_some() && !is_offer && replaced_by.is_some() && !is_replaced_twice;
        let goes_on = has_grace && self.latest_clock() < surely_until;
        !is_dropped && (name.replaced.began.is_none() || goes_on)
    }

    /// Whether a request may have come by an id that was replaced.
    pub(super) fn may_be_old(&self, doing: &Doing) -> bool {
        let is_replaced = |place: Place| self.lineages[place.lineage].names[place.name].replaced.began.is_some();
        self.renewals.is_some() && doing.opened.is_some_and(is_replaced)
    }

    fn grace_of_renewals(&self) -> i64 {
        self.renewals.and_then(|renewals| renewals.grace).map_or(0, |grace| grace.as_millis() as i64)
    }

    fn grace_of_offers(&self) -> i64 {
        self.renewals.and_then(|renewals| renewals.grace).map_or(10_000, |grace| grace.as_millis() as i64)
    }

    /// A request may make this id replace all others, by a moment that only the store knows.
    pub fn all_replacing_begins(&mut self, replaces: &mut Vec<usize>, new: Place) {
        self.lineages[new.lineage].replacing += 1;
        replaces.push(new.lineage);
    }

    pub fn all_replacing_ended(&mut self, replaces: &mut Vec<usize>, now: Stamp) {
        for lineage in replaces.drain(..) {
            self.lineages[lineage].replacing -= 1;
            self.lineages[lineage].last_replaced = Some(now);
        }
    }

    /// This id is to replace all others, which then go on until this time at least.
    fn replacing_begins(&mut self, new: Place, until: i64, now: Stamp) {
        let names = self.lineages[new.lineage].names.iter_mut().enumerate();
        for (_, name) in names.filter(|(number, name)| *number != new.name && name.given.began.is_some()) {
            name.replaced.begin(now);
            let standing = &mut name.standing;
            // Several requests may present an offer at once. The first to be stored begins the grace, by its own clock.
            let surely_until = standing.replaced_by.map_or(until, |_| standing.surely_until.min(until));
            let replaced_by = *standing.replaced_by.get_or_insert(new.name);
            standing.surely_until = surely_until;
            standing.is_replaced_twice |= replaced_by != new.name;
        }
    }

    /// This id has replaced those before it, which go on for the grace at most.
    fn replaced(&mut self, new: Place, grace: i64, now: Stamp) {
        let until = self.latest_clock() + grace;
        for name in &mut self.lineages[new.lineage].names[..new.name] {
            if name.given.began.is_some() {
                name.replaced.begin(now);
                name.replaced.finish(now);
                name.standing.at_most_until.get_or_insert(until);
            }
        }
    }

    /// A handler renews its session where old ids go on.
    pub(super) fn renewing_begins(&mut self, new: Place, process: usize, now: Stamp) {
        if self.renewals.is_some() {
            self.replacing_begins(new, self.clock(process) + self.grace_of_renewals(), now);
        }
    }

    pub(super) fn renewed(&mut self, new: Place, now: Stamp) {
        if self.renewals.is_some() {
            self.replaced(new, self.grace_of_renewals(), now);
        }
    }
}

/// Offers.
impl Model {
    /// The commit may offer its session a new id.
    pub(super) fn offering_begins(&mut self, doing: &Doing) -> Option<usize> {
        self.renewals?.every?;
        let keeps = !doing.only_looks && !doing.removes && doing.started.is_none() && doing.renews.is_none();
        let lineage = doing.opened.filter(|_| keeps)?.lineage;
        self.lineages[lineage].user?;
        self.lineages[lineage].offering += 1;
        Some(lineage)
    }

    /// An offer that failed may have been stored.
    pub(super) fn offering_ended(&mut self, commit: &Commit, was_issued: bool) {
        if let Some(lineage) = commit.may_offer
            && (was_issued || !self.may_fail(commit.began))
        {
            self.lineages[lineage].offering -= 1;
        }
    }

    /// The response offers this id. The last two offers stand, until one of them is presented.
    pub(super) fn offered(&mut self, doing: &Doing, commit: &Commit, id: &str, now: Stamp) {
        let (Some(Place { lineage, .. }), Some(id)) = (doing.opened, SessionId::parse(id)) else { return };
        let are_any_presented = self.lineages[lineage].names.iter().any(|name| name.standing.was_presented);
        let mut made_meanwhile = 0;
        for name in self.lineages[lineage].names.iter_mut().filter(|name| name.standing.is_offer) {
            name.standing.later_offers += 1;
            if name.given.was_done(commit.began) {
                name.standing.surely_later_offers += 1;
            } else {
                made_meanwhile += 1;
            }
            if name.standing.surely_later_offers >= STANDING && !are_any_presented {
                name.replaced.begin(now);
                name.replaced.finish(now);
            }
        }
        let place = self.new_name(lineage, Some(id));
        let Lineage { names, replacing, last_replaced, .. } = &mut self.lineages[lineage];
        let name = &mut names[place.name];
        if *replacing > 0 || last_replaced.is_some_and(|done| commit.began < done) {
            // Which of both the store did first is not known.
            name.replaced.begin(now);
            name.standing.is_replaced_twice = true;
        }
        name.given.begin(commit.began);
        name.given.finish(now);
        name.standing.is_offer = true;
        name.standing.later_offers = made_meanwhile;
    }

    /// A request presents this id. If it was only offered, it counts from now on, and the others are old.
    pub fn taking_begins(&mut self, place: Place, process: usize, since: i64) {
        if self.is_offer(place) {
            let (now, clock) = (self.stamp(), self.clock(process));
            self.lineages[place.lineage].names[place.name].standing.was_presented = true;
            self.replacing_begins(place, clock.min(since) + self.grace_of_offers(), now);
        }
    }

    /// The commit has noted that an offer was presented, unless too many came after it.
    pub(super) fn taken(&mut self, doing: &Doing, now: Stamp) {
        let Some(place) = doing.takes else { return };
        let Lineage { names, offering, .. } = &mut self.lineages[place.lineage];
        let standing = &mut names[place.name].standing;
        if standing.later_offers + *offering < STANDING {
            standing.is_offer = false;
            self.replaced(place, self.grace_of_offers(), now);
        }
    }
}
