use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Time, millis};

use super::attribute::Attribute;
use super::key::RecordKey;
use super::record::Record;

/// The name of the extension that has it.
const NAME: &str = "renewal";

/// The clocks of processes may differ by so much.
const LEEWAY: Duration = Duration::from_secs(60);

/// Which ids name a session whose old ids go on for a while.
///
/// A record is always under its newest key. Moved notes lead there from the others, and this says which of them count.
/// Ids are named by their keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Renewal {
    /// When the newest id was made, in Unix milliseconds.
    #[serde(rename = "t")]
    made: i64,
    /// The id that the client is known to have. If that is not the newest, the newest one is only offered.
    #[serde(rename = "c")]
    current: RecordKey,
    /// The offer before the newest, which stands too.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    offered_before: Option<RecordKey>,
    /// Ids that were replaced.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<RecordKey>,
    /// Until when the replaced ids go on, in Unix milliseconds.
    #[serde(rename = "u", default)]
    until: i64,
}

/// What an id is to the session to which it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Current,
    /// An offer that the client presents for the first time.
    Offered,
    /// It was replaced, and goes on for a while.
    Grace,
    Refused,
}

impl Renewal {
    fn read(record: &Record) -> Option<Self> {
        serde_json::from_value(record.extensions.get(NAME)?.clone()).ok()
    }

    /// Whether the record says which ids count.
    pub(crate) fn is_noted(record: &Record) -> bool {
        record.extensions.get(NAME).is_some()
    }

    /// A session that was never renewed has the id of its record.
    fn of(record: &Record) -> Self {
        Renewal::read(record).unwrap_or_else(|| Renewal {
            made: record.created.unix_millis(),
            current: record.key,
            offered_before: None,
            replaced: Vec::new(),
            until: i64::MIN,
        })
    }

    fn write(&self, record: &mut Record) {
        if let Ok(extension) = Attribute::new(NAME, self) {
            record.extensions = record.extensions.with(extension);
        }
    }

    /// What an id is to this session, to which it has led directly or by moved notes.
    #[inline]
    pub(crate) fn standing(record: &Record, presented: &RecordKey, now: Time) -> Standing {
        if record.extensions.is_empty() {
            return if record.key == *presented { Standing::Current } else { Standing::Refused };
        }
        Renewal::of(record).standing_of(&record.key, presented, now)
    }

    fn standing_of(&self, newest: &RecordKey, presented: &RecordKey, now: Time) -> Standing {
        match () {
            () if self.current == *presented => Standing::Current,
            () if self.is_offered(newest)
                && (newest == presented || self.offered_before.as_ref() == Some(presented)) =>
            {
                Standing::Offered
            }
            () if self.replaced.contains(presented) && now.unix_millis() < self.until => Standing::Grace,
            () => Standing::Refused,
        }
    }

    /// Whether the newest id waits for its client to present it.
    fn is_offered(&self, newest: &RecordKey) -> bool {
        self.current != *newest && !self.replaced.contains(newest)
    }

    /// When the next id is to be offered, if that is done every so often.
    ///
    /// Of two offers, only the one that is presented first goes on. So a process whose clock is ahead must not offer another
    /// while the client may be about to present the first.
    pub(crate) fn next_offer(record: &Record, every: Duration) -> Time {
        if record.extensions.is_empty() {
            return record.created.saturating_add(every);
        }
        let renewal = Renewal::of(record);
        let leeway = if renewal.is_offered(&record.key) { LEEWAY } else { Duration::ZERO };
        Time::from_unix_millis(renewal.made).saturating_add(every).saturating_add(leeway)
    }

    /// A new id is offered: `record` is to be written under its key in place of the one under `old`.
    pub(crate) fn offer(record: &mut Record, old: RecordKey, now: Time) {
        let before = Renewal::of(&Record { key: old, ..record.clone() });
        // The last two offers stand.
        let offered_before = (before.current != old && !before.replaced.contains(&old)).then_some(old);
        Renewal { made: now.unix_millis(), offered_before, ..before }.write(record);
    }

    /// The client presents an offer: the others go on for `grace`. Does nothing if that was noted before.
    pub(crate) fn take_offer(record: &mut Record, presented: RecordKey, now: Time, grace: Duration) {
        let before = Renewal::of(record);
        if before.standing_of(&record.key, &presented, now) != Standing::Offered {
            return;
        }
        let others = [Some(before.current), before.offered_before, Some(record.key)];
        let renewal = Renewal {
            made: before.made,
            current: presented,
            offered_before: None,
            replaced: others.into_iter().flatten().filter(|other| *other != presented).collect(),
            until: until(now, grace),
        };
        renewal.write(record);
    }

    /// The session gets a new id at once: `record` is to be written under its key in place of the one under `old`. The ids
    /// that were good until now go on for `grace`.
    pub(crate) fn replace(record: &mut Record, old: RecordKey, now: Time, grace: Duration) {
        let before = Renewal::of(&Record { key: old, ..record.clone() });
        let mut replaced = vec![before.current, old];
        replaced.dedup();
        let renewal = Renewal {
            made: now.unix_millis(),
            current: record.key,
            offered_before: None,
            replaced,
            until: until(now, grace),
        };
        renewal.write(record);
    }
}

fn until(now: Time, grace: Duration) -> i64 {
    now.unix_millis().saturating_add(millis(grace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    const GRACE: Duration = Duration::from_secs(10);

    fn key(number: u8) -> RecordKey {
        RecordKey::from_bytes([number; 32])
    }

    fn after(seconds: u64) -> Time {
        Time::from_unix_millis(1_767_225_600_000).saturating_add(Duration::from_secs(seconds))
    }

    /// A session under `key(0)` that is offered new ids one after the other.
    fn offered(new: &[u8]) -> Record {
        let mut record = Record { key: key(0), created: after(0), ..sample() };
        for number in new {
            let old = record.key;
            record.key = key(*number);
            Renewal::offer(&mut record, old, after(u64::from(*number)));
        }
        record
    }

    #[track_caller]
    fn assert_standings(record: &Record, now: Time, expected: &[(u8, Standing)]) {
        for (number, standing) in expected {
            assert_eq!(Renewal::standing(record, &key(*number), now), *standing, "of {number}");
        }
    }

    #[test]
    fn without_renewals_only_the_records_own_id_counts() {
        assert_standings(&offered(&[]), after(0), &[(0, Standing::Current), (1, Standing::Refused)]);
    }

    #[test]
    fn an_offer_stands_beside_the_current_id_until_it_is_presented() {
        let mut record = offered(&[1]);
        assert_standings(
            &record,
            after(5000),
            &[(0, Standing::Current), (1, Standing::Offered), (2, Standing::Refused)],
        );
        Renewal::take_offer(&mut record, key(1), after(5000), GRACE);
        assert_standings(&record, after(5009), &[(0, Standing::Grace), (1, Standing::Current)]);
        assert_standings(&record, after(5010), &[(0, Standing::Refused), (1, Standing::Current)]);
    }

    #[test]
    fn a_clock_that_is_ahead_makes_no_second_offer() {
        let next = |record: &Record| Renewal::next_offer(record, Duration::from_secs(600));
        assert_eq!(next(&offered(&[])), after(600));
        let mut record = offered(&[1]);
        assert_eq!(next(&record), after(1 + 600 + 60), "nobody has presented it");
        Renewal::take_offer(&mut record, key(1), after(5), GRACE);
        assert_eq!(next(&record), after(1 + 600));
        let mut record = offered(&[1, 2]);
        Renewal::take_offer(&mut record, key(1), after(5), GRACE);
        assert_eq!(next(&record), after(2 + 600), "the other one was taken");
    }

    #[test]
    fn the_last_two_offers_stand() {
        let record = offered(&[1, 2, 3]);
        let expected = [(0, Standing::Current), (1, Standing::Refused), (2, Standing::Offered), (3, Standing::Offered)];
        assert_standings(&record, after(100), &expected);
        for (taken, other) in [(2, 3), (3, 2)] {
            let mut record = record.clone();
            Renewal::take_offer(&mut record, key(taken), after(100), GRACE);
            assert_standings(
                &record,
                after(109),
                &[(taken, Standing::Current), (other, Standing::Grace), (0, Standing::Grace)],
            );
            assert_standings(
                &record,
                after(110),
                &[(taken, Standing::Current), (other, Standing::Refused), (0, Standing::Refused)],
            );
            let before = record.clone();
            Renewal::take_offer(&mut record, key(other), after(105), GRACE);
            assert_eq!(record, before, "an offer is taken once");
        }
    }

    #[test]
    fn after_an_earlier_offer_was_taken_the_next_renewal_goes_on_from_it() {
        let mut record = offered(&[1, 2]);
        Renewal::take_offer(&mut record, key(1), after(100), GRACE);
        record.key = key(3);
        Renewal::offer(&mut record, key(2), after(1000));
        assert_standings(
            &record,
            after(1000),
            &[(1, Standing::Current), (3, Standing::Offered), (0, Standing::Refused), (2, Standing::Refused)],
        );
        Renewal::take_offer(&mut record, key(3), after(1001), GRACE);
        assert_standings(&record, after(1002), &[(1, Standing::Grace), (3, Standing::Current)]);
    }

    #[test]
    fn a_renewal_at_once_leaves_a_grace_if_there_is_one() {
        for (grace, standing) in [(GRACE, Standing::Grace), (Duration::ZERO, Standing::Refused)] {
            let mut record = offered(&[]);
            record.key = key(1);
            Renewal::replace(&mut record, key(0), after(50), grace);
            assert_standings(&record, after(50), &[(0, standing), (1, Standing::Current)]);
            assert_standings(&record, after(60), &[(0, Standing::Refused), (1, Standing::Current)]);
        }
    }

    #[test]
    fn what_can_not_be_read_counts_as_never_renewed() {
        let mut record = offered(&[1]);
        record.extensions = [(NAME.to_owned(), "nonsense".into())].into_iter().collect();
        assert_standings(&record, after(100), &[(0, Standing::Refused), (1, Standing::Current)]);
    }
}
