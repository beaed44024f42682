//! What a request does to its session, and what may come of it.

use std::collections::BTreeMap;

use session_core::{Committed, Error, SessionId};

use super::values::Attr;
use super::{Model, Place};
use crate::stamp::Stamp;

/// What one request does.
#[derive(Debug, Default)]
pub struct Doing {
    pub process: usize,
    /// The ids that it presents.
    pub ids: Vec<String>,
    /// The session that it found.
    pub opened: Option<Place>,
    /// The session that it has now: found or started.
    pub place: Option<Place>,
    pub started: Option<Place>,
    pub renews: Option<Place>,
    /// The id that it presents for the first time, after that was offered.
    pub takes: Option<Place>,
    /// The sessions in which it may make one id replace all others, once for each reason.
    pub replaces: Vec<usize>,
    /// It looked up its ids, until one had a session.
    pub looked_up: bool,
    /// It neither uses nor changes its session.
    pub only_looks: bool,
    pub removes: bool,
    /// It asked for something that may make the client's cookie last longer.
    pub sets_timeouts: bool,
    /// Changes were dropped because the session had ended.
    pub has_lost: bool,
    /// The changes that were not acknowledged yet.
    pub pending: BTreeMap<Attr, usize>,
}

/// A commit under way.
pub struct Commit {
    pub began: Stamp,
    /// Who signs in.
    pub(super) user: Option<usize>,
    /// The session that it may offer a new id.
    pub(super) may_offer: Option<usize>,
}

impl Model {
    /// Changes that were collected are sent to the store.
    pub fn save_begins(&mut self, doing: &Doing) -> Stamp {
        let now = self.stamp();
        self.send_writes(doing, now);
        now
    }

    /// `save` has returned.
    pub fn save_ended(&mut self, doing: &mut Doing, began: Stamp, outcome: Result<(), &Error>) {
        let now = self.stamp();
        self.saving_ended(doing);
        let Some(place) = doing.place else { return };
        match outcome {
            Ok(()) if doing.pending.is_empty() => {}
            Ok(()) => {
                self.writes_done(doing, now);
                self.saved(place.lineage, doing.process, began);
            }
            Err(error) => self.check_error(doing, began, error),
        }
    }

    /// An operation on the session of a request failed.
    pub fn check_error(&mut self, doing: &mut Doing, began: Stamp, error: &Error) {
        let now = self.stamp();
        let about: Vec<usize> = doing.place.iter().map(|place| place.lineage).collect();
        if error.is_store_failure()
            && let Some(place) = doing.place
        {
            // What failed may still arrive, and is a use.
            self.used(place.lineage, doing.process, i64::MIN);
        }
        match error {
            Error::Store(error) if !self.may_fail(began) => {
                self.violate(&about, format!("a request fails without a reason: {error}"));
            }
            Error::Store(_) => {}
            Error::OldId(_) if self.may_be_old(doing) => {}
            Error::Gone => {
                if let Some(place) = doing.place
                    && self.lineages[place.lineage].start.done.is_some()
                    && self.surely_lives(place.lineage)
                    && self.reaches(place, now)
                {
                    let name = Model::name_of(place);
                    self.violate(&about, format!("{name} is said to be gone, although it is there"));
                }
                doing.pending.clear();
            }
            other => self.violate(&about, format!("a request fails: {other}")),
        }
    }

    pub fn commit_begins(&mut self, doing: &mut Doing) -> Commit {
        let now = self.stamp();
        self.send_writes(doing, now);
        let mut user = None;
        if let Some(started) = doing.started {
            let lineage = &mut self.lineages[started.lineage];
            lineage.start.begin(now);
            lineage.may_have_ghosts = lineage.names[started.name].id.is_none();
            lineage.names[started.name].given.begin(now);
            user = lineage.user;
            self.login_begins(started.lineage, now);
        }
        if doing.removes || doing.started.is_some() {
            for place in self.presented(doing) {
                self.ending_begins(place.lineage, now);
            }
        } else if let (Some(old), Some(new)) = (doing.opened, doing.renews) {
            self.renewing_begins(new, doing.process, now);
            self.all_replacing_begins(&mut doing.replaces, new);
            let names = &mut self.lineages[old.lineage].names;
            names[old.name].replaced.begin(now);
            names[old.name].renewals += 1;
            names[new.name].given.begin(now);
        }
        let may_offer = self.offering_begins(doing);
        Commit { began: now, user, may_offer }
    }

    /// A commit was answered.
    ///
    /// `lost` tells whether changes were dropped because the session had ended.
    pub fn commit_ended(&mut self, doing: &mut Doing, commit: &Commit, outcome: &Result<Committed, Error>, lost: bool) {
        let now = self.stamp();
        self.saving_ended(doing);
        doing.has_lost = lost;
        if let Some(started) = doing.started
            && !self.may_fail(commit.began)
        {
            self.lineages[started.lineage].may_have_ghosts = false;
        }
        match outcome {
            Ok(Committed::Issue(issued)) => self.issued(doing, commit, issued.id.as_str(), now),
            Ok(Committed::Forget) => self.forgotten(doing, commit, now),
            Ok(Committed::Unchanged) => self.unchanged(doing, commit, now),
            Err(error) => self.check_error(doing, commit.began, error),
        }
        if outcome.is_ok() || !self.may_fail(commit.began) {
            self.all_replacing_ended(&mut doing.replaces, now);
        }
        self.login_ended(commit, matches!(outcome, Ok(Committed::Issue(_))));
        self.offering_ended(commit, matches!(outcome, Ok(Committed::Issue(_))));
        if outcome.is_ok() && !doing.has_lost {
            self.taken(doing, now);
        }
        if let Some(place) = doing.place.filter(|_| !doing.only_looks) {
            self.used(place.lineage, doing.process, i64::MIN);
        }
    }

    /// The client was told an id.
    fn issued(&mut self, doing: &mut Doing, commit: &Commit, id: &str, now: Stamp) {
        if let (Some(started), None, Some(id)) = (doing.started, self.place_of(id), SessionId::parse(id))
            && self.id(started).is_none()
        {
            self.learn_id(started, id);
        }
        let place = self.place_of(id);
        let about: Vec<usize> = place.iter().chain(&doing.opened).map(|place| place.lineage).collect();
        let is_presented = doing.ids.iter().any(|presented| presented == id);
        match (doing.started, doing.renews) {
            (Some(_), _) | (None, Some(_)) if is_presented => {
                self.violate(&about, "a client is told an id that it has presented");
            }
            (Some(started), _) if place == Some(started) => self.login_done(doing, commit, started, now),
            (None, Some(new)) if place == Some(new) => {
                let names = &mut self.lineages[new.lineage].names;
                names[new.name].given.finish(now);
                if let Some(old) = doing.opened {
                    names[old.name].replaced.finish(now);
                }
                self.renewed(new, now);
                doing.place = Some(new);
                self.writes_done(doing, now);
                self.saved(new.lineage, doing.process, commit.began);
            }
            (None, None) if commit.may_offer.is_some() && place.is_none() => {
                self.offered(doing, commit, id, now);
                self.changes_done(doing, commit, now);
            }
            (None, None) if doing.sets_timeouts && place == doing.opened => self.changes_done(doing, commit, now),
            _ => self.violate(&about, "a client is told an id, and asked for none"),
        }
    }

    /// A started session is stored, and has replaced the one that the request found.
    fn login_done(&mut self, doing: &mut Doing, commit: &Commit, started: Place, now: Stamp) {
        let lineage = &mut self.lineages[started.lineage];
        lineage.start.finish(now);
        lineage.names[started.name].given.finish(now);
        if let Some(opened) = doing.opened
            && self.lineages[opened.lineage].endings == 1
            && self.reaches(opened, now)
            && self.is_in_time(&self.lineages[opened.lineage].life)
            && self.lineages[started.lineage].endings == 0
        {
            // Nobody else has tried to end either of them.
            self.surely_kept(started.lineage);
        }
        self.all_presented_ended(doing, commit.began, now);
        self.writes_done(doing, now);
        self.saved(started.lineage, doing.process, commit.began);
    }

    fn forgotten(&mut self, doing: &mut Doing, commit: &Commit, now: Stamp) {
        if doing.removes && doing.started.is_none() {
            self.all_presented_ended(doing, commit.began, now);
        } else {
            self.violate(&[], "a client is told to forget its id, and asked for nothing like it");
        }
    }

    /// The sessions of all ids that a request presents, and that it may end: it leaves alone what it found to be of another
    /// application.
    fn presented(&self, doing: &Doing) -> Vec<Place> {
        let places = doing.ids.iter().filter_map(|id| self.place_of(id));
        let mut is_before = doing.looked_up;
        let may_end = |place: &Place| {
            is_before &= Some(*place) != doing.opened;
            let lineage = &self.lineages[place.lineage];
            // What an id led to before a renewal is not looked up, and ending one too many is safe.
            let is_found = is_before && self.counts(lineage, &lineage.names[place.name]);
            !is_found || self.is_of_application(*place, doing.process)
        };
        places.filter(may_end).collect()
    }

    pub(super) fn is_of_application(&self, place: Place, process: usize) -> bool {
        self.lineages[place.lineage].audience == self.audiences[process]
    }

    /// A login or a logout has ended all that its request presented.
    fn all_presented_ended(&mut self, doing: &Doing, began: Stamp, now: Stamp) {
        for place in self.presented(doing) {
            if self.is_of_application(place, doing.process) {
                self.ended_under(place, began, now);
            }
        }
    }

    /// The client keeps what it has.
    fn unchanged(&mut self, doing: &mut Doing, commit: &Commit, now: Stamp) {
        if doing.removes && doing.started.is_none() {
            // There was nothing to end, or so the store says.
            return self.all_presented_ended(doing, commit.began, now);
        }
        if let Some(started) = doing.started {
            // Newer logins of the same moment may leave no room for this one.
            if self.surely_lives(started.lineage) || self.limit.is_none() {
                self.violate(&[started.lineage], "a login is answered without an id");
            }
            return self.all_presented_ended(doing, commit.began, now);
        }
        let Some(opened) = doing.opened else { return };
        let is_there = self.reaches(opened, now) && self.surely_lives(opened.lineage);
        if let Some(new) = doing.renews {
            self.lineages[new.lineage].names[new.name].is_void = true;
            if is_there && self.renewals.is_none() && self.lineages[opened.lineage].names[opened.name].renewals == 1 {
                self.violate(&[opened.lineage], "a renewal is answered without an id, although the session is there");
            }
        }
        self.changes_done(doing, commit, now);
    }

    /// Changes were acknowledged, unless they were dropped because the session had ended.
    fn changes_done(&mut self, doing: &mut Doing, commit: &Commit, now: Stamp) {
        let Some(place) = doing.opened else { return };
        if doing.pending.is_empty() {
            return;
        }
        if doing.has_lost {
            if self.reaches(place, now) && self.surely_lives(place.lineage) {
                let name = Model::name_of(place);
                self.violate(&[place.lineage], format!("changes of {name} are dropped, although it is there"));
            }
            doing.pending.clear();
            return;
        }
        self.writes_done(doing, now);
        self.saved(place.lineage, doing.process, commit.began);
    }
}
