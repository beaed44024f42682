//! How sessions end, and how many a user may have.

use session_core::{Error, Record};

use super::request::Commit;
use super::{Lineage, Model, Place};
use crate::stamp::Stamp;

/// How often a manager tries to store a session.
const ATTEMPTS: usize = 3;

/// An ending of several sessions under way.
pub struct EndingAll {
    pub began: Stamp,
    user: usize,
    /// The sessions that are to end, and how many attempts to end each there had been by then.
    wanted: Vec<(usize, u32)>,
    /// Those of them that were surely there.
    sure: Vec<usize>,
}

impl Model {
    pub(super) fn ending_begins(&mut self, lineage: usize, now: Stamp) {
        let lineage = &mut self.lineages[lineage];
        lineage.end.begin(now);
        lineage.endings += 1;
    }

    /// Whether nothing of the session is left once an attempt to end it has succeeded.
    ///
    /// What has expired is not there for the one who ends it, and may be there by another clock.
    fn ends_for_good(&self, lineage: usize) -> bool {
        self.is_in_time(&self.lineages[lineage].life)
    }

    /// Whoever began then has ended the session that has, or had, this id.
    pub(super) fn ended_under(&mut self, place: Place, began: Stamp, now: Stamp) {
        let was_given = self.lineages[place.lineage].names[place.name].given.was_done(began);
        if was_given && self.reaches(place, now) && self.ends_for_good(place.lineage) {
            self.lineages[place.lineage].end.finish(now);
        }
    }

    /// Somebody ends the session with this handle.
    pub fn end_begins(&mut self, place: Place) -> Stamp {
        let now = self.stamp();
        self.ending_begins(place.lineage, now);
        now
    }

    pub fn end_ended(&mut self, place: Place, began: Stamp, outcome: Result<(), &Error>) {
        let now = self.stamp();
        match outcome {
            Ok(()) => self.ended_under(place, began, now),
            Err(error) => self.check_failure(&[place.lineage], began, error),
        }
    }

    /// Everything but a failing store is a reason to complain.
    pub fn check_failure(&mut self, about: &[usize], began: Stamp, error: &Error) {
        let is_old = self.renewals.is_some() && matches!(error, Error::OldId(_));
        let has_reason = is_old || error.is_store_failure() && self.may_fail(began);
        if !has_reason {
            self.violate(about, format!("a call fails without a reason: {error}"));
        }
    }
}

/// All sessions of a user.
impl Model {
    pub fn ending_all_begins(&mut self, user: usize, except: Option<Place>) -> EndingAll {
        let now = self.stamp();
        let mut ending = EndingAll { began: now, user, wanted: Vec::new(), sure: Vec::new() };
        for lineage in self.of_user(user, now) {
            if except.is_some_and(|except| except.lineage == lineage) {
                continue;
            }
            if self.lineages[lineage].start.was_done(now) && self.surely_lives(lineage) {
                ending.sure.push(lineage);
            }
            self.ending_begins(lineage, now);
            ending.wanted.push((lineage, self.lineages[lineage].endings));
        }
        self.being_ended.push(user);
        ending
    }

    pub fn ending_all_ended(&mut self, ending: &EndingAll, outcome: Result<usize, &Error>) {
        let now = self.stamp();
        if let Some(at) = self.being_ended.iter().position(|user| *user == ending.user) {
            self.being_ended.remove(at);
        }
        let count = match outcome {
            Ok(count) => count,
            Err(error) => return self.check_failure(&[], ending.began, error),
        };
        self.check_how_many(ending, count);
        for (lineage, _) in &ending.wanted {
            if self.lineages[*lineage].start.was_done(ending.began) && self.ends_for_good(*lineage) {
                self.lineages[*lineage].end.finish(now);
            }
        }
    }

    fn check_how_many(&mut self, ending: &EndingAll, count: usize) {
        // What has expired meanwhile may have been purged by somebody else.
        let only_ours = |(number, endings): &&(usize, u32)| {
            let lineage = &self.lineages[*number];
            ending.sure.contains(number) && lineage.endings == *endings && self.is_in_time(&lineage.life)
        };
        // What was done by a call whose answer was lost is counted by nobody.
        let least = if self.may_fail(ending.began) { 0 } else { ending.wanted.iter().filter(only_ours).count() };
        let theirs = |lineage: &&Lineage| lineage.user == Some(ending.user) && lineage.may_live(ending.began);
        // A login whose answer was lost is stored again, also if somebody has ended it meanwhile.
        let may_be_repeated = |lineage: &&Lineage| !lineage.start.was_done(ending.began) && self.may_fail(ending.began);
        let repeated = self.lineages.iter().filter(theirs).filter(may_be_repeated).count() * (ATTEMPTS - 1);
        let most = self.lineages.iter().filter(theirs).count() + self.ghosts_of(ending.user).len() + repeated;
        if !(least..=most).contains(&count) {
            let about: Vec<usize> = ending.wanted.iter().map(|(lineage, _)| *lineage).collect();
            let what = format!("{count} sessions of user {} ended, and must be from {least} to {most}", ending.user);
            self.violate(&about, what);
        }
    }

    /// The logins of a user that may have left a record under an id that nobody knows, once for each such record.
    fn ghosts_of(&self, user: usize) -> Vec<usize> {
        let is_haunted = |lineage: &usize| {
            let lineage = &self.lineages[*lineage];
            lineage.user == Some(user) && lineage.may_have_ghosts
        };
        let haunted = (0..self.lineages.len()).filter(is_haunted);
        haunted.flat_map(|lineage| [lineage; ATTEMPTS - 1]).collect()
    }

    /// The sessions of a user that may be there.
    fn of_user(&self, user: usize, now: Stamp) -> Vec<usize> {
        let of_user = |lineage: &usize| {
            let lineage = &self.lineages[*lineage];
            lineage.user == Some(user) && lineage.may_live(now)
        };
        (0..self.lineages.len()).filter(of_user).collect()
    }

    /// A list of a user's sessions that was asked for then.
    pub fn check_list(&mut self, user: Option<usize>, began: Stamp, records: &[Record]) {
        for record in records {
            if let Some(what) = self.wrong_record(record, began) {
                let about: Vec<usize> = self.place_of_key(&record.key).iter().map(|place| place.lineage).collect();
                self.violate(&about, format!("a list of sessions has {what}"));
            }
        }
        let now = self.stamp();
        let Some(user) = user else { return };
        for lineage in self.of_user(user, now) {
            if self.must_be_listed(lineage, began) && !Self::is_listed(lineage, records) {
                self.violate(&[lineage], format!("the list of user {user}'s sessions lacks #{lineage}"));
            }
        }
    }

    fn must_be_listed(&self, lineage: usize, began: Stamp) -> bool {
        self.lineages[lineage].start.was_done(began) && self.surely_lives(lineage)
    }

    fn is_listed(lineage: usize, records: &[Record]) -> bool {
        records.iter().any(|record| Model::told_by(record) == Some(lineage))
    }
}

/// Logins, and the limit of a user's sessions.
impl Model {
    pub(super) fn login_begins(&mut self, new: usize, now: Stamp) {
        let Some(user) = self.lineages[new].user else { return };
        let mut others: Vec<usize> = self.of_user(user, now).into_iter().filter(|other| *other != new).collect();
        let ghosts = self.ghosts_of(user);
        let is_over = self.limit.is_some_and(|limit| others.len() + ghosts.len() >= limit);
        // Another login may have begun later and ended earlier; the clock of its process may also be ahead.
        let since = self.lineages[new].life.created - self.skew_span;
        let mut others_and_ghosts = others.iter().chain(&ghosts);
        let is_overtaken = is_over && others_and_ghosts.any(|other| self.lineages[*other].life.created >= since);
        // Logins at the same moment may end each other, and an ending may find what starts meanwhile.
        let is_one_of_many = self.limit.is_some() && self.signing_in.contains(&user);
        self.signing_in.push(user);
        if !is_over {
            others.clear();
        }
        if is_overtaken || is_one_of_many || self.being_ended.contains(&user) {
            // By others, who may fail.
            self.ending_begins(new, now);
        }
        for other in others {
            self.ending_begins(other, now);
        }
    }

    pub(super) fn login_ended(&mut self, commit: &Commit, was_answered: bool) {
        let Some(user) = commit.user else { return };
        if let Some(at) = self.signing_in.iter().position(|other| *other == user) {
            self.signing_in.remove(at);
        }
        let may_have_failed = self.may_fail(commit.began);
        // A limit that could not be enforced is only logged. The next login tries again.
        if may_have_failed {
            self.unlimited.insert(user);
        } else if was_answered && !self.is_signing_in(user) {
            self.unlimited.remove(&user);
        }
    }

    pub(super) fn is_signing_in(&self, user: usize) -> bool {
        self.signing_in.contains(&user)
    }
}
