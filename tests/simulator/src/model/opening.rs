//! What a request may find.

use super::values::Attr;
use super::{Model, Place};
use crate::stamp::Stamp;

/// A session as a request found it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub id: String,
    /// The number of the session, which is one of its constants.
    pub lineage: Option<usize>,
    pub user: Option<usize>,
    pub values: [Option<u64>; 3],
    pub count: u64,
}

impl Model {
    /// A request that presents these ids, and asked at `began`, has found this session, or none. It uses it.
    pub fn opened(
        &mut self,
        process: usize,
        ids: &[String],
        began: (Stamp, i64),
        seen: Option<&Seen>,
    ) -> Option<Place> {
        let found = self.looked(process, ids, began, seen)?;
        self.used(found.lineage, process, began.1);
        self.taking_begins(found, process, began.1);
        Some(found)
    }

    /// A request found this session, or none, and does not use it.
    pub fn looked(
        &mut self,
        process: usize,
        ids: &[String],
        began: (Stamp, i64),
        seen: Option<&Seen>,
    ) -> Option<Place> {
        let now = self.stamp();
        let places: Vec<Place> = ids.iter().filter_map(|id| self.place_of(id)).collect();
        let found = seen.and_then(|seen| self.check_found(process, ids, began, seen));
        for place in places {
            if !self.is_of_application(place, process) {
                continue;
            }
            if found == Some(place) {
                break;
            }
            if self.must_find(place, began.0) {
                let name = Model::name_of(place);
                self.violate(&[place.lineage], format!("{name} is not found, although it is there"));
            }
            self.note_gone(process, place, began, now);
            self.note_expired(process, place, began);
        }
        found
    }

    /// Nothing was found under this id: it never comes back.
    fn note_gone(&mut self, process: usize, place: Place, began: (Stamp, i64), now: Stamp) {
        if self.may_have_missed_its_use(place.lineage) {
            return;
        }
        // The clock may have been set back meanwhile.
        let clock = began.1.max(self.clock(process));
        let lineage = &mut self.lineages[place.lineage];
        // By now it may live longer, because another request saved it at the same moment.
        let is_overtaken = lineage.life.revived.is_some_and(|revived| began.0 < revived);
        let may_have_expired = is_overtaken || clock >= lineage.life.alive_until();
        let name = &mut lineage.names[place.name];
        // Kept for a while, an old id has gone by one clock earlier than by another.
        if self.renewals.is_some() && (name.replaced.began.is_some() || name.standing.is_offer) {
            return;
        }
        if !may_have_expired && lineage.start.was_done(began.0) && name.given.was_done(began.0) {
            name.seen_gone.get_or_insert(now);
        }
    }

    fn check_found(
        &mut self,
        process: usize,
        ids: &[String],
        (began, clock): (Stamp, i64),
        seen: &Seen,
    ) -> Option<Place> {
        let Some(place) = self.place_of(&seen.id) else {
            self.violate(&[], "a request found a session under an id that was given to nobody");
            return None;
        };
        let name = Model::name_of(place);
        if !ids.contains(&seen.id) {
            self.violate(&[place.lineage], format!("a request that does not present {name} found it"));
        }
        if !self.is_of_application(place, process) {
            self.violate(&[place.lineage], format!("{name} is found by another application"));
        }
        // The clock may have been set back meanwhile.
        let earliest = clock.min(self.clock(process));
        if let Some(what) = self.complaint(place, began, earliest, seen) {
            self.violate(&[place.lineage], format!("{name} {what}"));
        }
        let stale = self.staleness_of_values(place, began);
        for attr in Attr::ALL {
            self.check_value(place.lineage, attr, seen.values[attr.0], began, stale);
        }
        self.check_count(place.lineage, seen.count, began, stale);
        Some(place)
    }

    /// Why this session must not have been found under this id.
    fn complaint(&self, place: Place, began: Stamp, clock: i64, seen: &Seen) -> Option<String> {
        let lineage = &self.lineages[place.lineage];
        let name = &lineage.names[place.name];
        if seen.lineage != Some(place.lineage) {
            return Some(format!("leads to session {:?}", seen.lineage));
        }
        if seen.user != lineage.user {
            return Some(format!("is signed in as user {:?}, not {:?}", seen.user, lineage.user));
        }
        if name.given.began.is_none() || lineage.start.began.is_none() {
            return Some("is found before it was stored".to_owned());
        }
        if name.is_void {
            return Some("is found, although the renewal failed".to_owned());
        }
        if lineage.end.was_done_for(self.staleness, began) {
            return Some("is found after it has ended".to_owned());
        }
        if name.replaced.was_done_for(self.staleness, began) && !name.standing.goes_on(clock) {
            return Some("is found after it was renewed".to_owned());
        }
        if name.seen_gone.is_some_and(|gone| gone < began && gone.at + self.while_ending <= began.at) {
            return Some("is found again after it was gone".to_owned());
        }
        if self.has_expired(place.lineage, clock) {
            return Some("is found after it has expired".to_owned());
        }
        None
    }
}
