//! A tier is there, and refuses: it is full, read-only, or can't hold one record.

use std::time::Duration;

use session_core::{Error, NewSession, Store, TieredStore, WriteBehind};

use crate::support::*;

/// What needs room is refused: of the writes all but deletions.
fn fill_up(store: &FaultyStore, fault: Fault) {
    let frees = [Operation::Delete, Operation::DeleteOfPrincipal, Operation::PurgeExpired];
    let writes: Vec<_> = Operation::WRITES.iter().copied().filter(|write| !frees.contains(write)).collect();
    store.faults().fail_every(&writes, fault);
}

/// S50. A tombstone needs room. The copy goes all the same, so that no process serves the session, and the ending says
/// that a slow reader could put it back.
#[tokio::test(start_paused = true)]
async fn where_a_tombstone_is_refused_the_copy_is_deleted_and_the_ending_can_be_repeated() {
    for process in each_mode() {
        for fault in [Fault::Down, Fault::Refused] {
            for ends_all in [false, true] {
                let stage = Stage::new();
                let (one, other) = (process(&stage), process(&stage));
                let session = one.sessions.create(NewSession::new().principal("ann")).await.unwrap();
                let (id, handle) = (session.id(), session.handle());
                let end = async || match ends_all {
                    true => one.sessions.end_all_of("ann").await.map(drop),
                    false => one.sessions.end(&handle).await.map(drop),
                };
                fill_up(&stage.fast, fault);
                for _ in 0..2 {
                    end().await.unwrap_err();
                    assert_eq!(stage.both(&handle).await, (None, None));
                    for process in [&one, &other] {
                        assert!(process.sessions.get(id.as_str()).await.unwrap().is_none());
                    }
                }
                stage.fast.faults().recover();
                after_the_rest().await;
                end().await.unwrap();
            }
        }
    }
}

/// S50. Every session of the user ends at the first attempt, although each ending fails to take its copy away; and so do
/// those of the next user.
#[tokio::test(start_paused = true)]
async fn ending_all_ends_each_session_although_the_fast_tier_is_down() {
    for process in each_mode() {
        let stage = Stage::new();
        let process = process(&stage);
        let mut handles = Vec::new();
        for user in ["ann", "ann", "ann", "bob", "bob"] {
            handles.push(process.sessions.create(NewSession::new().principal(user)).await.unwrap().handle());
        }
        take_down(&stage.fast);
        for user in ["ann", "bob"] {
            process.sessions.end_all_of(user).await.unwrap_err();
        }
        for handle in &handles {
            assert_eq!(stage.both(handle).await.1, None);
        }
        assert!(process.sessions.end_all_of("ann").await.is_err(), "the copies may still be there");
        stage.fast.faults().recover();
        after_the_rest().await;
        process.sessions.end_all_of("ann").await.unwrap();
        for handle in &handles {
            assert_eq!(stage.both(handle).await, (None, None));
        }
    }
}

/// S50. Whoever renews, or is told of a conflict, leaves no copy of the old state either.
#[tokio::test(start_paused = true)]
async fn a_copy_that_a_full_fast_tier_can_not_replace_is_served_by_no_process() {
    for process in each_mode() {
        for fault in [Fault::Down, Fault::Refused] {
            let stage = Stage::new();
            let (one, other) = (process(&stage), process(&stage));
            let session = one.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
            let old = session.id();
            fill_up(&stage.fast, fault);
            session.renew_id().unwrap();
            session.save().await.unwrap();
            assert!(other.sessions.get(old.as_str()).await.unwrap().is_none());
        }
    }
}

/// S50. Written behind, another process could have changes in that copy alone.
#[tokio::test(start_paused = true)]
async fn written_through_a_change_is_seen_by_all_although_the_fast_tier_is_full() {
    for fault in [Fault::Down, Fault::Refused] {
        let stage = Stage::new();
        let (one, other) = (stage.through(), stage.through());
        let session = one.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        fill_up(&stage.fast, fault);
        session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
        let elsewhere = other.sessions.get(session.id().as_str()).await.unwrap().unwrap();
        assert_eq!(elsewhere.attr::<u64>("Count").unwrap(), Some(1));
    }
}

/// S50. It does not say that it is done where it could not ask.
#[tokio::test(start_paused = true)]
async fn purging_reports_a_failure_of_either_tier_and_purges_the_other() {
    for process in each_mode() {
        for is_fast in [true, false] {
            let stage = Stage::new();
            let process = process(&stage);
            for _ in 0..3 {
                process.sessions.create(NewSession::new()).await.unwrap();
            }
            stage.clock.advance(60 * MINUTE);
            let (down, other) = if is_fast { (&stage.fast, &stage.durable) } else { (&stage.durable, &stage.fast) };
            take_down(down);
            process.sessions.purge_expired(MINUTE).await.unwrap_err();
            assert_eq!((down.inner().len(), other.inner().len()), (3, 0));
            let counted = if is_fast { 3 } else { 0 };
            assert_eq!(process.sessions.counters().expired, counted);
            down.faults().recover();
            after_the_rest().await;
            process.sessions.purge_expired(MINUTE).await.unwrap();
            assert_eq!((down.inner().len(), process.sessions.counters().expired), (0, 3));
        }
    }
}

/// S52. One record that the fast tier refuses is no outage of it: others are read there.
#[tokio::test(start_paused = true)]
async fn a_fast_tier_that_can_not_hold_one_record_goes_on_serving_others() {
    let mut stage = Stage::new();
    stage.fast = stage.fast.clone().with_max_session_bytes(1000);
    let process = stage.behind();
    let [large, other] = [NewSession::new(), NewSession::new()].map(|new| process.sessions.create(new));
    let (large, other) = (large.await.unwrap(), other.await.unwrap());
    large.set_attr("Text", &"a".repeat(2000)).unwrap();
    large.save().await.unwrap();
    assert!(process.store.counters().fast_failures > 0);
    stage.durable.faults().forget_calls();
    assert!(process.sessions.get(other.id().as_str()).await.unwrap().is_some());
    assert_eq!(stage.durable.faults().all_calls(), 0);
    let again = process.sessions.get(large.id().as_str()).await.unwrap().unwrap();
    assert_eq!(again.attr::<String>("Text").unwrap().map(|text| text.len()), Some(2000));
}

/// Two tiers that write behind, of which the durable one holds less than a session may have, and whether it says so.
fn before_a_small_one(says_so: bool) -> (Stage, Process) {
    let mut stage = Stage::new();
    let durable = stage.durable.clone().with_max_session_bytes(1000);
    stage.durable = if says_so { durable } else { durable.without_capabilities() };
    let process = stage.behind();
    (stage, process)
}

/// S52.
#[tokio::test(start_paused = true)]
async fn what_the_durable_tier_can_not_hold_is_refused_when_it_is_saved() {
    let (stage, process) = before_a_small_one(true);
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    session.set_attr("Text", &"a".repeat(1000)).unwrap();
    let refused = session.save().await.unwrap_err();
    let Error::Store(error) = &refused else { panic!("{refused:?}") };
    assert!(!error.is_unavailable());
    let again = process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(again.attr::<String>("Text").unwrap(), None);
    // And less is held.
    again.set_attr("Text", &"a".repeat(500)).unwrap();
    again.save().await.unwrap();
    process.sessions.close().await.unwrap();
    assert_eq!(process.store.counters().refused, 0);
    assert_eq!(stage.both(&session.handle()).await.1.unwrap().attributes.len(), 2);
}

/// S52. A limit that nobody told, or a record that is refused for another reason.
#[tokio::test(start_paused = true)]
async fn a_record_that_is_refused_for_good_is_set_aside_and_holds_nothing_up() {
    let (stage, process) = before_a_small_one(false);
    let large = process.sessions.create(NewSession::new()).await.unwrap();
    large.set_attr("Text", &"a".repeat(2000)).unwrap();
    large.save().await.unwrap();
    let mut others = Vec::new();
    for _ in 0..20 {
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
        others.push(session);
    }
    stage.clock.advance(MINUTE);
    process.store.touch(&large.handle(), stage.now()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    for session in &others {
        assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(1));
    }
    let counters = process.store.counters();
    assert_eq!((counters.waiting, counters.refused, counters.aside), (0, 1, 1));
    let durable = stage.both(&large.handle()).await.1.unwrap();
    assert_eq!(durable.accessed, stage.now(), "its use is noted");
    process.sessions.purge_expired(MINUTE).await.unwrap();
    process.sessions.close().await.unwrap();
    assert_eq!(process.store.counters().refused, 1, "it was tried once more, and is no news");
}

/// S52. It is what it was answered to be for as long as this process lives, also without the fast tier.
#[tokio::test(start_paused = true)]
async fn a_session_whose_record_is_refused_goes_on_shrinks_and_ends() {
    for [wiped, ended] in [[false, true], [true, false]] {
        let (stage, process) = before_a_small_one(false);
        let session = process.sessions.create(NewSession::new()).await.unwrap();
        session.set_attr("Text", &"a".repeat(2000)).unwrap();
        session.save().await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        if wiped {
            wipe(&stage.fast);
        }
        let again = process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
        assert_eq!(again.attr::<String>("Text").unwrap().map(|text| text.len()), Some(2000));
        if ended {
            process.sessions.end(&session.handle()).await.unwrap();
            assert!(process.sessions.get(session.id().as_str()).await.unwrap().is_none());
        } else {
            again.set_attr("Text", &"a".repeat(10)).unwrap();
            again.save().await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(stage.both(&session.handle()).await.1.unwrap().attributes.len(), 1);
        }
        assert_eq!((process.store.counters().aside, process.store.counters().refused), (0, 1));
    }
}

/// S52. After its deadline it is none, and no error.
#[tokio::test(start_paused = true)]
async fn a_session_whose_record_was_refused_expires_like_any_other() {
    let (stage, process) = before_a_small_one(false);
    let session = process.sessions.create(NewSession::new()).await.unwrap();
    session.set_attr("Text", &"a".repeat(2000)).unwrap();
    session.save().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.clock.set(session.expires_at());
    assert!(process.sessions.get(session.id().as_str()).await.unwrap().is_none());
    process.sessions.purge_expired(MINUTE).await.unwrap();
    let counters = process.store.counters();
    assert_eq!((counters.aside, stage.both(&session.handle()).await), (0, (None, None)));
}

/// S52. Of large records few are kept in memory, and a full queue has room again.
#[tokio::test(start_paused = true)]
async fn what_is_set_aside_is_bounded_and_takes_no_place_in_the_queue() {
    let stage = Stage::new();
    let durable = stage.durable.clone().with_max_session_bytes(1000).without_capabilities();
    let settings = WriteBehind::new().max_sessions(2);
    let process =
        stage.process(TieredStore::builder(stage.fast.clone(), durable).write_behind(settings).build().unwrap());
    for _ in 0..150 {
        let session = process.sessions.create(NewSession::new()).await.unwrap();
        session.set_attr("Text", &"a".repeat(2000)).unwrap();
        session.save().await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let counters = process.store.counters();
    assert_eq!((counters.waiting, counters.refused, counters.aside), (0, 150, 100));
}
