//! What lies in the store, seen by somebody who needs no network.

use std::collections::BTreeMap;

use session_core::Record;

use super::values::Attr;
use super::{Lineage, Model, Place};
use crate::clock::millis_of;
use crate::stamp::Stamp;

impl Model {
    /// Checks all that is stored at this moment.
    pub fn check_stored<'a>(&mut self, records: impl Iterator<Item = &'a Record>) {
        let now = self.stamp();
        let mut names: BTreeMap<usize, Place> = BTreeMap::new();
        let mut live: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for record in records {
            if let Some(what) = self.wrong_record(record, now) {
                let about: Vec<usize> = self.place_of_key(&record.key).iter().map(|place| place.lineage).collect();
                return self.violate(&about, format!("the store has {what}"));
            }
            let Some(place) = self.place_of_key(&record.key) else { continue };
            if let Some(other) = names.insert(place.lineage, place) {
                let (one, other) = (Model::name_of(place), Model::name_of(other));
                return self.violate(&[place.lineage], format!("the store has both {other} and {one}"));
            }
            let Lineage { user, life, .. } = &self.lineages[place.lineage];
            // A login does not count what has expired by its clock, and may then be used by another.
            if let Some(user) = *user
                && millis_of(record.expires_at()) > self.latest_clock()
                && !life.may_be_over
            {
                live.entry(user).or_default().push(place.lineage);
            }
        }
        self.check_limit(&live, now);
    }

    /// Once the last login was answered, nobody has more sessions than the limit.
    fn check_limit(&mut self, live: &BTreeMap<usize, Vec<usize>>, now: Stamp) {
        let Some(limit) = self.limit else { return };
        for (user, lineages) in live {
            let is_excused = self.is_signing_in(*user) || self.unlimited.contains(user) || self.may_fail(now);
            if lineages.len() > limit && !is_excused {
                self.violate(lineages, format!("user {user} has {} sessions, more than {limit}", lineages.len()));
            }
        }
    }

    /// Why a record must not be there, as words that follow "has".
    pub(super) fn wrong_record(&self, record: &Record, now: Stamp) -> Option<String> {
        let told = Model::told_by(record);
        let Some(place) = self.place_of_key(&record.key) else {
            let start = told.and_then(|told| self.lineages.get(told));
            let is_starting = start.is_some_and(|start| start.start.began.is_some() && start.start.done.is_none());
            let is_unknown = start.is_some_and(|start| start.may_have_ghosts || start.offering > 0);
            return (!is_starting && !is_unknown).then(|| format!("a record of session {told:?} that nobody made"));
        };
        let name = Model::name_of(place);
        let lineage = &self.lineages[place.lineage];
        if told != Some(place.lineage) {
            return Some(format!("{name} with the content of session {told:?}"));
        }
        let user = lineage.user.map(Model::principal);
        if record.principal.as_deref() != user.as_deref() {
            return Some(format!("{name} with the user {:?}", record.principal));
        }
        if lineage.end.was_done(now) {
            return Some(format!("{name}, which has ended"));
        }
        // A session whose old ids go on is under the newest that was made, presented or not.
        if self.renewals.is_none() && lineage.names[place.name].replaced.was_done(now) {
            return Some(format!("{name}, which was renewed"));
        }
        None
    }

    /// The session that a record says it is of.
    pub(super) fn told_by(record: &Record) -> Option<usize> {
        Some(record.constants.get(Attr::LINEAGE)?.as_u64()? as usize)
    }

    pub fn principal(user: usize) -> String {
        format!("user{user}")
    }

    /// Checks the values of a record that nobody writes any more.
    pub fn check_values(&mut self, record: &Record) {
        let now = self.stamp();
        let Some(place) = self.place_of_key(&record.key) else { return };
        let number = |name: &str| record.attributes.get(name).and_then(|number| number.as_u64());
        for attr in Attr::ALL {
            self.check_value(place.lineage, attr, number(attr.name()), now, 0);
        }
        self.check_count(place.lineage, number(Attr::COUNT).unwrap_or(0), now, 0);
    }
}
