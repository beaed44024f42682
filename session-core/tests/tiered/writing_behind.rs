use std::time::Duration;

use session_core::{Error, FastStore, NewSession, Session, Store, TieredStore, Time, WriteBehind};

use crate::support::*;

const DELAY: Duration = Duration::from_secs(1);

/// Lets the workers write what is due.
async fn after_the_delay() {
    tokio::time::sleep(DELAY * 2).await;
}

async fn increment(session: &Session) -> u64 {
    session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await.unwrap()
}

/// B45.
#[tokio::test(start_paused = true)]
async fn saves_are_answered_first_and_written_as_one() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    stage.durable.faults().forget_calls();
    for _ in 0..5 {
        increment(&session).await;
    }
    assert_eq!(stage.durable.faults().all_calls(), 0);
    assert_eq!(process.store.counters().waiting, 1);
    after_the_delay().await;
    assert_eq!(stage.durable.faults().calls(Operation::Save), 1);
    assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(5));
    assert_eq!(process.store.counters().waiting, 0);
    // The versions between were never durable; the next save goes over the last.
    increment(&session).await;
    after_the_delay().await;
    assert_eq!(
        (stage.durable.faults().calls(Operation::Save), stage.durable.faults().calls(Operation::Version)),
        (2, 0)
    );
}

/// B45.
#[tokio::test(start_paused = true)]
async fn closing_writes_what_waits() {
    let stage = Stage::new();
    let process = stage.behind();
    let mut sessions = Vec::new();
    for _ in 0..50 {
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        increment(&session).await;
        increment(&session).await;
        sessions.push(session);
    }
    process.sessions.close().await.unwrap();
    process.sessions.close().await.unwrap();
    for session in &sessions {
        assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(2));
    }
    // Whoever saves after that waits for the durable tier.
    increment(&sessions[0]).await;
    assert_eq!(count_of(&stage.both(&sessions[0].handle()).await.1), Some(3));
}

#[tokio::test(start_paused = true)]
async fn what_waits_outlasts_an_outage_of_the_durable_tier() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    take_down(&stage.durable);
    for expected in 1..=10 {
        assert_eq!(increment(&session).await, expected);
        after_the_delay().await;
    }
    assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(0));
    stage.durable.faults().recover();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(10));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_found_when_the_fast_tier_was_wiped() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    increment(&session).await;
    wipe(&stage.fast);
    let again = process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(again.attr::<u64>("Count").unwrap(), Some(1));
    // And where another process has filled in what is older.
    increment(&session).await;
    let (_, old) = stage.both(&session.handle()).await;
    wipe(&stage.fast);
    stage.fast.fill(&old.unwrap(), stage.now(), Time::MAX).await.unwrap();
    let again = process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(again.attr::<u64>("Count").unwrap(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_writes_through_and_loses_nothing() {
    let stage = Stage::new();
    let settings = WriteBehind::new().delay(Duration::from_secs(600)).max_sessions(4);
    let store = TieredStore::builder(stage.fast.clone(), stage.durable.clone()).write_behind(settings);
    let process = stage.process(store.build().unwrap());
    let mut sessions = Vec::new();
    for _ in 0..10 {
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        increment(&session).await;
        sessions.push(session);
    }
    assert_eq!(process.store.counters().waiting, 4);
    assert_eq!(stage.durable.faults().calls(Operation::Save), 6);
    // A full queue whose sessions can't be written refuses, before anybody sees the value.
    take_down(&stage.durable);
    sessions[0].update_attr("Count", |_: Option<u64>| 9).await.unwrap_err();
    assert_eq!(count_of(&stage.both(&sessions[0].handle()).await.0), Some(1));
    stage.durable.faults().recover();
    process.sessions.close().await.unwrap();
    for session in &sessions {
        assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_cancels_what_waits() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    increment(&session).await;
    process.sessions.end(&session.handle()).await.unwrap();
    assert_eq!(process.store.counters().waiting, 0);
    stage.durable.faults().forget_calls();
    after_the_delay().await;
    assert_eq!(stage.durable.faults().all_calls(), 0);
    assert_eq!(stage.both(&session.handle()).await, (None, None));
}

/// B47. The copy is taken away before the session is deleted, and the copy alone may have the latest changes.
#[tokio::test(start_paused = true)]
async fn a_removal_that_fails_loses_no_change_of_another_process() {
    for fault in [Fault::Down, Fault::Refused] {
        let stage = Stage::new();
        let (one, other) = (stage.behind(), stage.behind());
        let session = one.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        let elsewhere = other.sessions.get(session.id().as_str()).await.unwrap().unwrap();
        assert_eq!(increment(&elsewhere).await, 1);
        stage.durable.faults().fail_next(Operation::Delete, fault);
        one.sessions.end(&session.handle()).await.unwrap_err();
        assert_eq!((increment(&session).await, increment(&elsewhere).await), (2, 3));
        after_the_delay().await;
        assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(3));
    }
}

/// It saves again each time that the removal has told the durable tier what it has.
#[tokio::test(start_paused = true)]
async fn a_client_that_saves_all_the_time_does_not_keep_its_session() {
    let stage = Stage::new();
    let (one, other) = (stage.behind(), stage.behind());
    let session = one.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    let elsewhere = other.sessions.get(session.id().as_str()).await.unwrap().unwrap();
    stage.durable.faults().decide(|_| Plan::new(None, Duration::from_millis(2), Duration::ZERO));
    let busy = tokio::spawn(async move {
        while elsewhere.update_attr("Count", |count: Option<u64>| count.unwrap() + 1).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    one.sessions.end(&session.handle()).await.unwrap();
    busy.await.unwrap();
    assert_eq!(stage.both(&session.handle()).await, (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_removal_waits_for_what_is_being_written() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    increment(&session).await;
    stage.durable.faults().forget_calls();
    let gate = stage.durable.faults().hold(Operation::ALL);
    after_the_delay().await;
    assert_eq!(stage.durable.faults().calls(Operation::Save), 1);
    let (sessions, handle) = (process.sessions.clone(), session.handle());
    let removing = tokio::spawn(async move { sessions.end(&handle).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stage.durable.faults().calls(Operation::Delete), 0, "the save is still under way");
    gate.let_through(10);
    removing.await.unwrap().unwrap();
    assert_eq!(stage.both(&handle).await, (None, None));
}

/// Another process, or an administrator with the database, ended the session meanwhile.
#[tokio::test(start_paused = true)]
async fn what_waits_of_a_session_that_is_gone_is_dropped_and_the_copy_with_it() {
    let stage = Stage::new();
    let process = stage.behind();
    for touch_only in [false, true] {
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        let key = session.handle();
        if touch_only {
            process.store.touch(&key, stage.now().saturating_add(MINUTE)).await.unwrap();
        } else {
            increment(&session).await;
        }
        stage.durable.inner().delete(&key).await.unwrap();
        after_the_delay().await;
        assert_eq!(stage.both(&key).await, (None, None));
        assert!(process.sessions.get(session.id().as_str()).await.unwrap().is_none());
        assert_eq!(process.store.counters().waiting, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn touches_are_written_as_one_and_keep_the_session_alive_in_lists() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().principal("ann")).await.unwrap();
    stage.durable.faults().forget_calls();
    let last = session.expires_at().saturating_sub(Duration::from_millis(1));
    for accessed in [stage.now().saturating_add(MINUTE), last] {
        process.store.touch(&session.handle(), accessed).await.unwrap();
    }
    // Expired by what is durable, alive by what waits.
    stage.clock.set(session.expires_at());
    assert_eq!(process.sessions.sessions_of("ann").await.unwrap().len(), 1);
    assert_eq!(process.sessions.list(10).await.unwrap()[0].accessed, last);
    after_the_delay().await;
    assert_eq!(stage.durable.faults().calls(Operation::Touch), 1);
    assert_eq!(stage.both(&session.handle()).await.1.unwrap().accessed, last);
}

#[tokio::test(start_paused = true)]
async fn lists_have_what_waits() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().principal("ann").attr("Count", &0)).await.unwrap();
    increment(&session).await;
    let listed = process.sessions.sessions_of("ann").await.unwrap();
    assert_eq!(count_of(&Some(listed[0].clone())), Some(1));
    assert_eq!(process.sessions.end_all_of("ann").await.unwrap(), 1);
    assert_eq!(stage.both(&session.handle()).await, (None, None));
}

/// The first one keeps the session alive for the second, as it would if it had been written alone.
#[tokio::test(start_paused = true)]
async fn of_two_uses_that_wait_the_second_may_come_after_the_deadline() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new()).await.unwrap();
    let deadline = session.expires_at();
    let [first, second] = [deadline.saturating_sub(MINUTE / 60), deadline.saturating_add(MINUTE / 60)];
    take_down(&stage.durable);
    for used in [first, second] {
        process.store.touch(&session.handle(), used).await.unwrap();
    }
    stage.durable.faults().recover();
    stage.clock.set(second);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(stage.both(&session.handle()).await.1.unwrap().accessed, second);
}

/// Nothing ends in the durable tier because it was not told that it is used.
#[tokio::test(start_paused = true)]
async fn the_durable_tier_is_not_purged_while_it_can_not_be_told() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new()).await.unwrap();
    let last = session.expires_at().saturating_sub(Duration::from_millis(1));
    take_down(&stage.durable);
    process.store.touch(&session.handle(), last).await.unwrap();
    after_the_delay().await;
    stage.durable.faults().recover();
    stage.clock.set(session.expires_at());
    process.sessions.purge_expired(MINUTE).await.expect_err("nothing was purged");
    assert!(process.sessions.get(session.id().as_str()).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_secs(10)).await;
    process.sessions.purge_expired(MINUTE).await.unwrap();
    assert_eq!(stage.both(&session.handle()).await.1.unwrap().accessed, last);
}

/// What waits in vain and is cancelled need not be told any more.
#[tokio::test(start_paused = true)]
async fn the_durable_tier_is_purged_when_what_it_could_not_be_told_is_cancelled() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    increment(&session).await;
    stage.durable.faults().fail_every(&[Operation::Save], Fault::Down);
    after_the_delay().await;
    process.sessions.purge_expired(MINUTE).await.expect_err("nothing was purged");
    stage.durable.faults().recover();
    process.sessions.end(&session.handle()).await.unwrap();
    assert_eq!(process.store.counters().waiting, 0);
    process.sessions.purge_expired(MINUTE).await.unwrap();
}

/// B48. The durable tier may purge it at its deadline, or have an expiry of its own.
#[tokio::test(start_paused = true)]
async fn a_use_shortly_before_the_deadline_is_durable_when_it_is_answered() {
    for touch_only in [false, true] {
        let stage = Stage::new();
        let process = stage.behind();
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        stage.clock.set(session.expires_at().saturating_sub(DELAY / 2));
        if touch_only {
            process.store.touch(&session.handle(), stage.now()).await.unwrap();
        } else {
            increment(&session).await;
        }
        assert_eq!(stage.both(&session.handle()).await.1.unwrap().accessed, stage.now());
        assert_eq!(process.store.counters().waiting, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_shortly_before_the_deadline_tells_whether_the_session_is_there() {
    let stage = Stage::new();
    let process = stage.behind();
    let [gone, kept] = [(), ()].map(|()| NewSession::new().attr("Count", &0));
    let gone = process.sessions.create(gone).await.unwrap();
    let kept = process.sessions.create(kept).await.unwrap();
    stage.clock.set(gone.expires_at().saturating_sub(DELAY / 2));
    stage.durable.inner().delete(&gone.handle()).await.unwrap();
    let late = gone.update_attr("Count", |_: Option<u64>| 1).await;
    assert!(matches!(late, Err(Error::Gone)), "{late:?}");
    // A durable tier that fails is told later, as always.
    take_down(&stage.durable);
    increment(&kept).await;
    stage.durable.faults().recover();
    after_the_delay().await;
    assert_eq!(count_of(&stage.both(&kept.handle()).await.1), Some(1));
}

/// Both save to the fast tier; each has a queue of its own.
#[tokio::test(start_paused = true)]
async fn two_processes_lose_no_update() {
    let stage = Stage::new();
    let (one, other) = (stage.behind(), stage.behind());
    let id = one.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap().id();
    for round in 0..20 {
        let process = if round % 3 == 0 { &one } else { &other };
        let session = process.sessions.get(id.as_str()).await.unwrap().unwrap();
        assert_eq!(increment(&session).await, round + 1);
        tokio::time::sleep(DELAY / 3).await;
    }
    other.sessions.close().await.unwrap();
    one.sessions.close().await.unwrap();
    let session = one.sessions.get(id.as_str()).await.unwrap().unwrap();
    assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(20));
}

/// The fast tier alone knows of a save in another process; renewing must carry it over.
#[tokio::test(start_paused = true)]
async fn renewing_carries_over_what_waits_in_another_process() {
    let stage = Stage::new();
    let (one, other) = (stage.behind(), stage.behind());
    let session = one.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    let elsewhere = other.sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(increment(&elsewhere).await, 1);
    session.renew_id().unwrap();
    session.save().await.unwrap();
    assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(1));
    after_the_delay().await;
    assert_eq!(other.store.counters().waiting, 0);
    assert_eq!(stage.both(&elsewhere.handle()).await, (None, None));
}

#[tokio::test(start_paused = true)]
async fn workers_end_with_their_store() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    increment(&session).await;
    let key = session.handle();
    drop((session, process));
    after_the_delay().await;
    assert_eq!(count_of(&stage.both(&key).await.1), Some(1), "what waited is written");
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);

    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    increment(&session).await;
    drop((session, process));
    take_down(&stage.durable);
    after_the_delay().await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0, "nobody tries for ever");
}

/// The queue outlives the runtime whose workers it had.
#[test]
fn another_runtime_takes_over() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let stage = Stage::new();
    let process = stage.behind();
    let first = runtime();
    let session = first.block_on(async {
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        increment(&session).await;
        session
    });
    drop(first);
    runtime().block_on(async {
        increment(&session).await;
        after_the_delay().await;
        assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(2));
    });
}
