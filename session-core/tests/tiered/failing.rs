//! The fast tier, or the durable one, is down.

use std::time::Duration;

use session_core::{Error, NewSession, Store};

use crate::support::*;

/// B43, F6.
#[tokio::test(start_paused = true)]
async fn requests_succeed_while_the_fast_tier_is_down() {
    for process in each_mode() {
        let stage = Stage::new();
        let process = process(&stage);
        take_down(&stage.fast);
        let id = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap().id();
        for expected in 1..=3 {
            let session = process.sessions.get(id.as_str()).await.unwrap().unwrap();
            let count = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await.unwrap();
            assert_eq!(count, expected);
            after_the_rest().await;
        }
        let session = process.sessions.get(id.as_str()).await.unwrap().unwrap();
        session.renew_id().unwrap();
        session.save().await.unwrap();
        assert!(process.sessions.get(id.as_str()).await.unwrap().is_none());
        assert!(process.sessions.get(session.id().as_str()).await.unwrap().is_some());
        assert!(process.store.counters().fast_failures > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fast_tier_that_never_answers_is_waited_for_once_a_second() {
    for process in each_mode() {
        let stage = Stage::new();
        let process = process(&stage);
        let id = process.sessions.create(NewSession::new()).await.unwrap().id();
        stage.fast.faults().fail_every(Operation::ALL, Fault::Silent);
        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            assert!(process.sessions.get(id.as_str()).await.unwrap().is_some());
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}

/// What was changed meanwhile is not undone by the copies from before.
#[tokio::test(start_paused = true)]
async fn after_an_outage_this_process_reads_what_it_wrote() {
    for process in each_mode() {
        let stage = Stage::new();
        let process = process(&stage);
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        take_down(&stage.fast);
        session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
        stage.fast.faults().recover();
        // The first one comes while the fast tier is still left alone.
        for _ in 0..2 {
            let again = process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
            assert_eq!(again.attr::<u64>("Count").unwrap(), Some(1));
            after_the_rest().await;
        }
        let (fast, durable) = stage.both(&session.handle()).await;
        assert_eq!((count_of(&fast), count_of(&durable)), (None, Some(1)), "no slow reader puts an older copy back");
        stage.clock.advance(MINUTE);
        process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
        assert_eq!(count_of(&stage.both(&session.handle()).await.0), Some(1));
    }
}

/// A copy that this process could not correct is corrected with the next purge, for others too.
#[tokio::test(start_paused = true)]
async fn purging_mends_what_an_outage_left() {
    for process in each_mode() {
        let stage = Stage::new();
        let process = process(&stage);
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        let renewed = process.sessions.create(NewSession::new()).await.unwrap();
        let old_key = renewed.handle();
        take_down(&stage.fast);
        session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
        renewed.renew_id().unwrap();
        renewed.save().await.unwrap();
        stage.fast.faults().recover();
        after_the_rest().await;
        assert_eq!(count_of(&stage.both(&session.handle()).await.0), Some(0));
        assert!(stage.both(&old_key).await.0.is_some());
        process.sessions.purge_expired(MINUTE).await.unwrap();
        assert_eq!(stage.both(&session.handle()).await.0, None);
        assert_eq!(stage.both(&old_key).await.0, None);
    }
}

/// A5: hot, cold, down. Ending a session reports that the fast tier may still have it, and can be
/// repeated; in the process that did it the session is dead at once.
#[tokio::test(start_paused = true)]
async fn a_session_ended_by_its_handle_is_dead_in_every_state_of_the_fast_tier() {
    for process in each_mode() {
        for state in ["hot", "cold", "down"] {
            let stage = Stage::new();
            let (admin, other) = (process(&stage), process(&stage));
            let session = other.sessions.create(NewSession::new().principal("ann").attr("Count", &0)).await.unwrap();
            session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
            match state {
                "cold" => {
                    other.store.close().await.unwrap();
                    wipe(&stage.fast);
                }
                "down" => take_down(&stage.fast),
                _ => {}
            }
            let handle = admin.sessions.sessions_of("ann").await.unwrap()[0].key;
            let removed = admin.sessions.end(&handle).await;
            assert_eq!(removed.is_err(), state == "down", "{state}");
            assert!(admin.sessions.get(session.id().as_str()).await.unwrap().is_none(), "{state}");
            stage.fast.faults().recover();
            after_the_rest().await;
            admin.sessions.end(&handle).await.unwrap();
            assert!(other.sessions.get(session.id().as_str()).await.unwrap().is_none(), "{state}");
            let late = session.update_attr("Count", |_: Option<u64>| 2).await;
            assert!(matches!(late, Err(Error::Gone)), "{state}: {late:?}");
            assert_eq!(stage.both(&handle).await, (None, None), "{state}");
        }
    }
}

/// An operation that fails in one of the tiers, and how.
type Failure = (fn(&Stage) -> &FaultyStore, Operation, Fault);

/// All that may fail while a session ends.
fn each_failure() -> Vec<Failure> {
    let fast: fn(&Stage) -> &FaultyStore = |stage| &stage.fast;
    let durable: fn(&Stage) -> &FaultyStore = |stage| &stage.durable;
    let operations = [(fast, Operation::Bury), (fast, Operation::BuryVersion), (durable, Operation::Delete)];
    let fails = |(tier, operation)| [Fault::Down, Fault::AnswerLost].map(|fault| (tier, operation, fault));
    operations.into_iter().flat_map(fails).collect()
}

/// B47. Whoever repeats it finds what is left: in this process, or where the durable tier has failed, in any.
#[tokio::test(start_paused = true)]
async fn an_ending_that_failed_is_repeated_and_leaves_no_copy() {
    for process in each_mode() {
        for (tier, operation, fault) in each_failure() {
            let stage = Stage::new();
            let (one, other) = (process(&stage), process(&stage));
            let session = one.sessions.create(NewSession::new().principal("ann")).await.unwrap();
            tier(&stage).faults().fail_next(operation, fault);
            let has_failed = one.sessions.end_all_of("ann").await.is_err();
            let is_used = tier(&stage).faults().calls(operation) > 0;
            assert_eq!(has_failed, is_used, "{operation:?} {fault:?}");
            let is_fast = matches!(operation, Operation::Bury | Operation::BuryVersion);
            if has_failed && is_fast {
                take_down(&stage.fast);
                assert!(one.sessions.end_all_of("ann").await.is_err(), "the copy may still be there");
            }
            stage.fast.faults().recover();
            stage.durable.faults().recover();
            after_the_rest().await;
            let repeats = if is_fast { &one } else { &other };
            repeats.sessions.end_all_of("ann").await.unwrap();
            assert_eq!(stage.both(&session.handle()).await, (None, None), "{operation:?} {fault:?}");
            assert!(one.sessions.get(session.id().as_str()).await.unwrap().is_none());
        }
    }
}

/// A session that was renewed more often than an ending follows in steps is ended in the durable tier, and its copy is
/// taken away.
#[tokio::test(start_paused = true)]
async fn a_session_that_was_renewed_often_is_ended_in_both_tiers() {
    for process in each_mode() {
        let stage = Stage::new();
        let (one, other) = (process(&stage), process(&stage));
        let first = one.sessions.create(NewSession::new().principal("ann")).await.unwrap();
        let old = first.handle();
        let mut id = first.id();
        for _ in 0..40 {
            let session = other.sessions.get(id.as_str()).await.unwrap().unwrap();
            session.renew_id().unwrap();
            session.save().await.unwrap();
            id = session.id();
        }
        take_down(&stage.fast);
        assert!(one.sessions.end(&old).await.is_err());
        assert!(one.sessions.get(id.as_str()).await.unwrap().is_none(), "the copy is not read here");
        stage.fast.faults().recover();
        after_the_rest().await;
        one.sessions.end(&old).await.unwrap();
        assert_eq!(stage.both(&id.key()).await, (None, None));
    }
}

/// B44, the other tier.
#[tokio::test(start_paused = true)]
async fn removing_fails_while_the_durable_tier_is_down_and_succeeds_later() {
    for process in each_mode() {
        let stage = Stage::new();
        let process = process(&stage);
        let session = process.sessions.create(NewSession::new()).await.unwrap();
        take_down(&stage.durable);
        assert!(process.sessions.end(&session.handle()).await.is_err());
        stage.durable.faults().recover();
        process.sessions.end(&session.handle()).await.unwrap();
        assert_eq!(stage.both(&session.handle()).await, (None, None));
    }
}

/// F2: nothing that was refused is visible.
#[tokio::test(start_paused = true)]
async fn a_save_that_failed_is_seen_by_nobody() {
    let stage = Stage::new();
    let process = stage.through();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    take_down(&stage.durable);
    session.update_attr("Count", |_: Option<u64>| 1).await.unwrap_err();
    stage.durable.faults().recover();
    let again = process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(again.attr::<u64>("Count").unwrap(), Some(0));
}

/// A request that is cancelled at either tier leaves the session whole, and ending it can be repeated.
#[tokio::test(start_paused = true)]
async fn a_removal_that_was_cancelled_is_repeated() {
    for process in each_mode() {
        let tiers: [fn(&Stage) -> &FaultyStore; 2] = [|stage| &stage.fast, |stage| &stage.durable];
        for tier in tiers {
            let stage = Stage::new();
            let process = process(&stage);
            let session = process.sessions.create(NewSession::new().principal("ann")).await.unwrap();
            tier(&stage).faults().fail_every(Operation::WRITES, Fault::Silent);
            let handle = session.handle();
            let removing = process.sessions.end(&handle);
            tokio::time::timeout(Duration::from_millis(100), removing).await.unwrap_err();
            tier(&stage).faults().recover();
            assert!(process.sessions.get(session.id().as_str()).await.unwrap().is_some());
            assert_eq!(process.sessions.end_all_of("ann").await.unwrap(), 1);
            assert_eq!(stage.both(&handle).await, (None, None));
        }
    }
}

/// Cancelled after the fast tier has taken it, a save is written behind all the same: otherwise the durable tier would not
/// hear of the use.
#[tokio::test(start_paused = true)]
async fn a_save_that_was_cancelled_after_it_took_effect_is_written_behind() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new()).await.unwrap();
    let slowly = Plan::new(None, Duration::ZERO, Duration::from_secs(1));
    stage.fast.faults().decide(move |operation| if operation == Operation::Save { slowly } else { Plan::default() });
    let counting = session.update_attr("Count", |n: Option<u64>| n.unwrap_or(0) + 1);
    tokio::time::timeout(Duration::from_millis(100), counting).await.unwrap_err();
    stage.fast.faults().recover();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (fast, durable) = stage.both(&session.handle()).await;
    assert_eq!((count_of(&fast), count_of(&durable)), (Some(1), Some(1)));
}

/// The same of a use alone.
#[tokio::test(start_paused = true)]
async fn a_touch_that_was_cancelled_at_the_fast_tier_reaches_the_durable_one() {
    let stage = Stage::new();
    let process = stage.behind();
    let key = process.sessions.create(NewSession::new()).await.unwrap().handle();
    let later = stage.now().saturating_add(Duration::from_secs(60));
    let slowly = Plan::new(None, Duration::ZERO, Duration::from_secs(1));
    stage.fast.faults().decide(move |operation| if operation == Operation::Touch { slowly } else { Plan::default() });
    tokio::time::timeout(Duration::from_millis(100), process.store.touch(&key, later)).await.unwrap_err();
    stage.fast.faults().recover();
    // What needs the queue begins a worker.
    process.store.touch(&key, stage.now()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (_, durable) = stage.both(&key).await;
    assert_eq!(durable.unwrap().accessed, later);
}
