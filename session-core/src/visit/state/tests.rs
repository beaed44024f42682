use std::time::Duration;

use super::*;
use crate::random::{RandomSource, SystemRandom};
use crate::record::Attribute;
use crate::record::Attributes;
use crate::record::{sample, touch_interval};
use crate::visit::Kept;

const MARK: u32 = 7;

fn id() -> SessionId {
    SessionId::generate(&SystemRandom as &dyn RandomSource, 18).expect("random bytes")
}

/// A record with the key of an id.
fn record_of(id: &SessionId) -> Record {
    Record { key: id.key(), ..sample() }
}

/// A visit that found a session.
fn opened() -> (State, Record) {
    let (mut state, id) = (State::new(Phase::Request), id());
    let record = record_of(&id);
    state.found(Found { id, record: record.clone(), at: record.accessed });
    (state, record)
}

/// A visit that started a session, and the session's record.
fn started() -> (State, Record) {
    let mut state = State::new(Phase::Request);
    let record = start(&mut state);
    (state, record)
}

fn start(state: &mut State) -> Record {
    let id = id();
    let record = record_of(&id);
    state.start(Started::new(id, record.clone(), None));
    record
}

/// Starts a session that carries over what the present one has, with some of its own.
fn start_keeping(state: &mut State, old: &Record, own: &[(&str, i32)]) -> Record {
    let mut changes = Changes::default();
    for (name, value) in own {
        changes.set(Attribute::new(name, value).expect("a number has a JSON form"));
    }
    let id = id();
    let kept = state.view().expect("there is one").attributes;
    let record = Record { attributes: changes.applied_to(&kept), ..record_of(&id) };
    let kept = Kept { key: old.key, changes: state.all_changes() };
    state.start(Started::new(id, record.clone(), Some((kept, changes))));
    record
}

fn set(state: &mut State, name: &str, value: i32) {
    let attribute = Attribute::new(name, &value).expect("a number has a JSON form");
    state.change(|changes| changes.set(attribute));
}

fn value(attributes: &Attributes, name: &str) -> Option<i64> {
    attributes.get(name)?.as_i64()
}

/// The next step right after the session was used.
fn step(state: &mut State, record: &Record) -> Step {
    state.next_step(record.accessed, MARK, false)
}

#[track_caller]
fn assert_nothing(step: Step) {
    assert!(matches!(step, Step::Nothing), "{step:?}");
}

#[track_caller]
fn saved_record(step: Step) -> Record {
    match step {
        Step::Save { record, .. } => record,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_visit_without_a_session_has_nothing_to_do() {
    let mut state = State::new(Phase::Request);
    assert!(!state.is_present() && state.is_settled() && !state.is_unsaved());
    assert_nothing(state.next_step(Time::MAX, MARK, false));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn reading_needs_a_touch_once_it_is_due() {
    let (mut state, record) = opened();
    let due = record.accessed.saturating_add(touch_interval(record.idle_timeout));
    assert_nothing(state.next_step(due.saturating_sub(Duration::from_millis(1)), MARK, false));
    assert!(matches!(state.next_step(due, MARK, false), Step::Touch { key } if key == record.key));
    assert_nothing(state.next_step(due, MARK, true));
    state.touched(due);
    assert_nothing(state.next_step(due, MARK, false));
}

#[test]
fn reading_is_settled_only_where_no_touch_was_due_at_loading() {
    let (_, record) = opened();
    let due = record.accessed.saturating_add(touch_interval(record.idle_timeout));
    for (now, settled) in [(record.accessed, true), (due, false)] {
        let mut state = State::new(Phase::Request);
        state.found(Found { id: id(), record: record.clone(), at: now });
        assert_eq!(state.is_settled(), settled);
    }
}

#[test]
fn a_clock_going_backward_needs_no_touch_and_moves_nothing_back() {
    let (mut state, record) = opened();
    let earlier = record.accessed.saturating_sub(Duration::from_secs(3600));
    assert_nothing(state.next_step(earlier, MARK, false));
    set(&mut state, "Color", 1);
    assert_eq!(saved_record(state.next_step(earlier, MARK, false)).accessed, record.accessed);
}

#[test]
fn changes_are_saved_against_the_version_that_was_loaded() {
    let (mut state, record) = opened();
    set(&mut state, "Color", 1);
    assert!(!state.is_settled() && state.is_unsaved());
    let later = record.accessed.saturating_add(Duration::from_secs(1));
    let Step::Save { record: saved, expected } = state.next_step(later, MARK, false) else { panic!("not a save") };
    assert_eq!(expected, record.version);
    assert_eq!(saved.version, record.version.next(MARK));
    assert_eq!(saved.accessed, later);
    assert_eq!((value(&saved.attributes, "Color"), value(&saved.attributes, "Count")), (Some(1), Some(1)));
    state.saved(saved.clone());
    assert_nothing(state.next_step(later, MARK, false));
    assert_eq!(state.stored_version(), Some(saved.version));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn changes_that_did_not_arrive_are_saved_again_with_those_since() {
    let (mut state, record) = opened();
    set(&mut state, "a", 1);
    set(&mut state, "b", 1);
    saved_record(step(&mut state, &record));
    set(&mut state, "b", 2);
    set(&mut state, "c", 2);
    assert_eq!(value(&state.view().unwrap().attributes, "b"), Some(2));
    let saved = saved_record(step(&mut state, &record)).attributes;
    assert_eq!(["a", "b", "c"].map(|name| value(&saved, name)), [Some(1), Some(2), Some(2)]);
}

#[test]
fn after_a_conflict_the_same_changes_apply_to_the_newer_record() {
    let (mut state, record) = opened();
    set(&mut state, "Mine", 1);
    let first = saved_record(step(&mut state, &record));
    let theirs = Attribute::new("Theirs", &2).unwrap();
    let newer =
        Record { version: record.version.next(99), attributes: record.attributes.with(theirs), ..record.clone() };
    state.reloaded(newer.clone()).unwrap();
    let Step::Save { record: second, expected } = step(&mut state, &record) else { panic!("not a save") };
    assert_eq!(expected, newer.version);
    assert!(second.version > first.version);
    assert_eq!((value(&second.attributes, "Mine"), value(&second.attributes, "Theirs")), (Some(1), Some(2)));
}

#[test]
fn persistence_is_told_if_it_changed() {
    let (mut state, record) = opened();
    state.change(|changes| changes.persistent = Some(record.persistent));
    let same = saved_record(step(&mut state, &record));
    state.saved(same);
    assert_eq!(state.take_tell(), Tell::Nothing);
    state.change(|changes| changes.persistent = Some(!record.persistent));
    let changed = saved_record(step(&mut state, &record));
    state.saved(changed);
    assert_eq!(state.take_tell(), Tell::Issue);
}

#[test]
fn a_started_session_is_created_and_told() {
    let (mut state, record) = started();
    assert!(state.is_present() && state.is_new());
    set(&mut state, "Color", 1);
    assert_nothing(state.next_step(record.accessed, MARK, true));
    let Step::Create { id, record: created } = step(&mut state, &record) else { panic!("not a creation") };
    assert_eq!((id.key(), created.key), (record.key, record.key));
    assert_eq!(created.version, Version::first(MARK));
    assert_eq!(value(&created.attributes, "Color"), Some(1));
    assert!(state.issued(id, created));
    assert!(!state.is_new() && state.is_present());
    assert_nothing(step(&mut state, &record));
    assert_eq!(state.take_tell(), Tell::Issue);
}

#[test]
fn a_change_follows_a_creation_that_is_under_way() {
    let (mut state, record) = started();
    let Step::Create { id, record: created } = step(&mut state, &record) else { panic!("not a creation") };
    set(&mut state, "Late", 1);
    assert_eq!(value(&created.attributes, "Late"), None);
    state.issued(id, created);
    assert_eq!(value(&saved_record(step(&mut state, &record)).attributes, "Late"), Some(1));
}

#[test]
fn a_change_during_a_creation_that_failed_goes_into_the_next_attempt() {
    let (mut state, record) = started();
    step(&mut state, &record);
    set(&mut state, "Late", 1);
    let Step::Create { record: created, .. } = step(&mut state, &record) else { panic!("not a creation") };
    assert_eq!(value(&created.attributes, "Late"), Some(1));
}

#[test]
fn starting_over_a_session_replaces_it_in_one_step() {
    let (mut state, old) = opened();
    set(&mut state, "Forgotten", 1);
    let new = start(&mut state);
    let Step::Renew { old: replaced, expected, id, record } = step(&mut state, &old) else { panic!("not a renewal") };
    assert_eq!((replaced, expected), (old.key, old.version));
    assert_eq!((id.key(), record.key), (new.key, new.key));
    assert_eq!(record.version, Version::first(MARK));
    assert_eq!(value(&record.attributes, "Forgotten"), None);
    assert!(state.issued(id, record));
    assert_nothing(step(&mut state, &new));
}

#[test]
fn starting_after_a_removal_deletes_first() {
    let (mut state, old) = opened();
    state.remove();
    let new = start(&mut state);
    assert!(matches!(step(&mut state, &old), Step::Delete { key } if key == old.key));
    state.deleted();
    assert!(matches!(step(&mut state, &old), Step::Create { record, .. } if record.key == new.key));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn starting_twice_after_a_removal_still_deletes_first() {
    let (mut state, old) = opened();
    state.remove();
    start(&mut state);
    start(&mut state);
    assert!(matches!(step(&mut state, &old), Step::Delete { key } if key == old.key));
}

#[test]
fn what_was_kept_goes_with_the_session_that_it_came_from() {
    let (mut state, old) = opened();
    start_keeping(&mut state, &old, &[("Own", 1)]);
    step(&mut state, &old);
    state.replaced_is_gone();
    let Step::Create { record, .. } = step(&mut state, &old) else { panic!("not a creation") };
    assert_eq!((value(&record.attributes, "Own"), value(&record.attributes, "Count")), (Some(1), None));
}

#[test]
fn what_a_new_session_was_given_stays_though_the_kept_one_had_the_same() {
    let (mut state, old) = opened();
    let count = value(&old.attributes, "Count").expect("it has one") as i32;
    start_keeping(&mut state, &old, &[("Count", count)]);
    state.replaced_is_gone();
    let Step::Create { record, .. } = step(&mut state, &old) else { panic!("not a creation") };
    assert_eq!(value(&record.attributes, "Count"), Some(i64::from(count)));
}

#[test]
fn what_others_wrote_to_a_kept_session_meanwhile_is_kept_too() {
    let (mut state, old) = opened();
    set(&mut state, "Mine", 1);
    start_keeping(&mut state, &old, &[("Own", 1)]);
    set(&mut state, "Later", 1);
    step(&mut state, &old);
    let theirs = Attribute::new("Theirs", &1).unwrap();
    let stored = Record { version: old.version.next(99), attributes: old.attributes.with(theirs), ..old.clone() };
    state.reloaded(stored).unwrap();
    let Step::Renew { record, .. } = step(&mut state, &old) else { panic!("not a renewal") };
    let names: Vec<&str> = record.attributes.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Count", "Later", "Mine", "Own", "Theirs"]);
}

#[test]
fn discarding_a_login_that_was_removed_again_leaves_the_session_before_it() {
    let (mut state, old) = opened();
    start(&mut state);
    state.remove();
    state.discard();
    assert_eq!(state.record(), Some(&old));
    state.check_writable(0).expect("the first handle is good again");
    assert_nothing(step(&mut state, &old));
}

#[test]
fn a_handle_of_a_replaced_session_goes_on_telling_of_it() {
    let (mut state, old) = opened();
    start(&mut state);
    let Step::Renew { id, record, .. } = step(&mut state, &old) else { panic!("not a renewal") };
    state.issued(id, record.clone());
    assert_eq!(state.told_to(0).map(|(_, record)| record.key), Some(old.key));
    assert_eq!(state.told_to(1).map(|(_, told)| told.key), Some(record.key));
}

#[test]
fn a_cookie_is_sent_again_only_for_a_session_that_is_still_there() {
    let (mut state, old) = opened();
    state.change(|changes| changes.persistent = Some(true));
    let Step::Save { record, .. } = step(&mut state, &old) else { panic!("not a save") };
    state.saved(record);
    state.answer();
    assert!(matches!(step(&mut state, &old), Step::Confirm { key } if key == old.key));
    state.confirmed();
    assert_nothing(step(&mut state, &old));
    assert_eq!(state.take_tell(), Tell::Issue);
}

#[test]
fn what_was_not_saved_is_not_told() {
    let (mut state, old) = opened();
    state.change(|changes| changes.persistent = Some(true));
    assert!(matches!(step(&mut state, &old), Step::Save { .. }));
    state.discard();
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn renewing_keeps_the_data_and_takes_the_changes_along() {
    let (mut state, old) = opened();
    set(&mut state, "Before", 1);
    let new_id = id();
    state.renew(new_id.clone());
    set(&mut state, "After", 1);
    assert_eq!(state.told_to(0).map(|(id, _)| id), Some(&new_id));
    let Step::Renew { old: renewed, expected, id, record } = step(&mut state, &old) else { panic!("not a renewal") };
    assert_eq!((renewed, expected, &id), (old.key, old.version, &new_id));
    assert_eq!((record.key, record.created), (new_id.key(), old.created));
    assert_eq!((value(&record.attributes, "Before"), value(&record.attributes, "After")), (Some(1), Some(1)));
    assert!(!state.issued(id, record));
    assert_nothing(step(&mut state, &old));
    assert_eq!(state.take_tell(), Tell::Issue);
}

#[test]
fn saving_before_a_renewal_saves_the_changes_only() {
    let (mut state, old) = opened();
    state.renew(id());
    assert_nothing(state.next_step(old.accessed, MARK, true));
    set(&mut state, "Color", 1);
    let saved = saved_record(state.next_step(old.accessed, MARK, true));
    assert_eq!(saved.key, old.key);
    state.saved(saved);
    assert!(matches!(step(&mut state, &old), Step::Renew { .. }));
}

#[test]
fn a_renewal_that_came_during_another_is_still_to_be_done() {
    let (mut state, old) = opened();
    state.renew(id());
    let Step::Renew { id: first, record, .. } = step(&mut state, &old) else { panic!("not a renewal") };
    let second = id();
    state.renew(second.clone());
    state.issued(first.clone(), record);
    let Step::Renew { old: renewed, id, .. } = step(&mut state, &old) else { panic!("not a renewal") };
    assert_eq!((renewed, id), (first.key(), second));
}

#[test]
fn a_removal_that_came_during_a_renewal_is_still_to_be_done() {
    let (mut state, old) = opened();
    state.renew(id());
    let Step::Renew { id, record, .. } = step(&mut state, &old) else { panic!("not a renewal") };
    state.remove();
    state.issued(id.clone(), record);
    assert!(matches!(step(&mut state, &old), Step::Delete { key } if key == id.key()));
}

#[test]
fn a_removal_is_told_and_drops_changes() {
    let (mut state, record) = opened();
    set(&mut state, "Color", 1);
    state.remove();
    assert!(!state.is_present() && state.is_unsaved());
    assert_nothing(state.next_step(record.accessed, MARK, true));
    assert!(matches!(step(&mut state, &record), Step::Delete { key } if key == record.key));
    state.deleted();
    assert!(!state.is_unsaved());
    assert_nothing(step(&mut state, &record));
    assert_eq!(state.take_tell(), Tell::Forget);
}

#[test]
fn removing_a_session_that_was_only_started_leaves_nothing_to_do() {
    let (mut state, record) = started();
    state.remove();
    assert_nothing(step(&mut state, &record));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn a_lost_session_is_left_alone() {
    let (mut state, record) = opened();
    state.change(|changes| changes.persistent = Some(!record.persistent));
    saved_record(step(&mut state, &record));
    state.lost();
    assert!(!state.is_present() && !state.is_unsaved());
    assert_nothing(step(&mut state, &record));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn an_abandoned_visit_leaves_nothing_to_do() {
    let (mut state, record) = opened();
    set(&mut state, "a", 1);
    saved_record(step(&mut state, &record));
    set(&mut state, "b", 1);
    state.abandon();
    assert!(!state.is_unsaved());
    assert_nothing(step(&mut state, &record));
}

#[test]
fn changes_under_way_do_not_come_back_after_they_were_discarded() {
    type Drop = fn(&mut State);
    let drops: [Drop; 4] = [State::discard, State::remove, State::abandon, |state| drop(start(state))];
    for drop_changes in drops {
        let (mut state, record) = opened();
        set(&mut state, "a", 1);
        saved_record(step(&mut state, &record));
        drop_changes(&mut state);
        assert!(!state.has_changes());
    }
}

#[test]
fn a_handle_is_writable_while_its_session_is_there() {
    let (mut state, _) = opened();
    let first = state.generation();
    state.check_writable(first).unwrap();
    start(&mut state);
    let second = state.generation();
    assert!(state.check_writable(first).is_err());
    state.check_writable(second).unwrap();
    state.discard();
    state.check_writable(first).unwrap();
    assert!(state.check_writable(second).is_err());
    start(&mut state);
    let third = state.generation();
    assert!(third != first && third != second);
    state.remove();
    assert!(state.check_writable(third).is_err());
}

#[test]
fn the_id_is_drawn_again_for_what_is_still_wanted() {
    let again = id();
    let (mut state, record) = started();
    step(&mut state, &record);
    state.draw_again(again.clone());
    assert!(
        matches!(step(&mut state, &record), Step::Create { id, record, .. } if id == again && record.key == again.key())
    );

    let (mut state, record) = opened();
    state.renew(id());
    step(&mut state, &record);
    state.draw_again(again.clone());
    assert!(
        matches!(step(&mut state, &record), Step::Renew { id, record, .. } if id == again && record.key == again.key())
    );

    state.remove();
    state.draw_again(id());
    assert!(matches!(step(&mut state, &record), Step::Delete { .. }));
}

#[test]
fn only_saving_is_done_without_waiting() {
    let (mut state, record) = opened();
    let now = record.accessed;
    assert_eq!(state.left(now), Left::Nothing);
    assert_eq!(state.left(now.saturating_add(Duration::from_secs(60))), Left::More);
    set(&mut state, "Color", 1);
    assert_eq!(state.left(now), Left::Save);
    state.renew(id());
    assert_eq!(state.left(now), Left::More);
    state.remove();
    assert_eq!(state.left(now), Left::More);
    assert_eq!(started().0.left(now), Left::More);
    assert_eq!(State::new(Phase::Request).left(now), Left::Nothing);
}

#[test]
fn what_was_advanced_is_what_would_be_sent_and_can_be_taken_back() {
    let changed = || {
        let (mut state, record) = opened();
        set(&mut state, "Color", 1);
        state.change(|changes| changes.idle_timeout = Some(Duration::from_secs(7)));
        state.change(|changes| changes.persistent = Some(!record.persistent));
        (state, record)
    };
    let update = || Some(Attribute::new("Count", &2).unwrap());
    let (mut state, record) = changed();
    let later = record.accessed.saturating_add(Duration::from_secs(1));
    let (advanced, before) = state.advance(update(), later, MARK);
    let advanced = advanced.clone();
    let (mut other, other_record) = changed();
    let sent = other.take_changes(update(), later, MARK);
    assert_eq!(advanced, Record { key: record.key, created: record.created, ..sent });
    assert_eq!(before.version, record.version);

    state.take_back(before);
    assert_eq!(state.record(), Some(&record));
    // Nothing but the update is forgotten.
    let again = state.take_changes(update(), later, MARK);
    assert_eq!(again, advanced);
    assert_eq!(other.record(), Some(&other_record));
}

#[test]
fn answering_ends_the_request_only() {
    for (before, after) in
        [(Phase::Request, Phase::Answered), (Phase::Answered, Phase::Answered), (Phase::Direct, Phase::Direct)]
    {
        let mut state = State::new(before);
        state.answer();
        assert_eq!(state.phase, after);
    }
}

#[test]
fn the_touch_interval_is_a_thirtieth_and_a_minute_at_most() {
    for (idle_seconds, interval_seconds) in [(30, 1), (1800, 60), (1_000_000, 60)] {
        assert_eq!(touch_interval(Duration::from_secs(idle_seconds)), Duration::from_secs(interval_seconds));
    }
}
