use std::time::Duration;

use triomphe::Arc;

use crate::error::Error;
use crate::id::{PresentedIds, SessionId};
use crate::random::{RandomSource, SystemRandom};
use crate::record::{
    Attribute, Attributes, MAX_SESSION_BYTES, Record, Size, Version, note_by_bearer, sample, touch_interval_ms,
};
use crate::store::{Created, Deleted, Renewed, Saved};
use crate::time::{Time, millis};

use super::super::changes::Changes;
use super::super::started::{Keeping, Started, Travelling};
use super::notice::Notice;
use super::operation::{Answer, Loading, Moment, Operation, Step};
use super::state::{Phase, State, Tell};

const MARK: u32 = 7;

fn id() -> SessionId {
    SessionId::generate(&SystemRandom as &dyn RandomSource, 18).expect("random bytes")
}

fn touch_interval(idle_timeout: Duration) -> Duration {
    Duration::from_millis(touch_interval_ms(millis(idle_timeout)).unsigned_abs())
}

/// A record with the key of an id.
fn record_of(id: &SessionId) -> Record {
    Record { key: id.key(), ..sample() }
}

/// A visit that found a session.
fn opened() -> (State, Record) {
    let (mut state, id) = (State::new(Phase::Request, Arc::default()), id());
    let record = record_of(&id);
    state.found(&id, &mut Some(record.clone()), record.accessed);
    (state, record)
}

/// A visit that started a session, and the session's record.
fn started() -> (State, Record) {
    let mut state = State::new(Phase::Request, Arc::default());
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
    let keeping = Keeping { kept: state.kept(old.key), travelling: Travelling::All, own: changes };
    state.start(Started::new(id, record.clone(), Some(keeping)));
    record
}

fn set(state: &mut State, name: &str, value: i32) {
    let attribute = Attribute::new(name, &value).expect("a number has a JSON form");
    state.change(|changes| changes.set(attribute));
}

fn value(attributes: &Attributes, name: &str) -> Option<i64> {
    attributes.get(name)?.as_i64()
}

fn moment(now: Time) -> Moment {
    Moment { now, mark: MARK, is_contended: false, hasty_attempts: 1 }
}

/// An update was computed from a value that was read when there had been so many edits.
fn computed(state: &mut State, operation: &mut Operation<'_>, value: i32, edits: u64) -> Result<(), Error> {
    operation.put(Attribute::new("Count", &value).expect("a number has a JSON form"));
    state.answered(operation, Answer::Computed(edits))
}

/// The next step of a commit.
fn step_at(state: &mut State, now: Time) -> Step {
    state.next(&mut Operation::commit(None), &moment(now))
}

/// The next step of a commit right after the session was used.
fn step(state: &mut State, record: &Record) -> Step {
    step_at(state, record.accessed)
}

/// The next step of saving in a handler.
fn saving_step(state: &mut State, record: &Record) -> Step {
    state.next(&mut Operation::save_changes(), &moment(record.accessed))
}

fn answer(state: &mut State, answer: Answer) -> Result<(), Error> {
    state.answered(&mut Operation::commit(None), answer)
}

/// The last step was done.
fn done(state: &mut State, step: &Step) {
    let answered = match step {
        Step::Save { .. } => Answer::Saved(Ok(Saved::Done)),
        Step::Create => Answer::Created(Ok(Created::Done)),
        Step::Renew { .. } => Answer::Renewed(Ok(Renewed::Done)),
        Step::Delete(_) => Answer::Deleted(Ok(Deleted::Done)),
        other => panic!("{other:?} is no write"),
    };
    answer(state, answered).expect("it was done");
}

/// What was to be saved met another writer, who left this record, if any.
fn conflict(state: &mut State, stored: Option<Record>) -> Result<(), Error> {
    let mut operation = Operation::commit(None);
    state.answered(&mut operation, Answer::Saved(Ok(Saved::Conflict)))?;
    assert!(operation.loading == Loading::Reloaded);
    state.answered(&mut operation, Answer::Loaded(Ok(stored)))
}

/// The store does not have the record, and there is no note of where it went.
fn gone(state: &mut State, operation: &mut Operation<'_>, missing: Answer) -> Result<(), Error> {
    let key = *state.stored_key().expect("it was loaded");
    state.answered(operation, missing).expect("the note is read first");
    assert_eq!(state.next(operation, &moment(Time::MAX)), Step::Follow(key));
    state.answered(operation, Answer::Followed(Ok(None)))
}

#[track_caller]
fn assert_nothing(step: Step) {
    assert_eq!(step, Step::Done);
}

/// The record that the next step of a commit saves.
#[track_caller]
fn saved_record(state: &mut State, record: &Record) -> Record {
    let step = step(state, record);
    assert!(matches!(step, Step::Save { .. }), "{step:?}");
    state.outgoing().clone()
}

#[test]
fn a_visit_without_a_session_has_nothing_to_do() {
    let mut state = State::new(Phase::Request, Arc::default());
    assert!(!state.is_present() && state.is_settled() && !state.is_unsaved());
    assert_nothing(step_at(&mut state, Time::MAX));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn reading_needs_a_touch_once_it_is_due() {
    let (mut state, record) = opened();
    let due = record.accessed.saturating_add(touch_interval(record.idle_timeout));
    state.found(&id(), &mut Some(record.clone()), due.saturating_sub(Duration::from_millis(1)));
    assert_nothing(step_at(&mut state, due));
    state.found(&id(), &mut Some(record.clone()), due);
    assert_eq!(step_at(&mut state, due), Step::Touch(record.key));
    let mut operation = Operation::commit(None);
    assert_eq!(state.next(&mut operation, &moment(due)), Step::Touch(record.key));
    state.answered(&mut operation, Answer::Touched(Ok(()))).unwrap();
    assert_nothing(state.next(&mut operation, &moment(due)));
    assert_nothing(step_at(&mut state, due));
    assert_eq!(state.record().unwrap().accessed, record.accessed, "it tells the use before this one");
}

#[test]
fn without_a_request_every_save_may_note_the_use() {
    let (mut state, record) = opened();
    let due = record.accessed.saturating_add(touch_interval(record.idle_timeout));
    let (mut operation, now) = (Operation::save_all(None), moment(due));
    assert_eq!(state.next(&mut operation, &now), Step::Load(record.key));
    state.answered(&mut operation, Answer::Loaded(Ok(Some(record.clone())))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Touch(record.key));
}

#[test]
fn saving_without_changes_finds_out_whether_the_session_is_there() {
    for make in [Operation::save_changes, || Operation::save_all(None)] {
        let (mut state, record) = opened();
        let (mut operation, now) = (make(), moment(record.accessed));
        assert_eq!(state.next(&mut operation, &now), Step::Load(record.key));
        state.answered(&mut operation, Answer::Loaded(Ok(Some(record.clone())))).unwrap();
        assert_nothing(state.next(&mut operation, &now));

        let (mut operation, now) = (make(), moment(record.accessed));
        assert_eq!(state.next(&mut operation, &now), Step::Load(record.key));
        assert!(matches!(gone(&mut state, &mut operation, Answer::Loaded(Ok(None))), Err(Error::Gone)));
    }
}

#[test]
fn reading_is_settled_only_where_no_touch_was_due_at_loading() {
    let (_, record) = opened();
    let due = record.accessed.saturating_add(touch_interval(record.idle_timeout));
    for (now, settled) in [(record.accessed, true), (due, false)] {
        let mut state = State::new(Phase::Request, Arc::default());
        state.found(&id(), &mut Some(record.clone()), now);
        assert_eq!(state.is_settled(), settled);
    }
}

#[test]
fn a_clock_going_backward_needs_no_touch_and_moves_nothing_back() {
    let (mut state, record) = opened();
    let earlier = record.accessed.saturating_sub(Duration::from_secs(3600));
    assert_nothing(step_at(&mut state, earlier));
    set(&mut state, "Color", 1);
    assert!(matches!(step_at(&mut state, earlier), Step::Save { .. }));
    assert_eq!(state.outgoing().accessed, record.accessed);
}

#[test]
fn changes_are_saved_against_the_version_that_was_loaded() {
    let (mut state, record) = opened();
    set(&mut state, "Color", 1);
    assert!(!state.is_settled() && state.is_unsaved());
    let later = record.accessed.saturating_add(Duration::from_secs(1));
    let save = step_at(&mut state, later);
    assert_eq!(save, Step::Save { expected: record.version });
    let saved = state.outgoing().clone();
    assert_eq!(saved.version, record.version.next(MARK));
    assert_eq!(saved.accessed, later);
    assert_eq!((value(&saved.attributes, "Color"), value(&saved.attributes, "Count")), (Some(1), Some(1)));
    done(&mut state, &save);
    assert_nothing(step_at(&mut state, later));
    assert_eq!(state.record(), Some(&saved));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn changes_that_did_not_arrive_are_saved_again_with_those_since() {
    let (mut state, record) = opened();
    set(&mut state, "a", 1);
    set(&mut state, "b", 1);
    saved_record(&mut state, &record);
    state.set_aside();
    set(&mut state, "b", 2);
    set(&mut state, "c", 2);
    assert_eq!(value(&state.view().unwrap().attributes, "b"), Some(2));
    let saved = saved_record(&mut state, &record).attributes;
    assert_eq!(["a", "b", "c"].map(|name| value(&saved, name)), [Some(1), Some(2), Some(2)]);
}

#[test]
fn after_a_conflict_the_same_changes_apply_to_the_newer_record() {
    let (mut state, record) = opened();
    set(&mut state, "Mine", 1);
    let first = saved_record(&mut state, &record);
    let theirs = Attribute::new("Theirs", &2).unwrap();
    let newer =
        Record { version: record.version.next(99), attributes: record.attributes.with(theirs), ..record.clone() };
    conflict(&mut state, Some(newer.clone())).unwrap();
    assert_eq!(step(&mut state, &record), Step::Save { expected: newer.version });
    let second = state.outgoing().clone();
    assert!(second.version > first.version);
    assert_eq!((value(&second.attributes, "Mine"), value(&second.attributes, "Theirs")), (Some(1), Some(2)));
}

#[test]
fn persistence_is_told_if_it_changed() {
    let (mut state, record) = opened();
    for (persistent, tell) in [(record.persistent, Tell::Nothing), (!record.persistent, Tell::Issue)] {
        state.change(|changes| changes.persistent = Some(persistent));
        let save = step(&mut state, &record);
        done(&mut state, &save);
        assert_eq!(state.take_tell(), tell);
    }
}

#[test]
fn a_started_session_is_created_and_told() {
    let (mut state, record) = started();
    assert!(state.is_present() && state.is_new());
    set(&mut state, "Color", 1);
    assert_nothing(saving_step(&mut state, &record));
    let create = step(&mut state, &record);
    assert_eq!(create, Step::Create);
    let created = state.outgoing().clone();
    assert_eq!((created.key, created.version), (record.key, Version::first(MARK)));
    assert_eq!(value(&created.attributes, "Color"), Some(1));
    done(&mut state, &create);
    assert!(!state.is_new() && state.is_present());
    assert_nothing(step(&mut state, &record));
    assert_eq!(state.take_tell(), Tell::Issue);
}

#[test]
fn a_change_follows_a_creation_that_is_under_way() {
    let (mut state, record) = started();
    let create = step(&mut state, &record);
    assert_eq!(create, Step::Create);
    set(&mut state, "Late", 1);
    assert_eq!(value(&state.outgoing().attributes, "Late"), None);
    done(&mut state, &create);
    assert_eq!(value(&saved_record(&mut state, &record).attributes, "Late"), Some(1));
}

#[test]
fn a_change_during_a_creation_that_failed_goes_into_the_next_attempt() {
    let (mut state, record) = started();
    step(&mut state, &record);
    set(&mut state, "Late", 1);
    assert_eq!(step(&mut state, &record), Step::Create);
    assert_eq!(value(&state.outgoing().attributes, "Late"), Some(1));
}

#[test]
fn starting_over_a_session_replaces_it_in_one_step() {
    let (mut state, old) = opened();
    set(&mut state, "Forgotten", 1);
    let new = start(&mut state);
    let renew = step(&mut state, &old);
    assert_eq!(renew, Step::Renew { old: old.key, expected: old.version, moved_until: None });
    let record = state.outgoing();
    assert_eq!((record.key, record.version), (new.key, Version::first(MARK)));
    assert_eq!(value(&record.attributes, "Forgotten"), None);
    done(&mut state, &renew);
    assert_nothing(step(&mut state, &new));
}

#[test]
fn starting_after_a_removal_deletes_first() {
    let (mut state, old) = opened();
    state.remove();
    let new = start(&mut state);
    let delete = step(&mut state, &old);
    assert_eq!(delete, Step::Delete(old.key));
    done(&mut state, &delete);
    assert_eq!(step(&mut state, &old), Step::Create);
    assert_eq!(state.outgoing().key, new.key);
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn starting_twice_after_a_removal_still_deletes_first() {
    let (mut state, old) = opened();
    state.remove();
    start(&mut state);
    start(&mut state);
    assert_eq!(step(&mut state, &old), Step::Delete(old.key));
}

#[test]
fn what_was_kept_goes_with_the_session_that_it_came_from() {
    let (mut state, old) = opened();
    start_keeping(&mut state, &old, &[("Own", 1)]);
    step(&mut state, &old);
    let missing = Answer::Renewed(Ok(Renewed::Missing));
    gone(&mut state, &mut Operation::commit(None), missing).expect("the login goes on");
    assert_eq!(step(&mut state, &old), Step::Create);
    let record = state.outgoing();
    assert_eq!((value(&record.attributes, "Own"), value(&record.attributes, "Count")), (Some(1), None));
}

#[test]
fn what_a_new_session_was_given_stays_though_the_kept_one_had_the_same() {
    let (mut state, old) = opened();
    let count = value(&old.attributes, "Count").expect("it has one") as i32;
    start_keeping(&mut state, &old, &[("Count", count)]);
    step(&mut state, &old);
    let missing = Answer::Renewed(Ok(Renewed::Missing));
    gone(&mut state, &mut Operation::commit(None), missing).expect("the login goes on");
    assert_eq!(step(&mut state, &old), Step::Create);
    let record = state.outgoing();
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
    conflict(&mut state, Some(stored)).unwrap();
    assert!(matches!(step(&mut state, &old), Step::Renew { .. }));
    let record = state.outgoing();
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
    let renew = step(&mut state, &old);
    let new_key = state.outgoing().key;
    done(&mut state, &renew);
    assert_eq!(state.told_to(0).map(|(_, record)| record.key), Some(old.key));
    assert_eq!(state.told_to(1).map(|(_, record)| record.key), Some(new_key));
}

#[test]
fn a_cookie_is_sent_again_only_for_a_session_that_is_still_there() {
    let (mut state, old) = opened();
    state.change(|changes| changes.persistent = Some(true));
    let save = step(&mut state, &old);
    done(&mut state, &save);
    state.end_request();
    let (mut operation, now) = (Operation::commit(None), moment(old.accessed));
    assert_eq!(state.next(&mut operation, &now), Step::Load(old.key));
    state.answered(&mut operation, Answer::Loaded(Ok(Some(old.clone())))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
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
    let renew = step(&mut state, &old);
    let moved_until = Some(old.accessed.saturating_add(Duration::from_secs(60)));
    assert_eq!(renew, Step::Renew { old: old.key, expected: old.version, moved_until });
    let record = state.outgoing();
    assert_eq!((record.key, record.created), (new_id.key(), old.created));
    assert_eq!((value(&record.attributes, "Before"), value(&record.attributes, "After")), (Some(1), Some(1)));
    done(&mut state, &renew);
    assert_nothing(step(&mut state, &old));
    assert_eq!(state.take_tell(), Tell::Issue);
}

#[test]
fn saving_before_a_renewal_saves_the_changes_only() {
    let (mut state, old) = opened();
    state.renew(id());
    assert_eq!(saving_step(&mut state, &old), Step::Load(old.key));
    set(&mut state, "Color", 1);
    let save = saving_step(&mut state, &old);
    assert_eq!((&save, state.outgoing().key), (&Step::Save { expected: old.version }, old.key));
    done(&mut state, &save);
    assert!(matches!(step(&mut state, &old), Step::Renew { .. }));
}

#[test]
fn a_renewal_that_came_during_another_is_still_to_be_done() {
    let (mut state, old) = opened();
    let (first, second) = (id(), id());
    state.renew(first.clone());
    let renew = step(&mut state, &old);
    state.renew(second.clone());
    done(&mut state, &renew);
    assert!(matches!(step(&mut state, &old), Step::Renew { old, .. } if old == first.key()));
    assert_eq!(state.outgoing().key, second.key());
}

#[test]
fn a_removal_that_came_during_a_renewal_is_still_to_be_done() {
    let (mut state, old) = opened();
    let new_id = id();
    state.renew(new_id.clone());
    let renew = step(&mut state, &old);
    state.remove();
    done(&mut state, &renew);
    assert_eq!(step(&mut state, &old), Step::Delete(new_id.key()));
}

#[test]
fn a_removal_is_told_and_drops_changes() {
    let (mut state, record) = opened();
    set(&mut state, "Color", 1);
    state.remove();
    assert!(!state.is_present() && state.is_unsaved());
    assert_nothing(saving_step(&mut state, &record));
    let delete = step(&mut state, &record);
    assert_eq!(delete, Step::Delete(record.key));
    done(&mut state, &delete);
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
    saved_record(&mut state, &record);
    let missing = Answer::Saved(Ok(Saved::Missing));
    assert!(matches!(gone(&mut state, &mut Operation::commit(None), missing), Err(Error::Gone)));
    assert!(!state.is_present() && !state.is_unsaved());
    assert_nothing(step(&mut state, &record));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn an_abandoned_visit_leaves_nothing_to_do() {
    let (mut state, record) = opened();
    set(&mut state, "a", 1);
    saved_record(&mut state, &record);
    state.set_aside();
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
        saved_record(&mut state, &record);
        state.set_aside();
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

/// A commit whose first id is taken, up to the step after another was drawn.
fn after_a_taken_id(
    state: &mut State,
    record: &Record,
    taken: Answer,
    meanwhile: impl FnOnce(&mut State),
) -> (SessionId, Step) {
    let (mut operation, now, again) = (Operation::commit(None), moment(record.accessed), id());
    state.next(&mut operation, &now);
    state.answered(&mut operation, taken).expect("another is tried");
    meanwhile(state);
    assert_eq!(state.next(&mut operation, &now), Step::Draw);
    state.answered(&mut operation, Answer::Drawn(Ok(again.clone()))).unwrap();
    (again, state.next(&mut operation, &now))
}

#[test]
fn the_id_is_drawn_again_for_what_is_still_wanted() {
    let created_exists = || Answer::Created(Ok(Created::Exists));
    let renewed_exists = || Answer::Renewed(Ok(Renewed::Exists));
    let (mut state, record) = started();
    let (again, next) = after_a_taken_id(&mut state, &record, created_exists(), |_| {});
    assert_eq!((next, state.outgoing().key), (Step::Create, again.key()));

    let (mut state, record) = opened();
    state.renew(id());
    let (again, next) = after_a_taken_id(&mut state, &record, renewed_exists(), |_| {});
    assert!(matches!(next, Step::Renew { .. }));
    assert_eq!(state.outgoing().key, again.key());

    let (mut state, record) = opened();
    state.renew(id());
    let (_, next) = after_a_taken_id(&mut state, &record, renewed_exists(), State::remove);
    assert_eq!(next, Step::Delete(record.key));
}

#[test]
fn a_random_source_that_repeats_itself_is_an_error() {
    let (mut state, record) = started();
    let mut operation = Operation::commit(None);
    for attempt in 1..=3 {
        assert_eq!(state.next(&mut operation, &moment(record.accessed)), Step::Create);
        let taken = state.answered(&mut operation, Answer::Created(Ok(Created::Exists)));
        assert_eq!(taken.is_ok(), attempt < 3);
        if let Err(error) = taken {
            assert!(matches!(error, Error::Random(_)), "{error}");
            return;
        }
        assert_eq!(state.next(&mut operation, &moment(record.accessed)), Step::Draw);
        state.answered(&mut operation, Answer::Drawn(Ok(id()))).unwrap();
    }
}

/// Three changes that wait to be saved.
fn changed() -> (State, Record) {
    let (mut state, record) = opened();
    set(&mut state, "Color", 1);
    state.change(|changes| changes.idle_timeout = Some(Duration::from_secs(7)));
    state.change(|changes| changes.persistent = Some(!record.persistent));
    (state, record)
}

#[test]
fn both_drivers_send_the_same_and_a_refusal_leaves_the_record_as_it_was() {
    for waits in [false, true] {
        let (mut state, record) = changed();
        let sent = saved_record(&mut state, &record);
        if waits {
            state.set_aside();
            assert_eq!(state.record(), Some(&record));
        }
        assert_eq!(state.outgoing(), &sent);
        answer(&mut state, Answer::Saved(Ok(Saved::Conflict))).expect("it is tried again");
        assert_eq!(state.record(), Some(&record));
        // Nothing is forgotten.
        assert_eq!(saved_record(&mut state, &record), sent);
        done(&mut state, &Step::Save { expected: record.version });
        assert_eq!(state.record(), Some(&sent));
        assert_eq!(state.take_tell(), Tell::Issue);
    }
}

#[test]
fn what_a_cancelled_operation_sent_is_taken_back() {
    let (mut state, record) = changed();
    let sent = saved_record(&mut state, &record);
    assert_eq!(step(&mut state, &record), Step::Save { expected: record.version });
    assert_eq!(state.outgoing(), &sent);
}

#[test]
fn an_update_is_saved_with_what_was_collected_and_computed_again_after_a_conflict() {
    let (mut state, record) = opened();
    set(&mut state, "Color", 1);
    let (mut operation, now) = (Operation::update(), moment(record.accessed));
    let update = |state: &mut State, operation: &mut Operation<'_>, value| {
        let edits = state.edits();
        computed(state, operation, value, edits).unwrap();
    };
    assert_eq!(state.next(&mut operation, &now), Step::Compute);
    update(&mut state, &mut operation, 2);
    assert_eq!(state.next(&mut operation, &now), Step::Save { expected: record.version });
    let sent = &state.outgoing().attributes;
    assert_eq!((value(sent, "Color"), value(sent, "Count")), (Some(1), Some(2)));
    state.answered(&mut operation, Answer::Saved(Ok(Saved::Conflict))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::TakeTurn(record.key));
    state.answered(&mut operation, Answer::HasTurn { last_saved: None }).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Load(record.key));
    let newer = Record { version: record.version.next(99), ..record.clone() };
    state.answered(&mut operation, Answer::Loaded(Ok(Some(newer.clone())))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Compute);
    update(&mut state, &mut operation, 3);
    assert_eq!(state.next(&mut operation, &now), Step::Save { expected: newer.version });
    state.answered(&mut operation, Answer::Saved(Ok(Saved::Done))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Done);
}

#[test]
fn what_the_writer_before_has_saved_is_not_loaded_unless_it_is_old_or_has_moved() {
    let (mut state, record) = changed();
    let (mut operation, now) = (Operation::commit(None), moment(record.accessed));
    assert_eq!(state.next(&mut operation, &now), Step::Save { expected: record.version });
    state.answered(&mut operation, Answer::Saved(Ok(Saved::Conflict))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::TakeTurn(record.key));
    let newer = Record { version: record.version.next(99), ..record.clone() };
    state.answered(&mut operation, Answer::HasTurn { last_saved: Some(newer.clone()) }).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Save { expected: newer.version });
    // Another process was faster after all.
    state.answered(&mut operation, Answer::Saved(Ok(Saved::Conflict))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Load(record.key));

    let moved = Record { key: id().key(), ..newer };
    for last_saved in [record, moved] {
        let (mut state, record) = changed();
        let mut operation = Operation::commit(None);
        state.next(&mut operation, &now);
        state.answered(&mut operation, Answer::Saved(Ok(Saved::Conflict))).unwrap();
        state.next(&mut operation, &now);
        state.answered(&mut operation, Answer::HasTurn { last_saved: Some(last_saved) }).unwrap();
        assert_eq!(state.next(&mut operation, &now), Step::Load(record.key));
    }
}

/// A writer may have computed its update when it finds that it has to wait for its turn.
#[test]
fn an_update_that_was_computed_before_its_turn_is_computed_again_from_what_was_passed_on() {
    let (mut state, record) = opened();
    let mut operation = Operation::update();
    assert_eq!(state.next(&mut operation, &moment(record.accessed)), Step::Compute);
    let edits = state.edits();
    computed(&mut state, &mut operation, 2, edits).unwrap();
    let contended = Moment { is_contended: true, ..moment(record.accessed) };
    assert_eq!(state.next(&mut operation, &contended), Step::TakeTurn(record.key));
    let mut passed_on = Record { version: record.version.next(MARK), ..record.clone() };
    passed_on.attributes = passed_on.attributes.with(Attribute::new("Count", &2).unwrap());
    state.answered(&mut operation, Answer::HasTurn { last_saved: Some(passed_on.clone()) }).unwrap();
    assert_eq!(state.next(&mut operation, &contended), Step::Compute, "from what the other writer has saved");
    let edits = state.edits();
    computed(&mut state, &mut operation, 3, edits).unwrap();
    assert_eq!(state.next(&mut operation, &contended), Step::Save { expected: passed_on.version });
    assert_eq!(value(&state.outgoing().attributes, "Count"), Some(3));
}

#[test]
fn an_update_that_never_settles_ends_with_an_error() {
    let (mut state, _) = opened();
    let (mut operation, stale) = (Operation::update(), state.edits() + 1);
    let ended = (0..10_000).find_map(|_| computed(&mut state, &mut operation, 1, stale).err());
    assert!(matches!(ended, Some(Error::Conflict { .. })));
}

#[test]
fn a_login_beyond_the_limit_ends_the_oldest_sessions_one_by_one() {
    let (mut state, record) = started();
    let (mut operation, now) = (Operation::commit(Some(1)), moment(record.accessed));
    assert_eq!(state.next(&mut operation, &now), Step::Create);
    state.answered(&mut operation, Answer::Created(Ok(Created::Done))).unwrap();
    assert!(matches!(state.next(&mut operation, &now), Step::ListOf(_)));
    let older = |seconds| {
        let created = record.created.saturating_sub(Duration::from_secs(seconds));
        Record { created, ..record_of(&id()) }
    };
    let others = [older(20), older(30)];
    let listed = [&others[..], std::slice::from_ref(&record)].concat();
    state.answered(&mut operation, Answer::Listed(Ok(listed))).unwrap();
    for other in &others {
        assert_eq!(state.next(&mut operation, &now), Step::Delete(other.key));
        state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Done))).unwrap();
    }
    // Others may have signed in meanwhile.
    assert!(matches!(state.next(&mut operation, &now), Step::ListOf(_)));
    state.answered(&mut operation, Answer::Listed(Ok(vec![record.clone()]))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Done);
    assert!(state.is_present());
}

#[test]
fn a_start_of_unknown_outcome_goes_on_under_another_id_unless_the_first_is_known() {
    for is_known in [false, true] {
        let (mut state, record) = started();
        if is_known {
            state.note_id_is_known();
        }
        let mut operation = Operation::commit(None);
        assert_eq!(state.next(&mut operation, &moment(record.accessed)), Step::Create);
        state.set_aside();
        let again = id();
        let other = state.start_under(again.clone()).cloned();
        assert_eq!(other.as_ref().map(|other| other.key), (!is_known).then(|| again.key()));
        let stored = if is_known { record.key } else { again.key() };
        assert_eq!(state.outgoing(), &Record { key: stored, ..state.outgoing().clone() });
        state.answered(&mut operation, Answer::Created(Ok(Created::Done))).unwrap();
        assert_eq!(state.stored().map(|stored| (stored.id.key(), stored.record.key)), Some((stored, stored)));
    }
}

#[test]
fn what_a_login_left_under_another_id_takes_nobodys_place() {
    let (mut state, record) = started();
    let (mut operation, now) = (Operation::commit(Some(2)), moment(record.accessed));
    state.next(&mut operation, &now);
    state.set_aside();
    let left = state.outgoing().clone();
    let newest = state.start_under(id()).expect("nobody knows the first id").clone();
    state.answered(&mut operation, Answer::Created(Ok(Created::Done))).unwrap();
    state.next(&mut operation, &now);
    let created = record.created.saturating_sub(Duration::from_secs(20));
    let older = Record { created, ..record_of(&id()) };
    state.answered(&mut operation, Answer::Listed(Ok(vec![older, left.clone(), newest]))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(left.key));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Done))).unwrap();
    assert!(matches!(state.next(&mut operation, &now), Step::ListOf(_)));
    assert!(state.is_present());
}

#[test]
fn a_session_beyond_the_limit_that_is_renewed_meanwhile_ends_where_it_went() {
    let (mut state, record) = started();
    let (mut operation, now) = (Operation::commit(Some(1)), moment(record.accessed));
    state.next(&mut operation, &now);
    state.answered(&mut operation, Answer::Created(Ok(Created::Done))).unwrap();
    let created = record.created.saturating_sub(Duration::from_secs(20));
    let (old, new_key) = (Record { created, ..record_of(&id()) }, id().key());
    state.next(&mut operation, &now);
    state.answered(&mut operation, Answer::Listed(Ok(vec![old.clone(), record.clone()]))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(old.key));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Moved(new_key)))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(new_key));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Done))).unwrap();
    assert!(matches!(state.next(&mut operation, &now), Step::ListOf(_)));
    assert!(state.is_present());
}

#[test]
fn a_login_that_newer_ones_leave_no_room_for_ends_itself() {
    let (mut state, record) = started();
    let (mut operation, now) = (Operation::commit(Some(1)), moment(record.accessed));
    state.next(&mut operation, &now);
    state.answered(&mut operation, Answer::Created(Ok(Created::Done))).unwrap();
    state.next(&mut operation, &now);
    let created = record.created.saturating_add(Duration::from_millis(1));
    let newer = Record { created, ..record_of(&id()) };
    state.answered(&mut operation, Answer::Listed(Ok(vec![newer, record.clone()]))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(record.key));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Done))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
    assert!(!state.is_present());
    assert_eq!(state.take_tell(), Tell::Nothing);
}

/// A session that another request has renewed, as this one finds out by an answer.
fn renewed_elsewhere(state: &mut State, operation: &mut Operation<'_>, missing: Answer) -> Record {
    let old = state.stored().expect("it was loaded").record.clone();
    let new = Record { key: id().key(), version: old.version.next(99), ..old.clone() };
    let now = moment(old.accessed);
    state.answered(operation, missing).expect("the note is read first");
    assert_eq!(state.next(operation, &now), Step::Follow(old.key));
    state.answered(operation, Answer::Followed(Ok(Some(new.clone())))).unwrap();
    new
}

#[test]
fn changes_follow_a_plain_renewal_and_set_no_cookie() {
    let (mut state, record) = changed();
    let (mut operation, now) = (Operation::commit(None), moment(record.accessed));
    assert_eq!(state.next(&mut operation, &now), Step::Save { expected: record.version });
    let new = renewed_elsewhere(&mut state, &mut operation, Answer::Saved(Ok(Saved::Missing)));
    assert_eq!(state.next(&mut operation, &now), Step::Save { expected: new.version });
    let sent = state.outgoing();
    assert_eq!((sent.key, value(&sent.attributes, "Color")), (new.key, Some(1)));
    state.answered(&mut operation, Answer::Saved(Ok(Saved::Done))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn of_two_renewals_at_once_the_later_one_only_brings_its_changes() {
    let (mut state, record) = opened();
    set(&mut state, "Color", 1);
    state.renew(id());
    let (mut operation, now) = (Operation::commit(None), moment(record.accessed));
    assert!(matches!(state.next(&mut operation, &now), Step::Renew { .. }));
    let new = renewed_elsewhere(&mut state, &mut operation, Answer::Renewed(Ok(Renewed::Missing)));
    assert_eq!(state.next(&mut operation, &now), Step::Save { expected: new.version });
    assert_eq!(state.outgoing().key, new.key);
    state.answered(&mut operation, Answer::Saved(Ok(Saved::Done))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn a_login_replaces_the_session_under_its_new_id_and_keeps_what_is_there() {
    let (mut state, old) = opened();
    let new = start_keeping(&mut state, &old, &[("Own", 1)]);
    let (mut operation, now) = (Operation::commit(None), moment(old.accessed));
    assert!(matches!(state.next(&mut operation, &now), Step::Renew { .. }));
    let moved = renewed_elsewhere(&mut state, &mut operation, Answer::Renewed(Ok(Renewed::Missing)));
    let renew = Step::Renew { old: moved.key, expected: moved.version, moved_until: None };
    assert_eq!(state.next(&mut operation, &now), renew);
    let sent = state.outgoing();
    assert_eq!((sent.key, value(&sent.attributes, "Own")), (new.key, Some(1)));
    assert_eq!(value(&sent.attributes, "Count"), value(&old.attributes, "Count"));
}

#[test]
fn a_note_that_leads_to_somebody_elses_session_is_not_followed() {
    for change in [
        |record: &mut Record| record.principal = Some("eve".into()),
        |record: &mut Record| {
            record.created = record.created.saturating_add(Duration::from_secs(1));
        },
    ] {
        let (mut state, record) = changed();
        let (mut operation, now) = (Operation::commit(None), moment(record.accessed));
        state.next(&mut operation, &now);
        state.answered(&mut operation, Answer::Saved(Ok(Saved::Missing))).unwrap();
        state.next(&mut operation, &now);
        let mut other = record_of(&id());
        (other.principal, other.created) = (record.principal.clone(), record.created);
        change(&mut other);
        let followed = state.answered(&mut operation, Answer::Followed(Ok(Some(other))));
        assert!(matches!(followed, Err(Error::Gone)));
    }
}

#[test]
fn an_anonymous_session_leaves_no_note_and_follows_none() {
    let (mut state, mut record) = opened();
    record.principal = None;
    state.found(&id(), &mut Some(record.clone()), record.accessed);
    state.renew(id());
    assert!(matches!(step(&mut state, &record), Step::Renew { moved_until: None, .. }));
    assert!(matches!(answer(&mut state, Answer::Renewed(Ok(Renewed::Missing))), Err(Error::Gone)));
}

fn presented(ids: &[&SessionId]) -> PresentedIds {
    let mut presented = PresentedIds::default();
    ids.iter().for_each(|id| presented.push(id.as_str()));
    presented
}

#[test]
fn a_logout_ends_all_that_was_presented_wherever_it_went() {
    let (first, second, new_key) = (id(), id(), id().key());
    let mut state = State::new(Phase::Request, Arc::default());
    state.end_presented(&presented(&[&first, &second]));
    assert!(!state.is_present() && !state.is_settled() && state.is_unsaved());
    let (mut operation, now) = (Operation::commit(None), moment(Time::MAX));
    assert_eq!(state.next(&mut operation, &now), Step::Delete(first.key()));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Missing))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(second.key()));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Moved(new_key)))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(new_key));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Done))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
    assert_eq!(state.take_tell(), Tell::Forget);
    assert!(matches!(state.take_notices()[..], [Notice::Ended { key, .. }] if key == new_key));
}

#[test]
fn a_logout_of_strangers_tells_nothing() {
    let mut state = State::new(Phase::Request, Arc::default());
    state.end_presented(&PresentedIds::default());
    assert_nothing(step_at(&mut state, Time::MAX));
    state.end_presented(&presented(&[&id()]));
    let (mut operation, now) = (Operation::commit(None), moment(Time::MAX));
    assert!(matches!(state.next(&mut operation, &now), Step::Delete(_)));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Missing))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
    assert_eq!(state.take_tell(), Tell::Nothing);
}

/// A logout in an integration that keeps bearer tokens apart from other ids.
fn logout_apart(ids: &[&SessionId]) -> State {
    let mut state = State::new(Phase::Request, Arc::default());
    let mut presented = presented(ids);
    presented.keep_apart();
    state.end_presented(&presented);
    state
}

/// The record of a session that a bearer token has started.
fn by_bearer(id: &SessionId) -> Record {
    let mut record = record_of(id);
    note_by_bearer(&mut record);
    record
}

#[test]
fn a_logout_looks_before_it_ends_what_may_have_come_in_the_wrong_way() {
    let [token, moved_token, own, unknown] = [(); 4].map(|()| id());
    let mut state = logout_apart(&[&token, &moved_token, &own, &unknown]);
    let (mut operation, now) = (Operation::commit(None), moment(sample().accessed));
    assert_eq!(state.next(&mut operation, &now), Step::Load(token.key()));
    state.answered(&mut operation, Answer::Loaded(Ok(Some(by_bearer(&token))))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Load(moved_token.key()));
    state.answered(&mut operation, Answer::Loaded(Ok(None))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Follow(moved_token.key()));
    state.answered(&mut operation, Answer::Followed(Ok(Some(by_bearer(&id()))))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Load(own.key()));
    state.answered(&mut operation, Answer::Loaded(Ok(Some(record_of(&own))))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(own.key()));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Done))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Load(unknown.key()));
    state.answered(&mut operation, Answer::Loaded(Ok(None))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Follow(unknown.key()));
    state.answered(&mut operation, Answer::Followed(Ok(None))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(unknown.key()));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Missing))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
    assert!(matches!(state.take_notices()[..], [Notice::Ended { key, .. }] if key == own.key()));
    assert_eq!(state.take_tell(), Tell::Forget);

    // A token in the wrong way alone is as unknown.
    let mut state = logout_apart(&[&token]);
    let mut operation = Operation::commit(None);
    state.next(&mut operation, &now);
    state.answered(&mut operation, Answer::Loaded(Ok(Some(by_bearer(&token))))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
    assert!(state.take_notices().is_empty());
    assert_eq!(state.take_tell(), Tell::Nothing);
}

#[test]
fn a_visit_that_is_no_use_saves_without_moving_the_deadline_and_looks_first_where_it_is_over() {
    let (mut state, record) = opened();
    state.without_use();
    set(&mut state, "Count", 2);
    let deadline = record.expires_at();
    let before = deadline.saturating_sub(Duration::from_millis(1));
    assert!(matches!(step_at(&mut state, before), Step::Save { .. }));
    assert_eq!(state.outgoing().accessed, record.accessed);
    let mut operation = Operation::commit(None);
    assert_eq!(state.next(&mut operation, &moment(deadline)), Step::Load(record.key));
    state.answered(&mut operation, Answer::Loaded(Ok(Some(Record { accessed: before, ..record.clone() })))).unwrap();
    assert!(matches!(state.next(&mut operation, &moment(deadline)), Step::Save { .. }));
    assert_eq!(state.outgoing().accessed, before, "others have used it meanwhile");
    // What was computed before the deadline is computed again, too.
    let mut operation = Operation::update();
    state.answered(&mut operation, Answer::Saved(Ok(Saved::Done))).unwrap();
    let (mut operation, edits) = (Operation::update(), state.edits());
    computed(&mut state, &mut operation, 3, edits).unwrap();
    let over = state.record().unwrap().expires_at();
    assert_eq!(state.next(&mut operation, &moment(over)), Step::Load(record.key));
    let newer = Record { accessed: over, version: record.version.next(MARK).next(MARK), ..record.clone() };
    state.answered(&mut operation, Answer::Loaded(Ok(Some(newer)))).unwrap();
    assert_eq!(state.next(&mut operation, &moment(over)), Step::Compute);
    // A renewal is a use in any case.
    let (mut state, _) = opened();
    state.without_use();
    state.renew(id());
    assert!(matches!(step_at(&mut state, before), Step::Renew { .. }));
    assert_eq!(state.outgoing().accessed, before);
    assert_eq!(state.next_use(before), None);
}

/// A visit that has found the session of the second of two ids.
fn opened_by_the_second() -> (State, SessionId, Record) {
    let (first, second) = (id(), id());
    let (mut state, record, presented) =
        (State::new(Phase::Request, Arc::default()), record_of(&second), presented(&[&first, &second]));
    let (mut operation, now) = (Operation::open(&presented), moment(record.accessed));
    state.next(&mut operation, &now);
    state.answered(&mut operation, Answer::Loaded(Ok(None))).unwrap();
    state.next(&mut operation, &now);
    state.answered(&mut operation, Answer::Loaded(Ok(Some(record.clone())))).unwrap();
    (state, first, record)
}

#[test]
fn a_removal_and_a_login_end_the_other_ids_that_were_presented() {
    let (mut state, first, record) = opened_by_the_second();
    state.remove();
    let (mut operation, now) = (Operation::commit(None), moment(record.accessed));
    assert_eq!(state.next(&mut operation, &now), Step::Delete(first.key()));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Missing))).unwrap();
    assert_eq!(state.next(&mut operation, &now), Step::Delete(record.key));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Done))).unwrap();
    assert_nothing(state.next(&mut operation, &now));
    assert_eq!(state.take_tell(), Tell::Forget);

    let (mut state, first, record) = opened_by_the_second();
    start(&mut state);
    let (mut operation, now) = (Operation::commit(None), moment(record.accessed));
    assert_eq!(state.next(&mut operation, &now), Step::Delete(first.key()));
    state.answered(&mut operation, Answer::Deleted(Ok(Deleted::Done))).unwrap();
    assert!(matches!(state.next(&mut operation, &now), Step::Renew { old, .. } if old == record.key));
}

#[test]
fn answering_ends_the_request_only() {
    for (before, after) in
        [(Phase::Request, Phase::Answered), (Phase::Answered, Phase::Answered), (Phase::Direct, Phase::Direct)]
    {
        let mut state = State::new(before, Arc::default());
        state.end_request();
        assert_eq!(state.phase, after);
    }
}

#[test]
fn the_touch_interval_is_a_thirtieth_and_a_minute_at_most() {
    for (idle_seconds, interval_seconds) in [(30, 1), (1800, 60), (1_000_000, 60)] {
        assert_eq!(touch_interval(Duration::from_secs(idle_seconds)), Duration::from_secs(interval_seconds));
    }
}

#[test]
fn an_update_on_its_way_reaches_the_login_that_keeps_the_session() {
    for (changed_before, counted) in [(None, 2), (Some(5), 6)] {
        let (mut state, old) = opened();
        if let Some(value) = changed_before {
            set(&mut state, "Count", value);
        }
        let (mut operation, now) = (Operation::update(), moment(old.accessed));
        assert_eq!(state.next(&mut operation, &now), Step::Compute);
        let edits = state.edits();
        computed(&mut state, &mut operation, counted, edits).unwrap();
        assert!(matches!(state.next(&mut operation, &now), Step::Save { .. }));
        state.set_aside();
        start_keeping(&mut state, &old, &[("Own", 1)]);
        state.answered(&mut operation, Answer::Saved(Ok(Saved::Done))).unwrap();
        assert!(matches!(step(&mut state, &old), Step::Renew { .. }));
        let sent = &state.outgoing().attributes;
        assert_eq!((value(sent, "Count"), value(sent, "Own")), (Some(counted.into()), Some(1)));
    }
}

#[test]
fn a_login_on_its_way_can_not_be_discarded() {
    for over_a_session in [true, false] {
        let (mut state, record) = if over_a_session { opened() } else { started() };
        let new = if over_a_session { start(&mut state) } else { record.clone() };
        let sent = step(&mut state, &record);
        state.set_aside();
        state.discard();
        assert_eq!(state.outgoing().key, new.key);
        done(&mut state, &sent);
        assert_nothing(step(&mut state, &new));
        assert_eq!(state.record().map(|record| record.key), Some(new.key));
        assert_eq!(state.take_tell(), Tell::Issue);
    }
}

#[test]
fn a_start_that_came_during_a_renewal_is_still_to_be_done() {
    let (mut state, old) = opened();
    let new_id = id();
    state.renew(new_id.clone());
    let renew = step(&mut state, &old);
    let started = start(&mut state);
    done(&mut state, &renew);
    assert!(matches!(step(&mut state, &old), Step::Renew { old, .. } if old == new_id.key()));
    assert_eq!(state.outgoing().key, started.key);
}

#[test]
fn a_change_during_a_touch_is_saved_after_it() {
    let (mut state, record) = opened();
    let due = record.accessed.saturating_add(Duration::from_secs(60));
    state.found(&id(), &mut Some(record.clone()), due);
    let (mut operation, now) = (Operation::commit(None), moment(due));
    assert_eq!(state.next(&mut operation, &now), Step::Touch(record.key));
    set(&mut state, "Late", 1);
    state.answered(&mut operation, Answer::Touched(Ok(()))).unwrap();
    assert!(matches!(state.next(&mut operation, &now), Step::Save { .. }));
}

/// Whether the known size is that of the session with all changes, or not below it.
#[track_caller]
fn assert_size(state: &State) {
    let exactly = Size::exactly(&state.view().expect("there is a session"));
    match (state.known_size(), exactly) {
        (Some(Size::AtMost(known)), Size::Exactly(bytes)) => assert!(known >= bytes, "{known} < {bytes}"),
        (known, exactly) => assert_eq!(known, Some(exactly)),
    }
}

/// Changes attributes, and looks at the size after each change: first as long as a bound is enough, then not any more.
#[track_caller]
fn assert_size_is_known(state: &mut State) {
    let large = "x".repeat(MAX_SESSION_BYTES - 1000);
    for large in ["x", &large, &large] {
        for (name, text) in
            [("large", large), ("a", "long text"), ("a", "\n"), ("Count", ""), ("b", "x"), ("a", "long")]
        {
            state.set(Attribute::new(name, text).unwrap()).unwrap();
            assert_size(state);
        }
        for name in ["b", "unknown", "Count", "b"] {
            state.unset(name);
            assert_size(state);
        }
    }
    assert!(matches!(state.known_size(), Some(Size::Exactly(_))));
    assert!(state.set(Attribute::new("b", &large).unwrap()).is_err());
    assert_size(state);
    state.unset("large");
    assert_size(state);
}

#[test]
fn the_known_size_is_that_of_the_session_with_all_changes() {
    let (mut state, record) = opened();
    assert_size_is_known(&mut state);
    // While a save is on its way, and after it did not arrive.
    let _ = step(&mut state, &record);
    state.set_aside();
    assert_size_is_known(&mut state);
    state.take_back();
    assert_size_is_known(&mut state);
    // After other writers have changed the session.
    let mut others = record.clone();
    others.attributes = others.attributes.with(Attribute::new("a", "of another writer").unwrap());
    let _ = step(&mut state, &record);
    state.set_aside();
    conflict(&mut state, Some(others.clone())).unwrap();
    assert_size_is_known(&mut state);
    let save = step(&mut state, &record);
    done(&mut state, &save);
    assert_size_is_known(&mut state);

    // Of a started session, as long as it carries over what another has, and after that.
    start_keeping(&mut state, &others, &[("own", 1)]);
    assert_size_is_known(&mut state);
    state.replaced_is_gone();
    assert_size_is_known(&mut state);
    let create = step(&mut state, &record);
    state.set_aside();
    assert_size_is_known(&mut state);
    done(&mut state, &create);
    assert_size_is_known(&mut state);
    state.discard();
    assert_size_is_known(&mut state);
}
