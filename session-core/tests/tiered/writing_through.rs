use session_core::{Created, FastStore, NewSession, RecordKey, Renewed, Saved, Store};

use crate::support::*;

/// B40, B41.
#[tokio::test]
async fn a_miss_fills_the_fast_tier_and_a_hit_asks_the_durable_one_nothing() {
    let stage = Stage::new();
    let process = stage.through();
    let id = process.sessions.create(NewSession::new().attr("Count", &1)).await.unwrap().id();
    wipe(&stage.fast);
    assert!(process.sessions.get(id.as_str()).await.unwrap().is_some());
    stage.durable.faults().forget_calls();
    let session = process.sessions.get(id.as_str()).await.unwrap().unwrap();
    assert_eq!(session.attr::<u64>("Count").unwrap(), Some(1));
    assert_eq!(stage.durable.faults().all_calls(), 0);
}

/// B42: nothing is lost with a fast tier that is wiped before each request.
#[tokio::test]
async fn a_wiped_fast_tier_loses_no_session() {
    for process in [|stage: &Stage| stage.through(), |stage: &Stage| stage.behind()] {
        let stage = Stage::new();
        let process = process(&stage);
        let id = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap().id();
        for expected in 1..=5 {
            wipe(&stage.fast);
            let session = process.sessions.get(id.as_str()).await.unwrap().unwrap();
            wipe(&stage.fast);
            let count = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await.unwrap();
            assert_eq!(count, expected);
        }
    }
}

/// B46: also where the trust is longer than what is left of the session.
#[tokio::test]
async fn a_copy_does_not_outlive_its_session_or_its_trust() {
    let stage = Stage::new();
    let process = stage.through();
    let session = process.sessions.create(NewSession::new()).await.unwrap();
    let key = session.handle();
    stage.clock.advance(MINUTE);
    assert_eq!(stage.fast.inner().load(&key, stage.now()).await.unwrap(), None, "no longer believed");
    process.store.load(&key, stage.now()).await.unwrap().expect("it is durable");
    stage.clock.set(session.expires_at());
    assert_eq!(stage.fast.inner().load(&key, stage.now()).await.unwrap(), None);
    assert_eq!(process.store.load(&key, stage.now()).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_in_another_process_is_seen_by_both() {
    let stage = Stage::new();
    let (one, other) = (stage.through(), stage.through());
    let id = one.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap().id();
    let session = other.sessions.get(id.as_str()).await.unwrap().unwrap();
    session.set_attr("Count", &7).unwrap();
    session.save().await.unwrap();
    let session = one.sessions.get(id.as_str()).await.unwrap().unwrap();
    assert_eq!(session.attr::<u64>("Count").unwrap(), Some(7));
}

/// The fast tier serves a copy that is older than what is durable, as after an outage.
#[tokio::test]
async fn a_stale_copy_is_no_endless_conflict() {
    let stage = Stage::new();
    let process = stage.through();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    let (old, _) = stage.both(&session.handle()).await;
    let old = old.unwrap();
    let written = stage.durable.inner().save(&counted(&old, 5), old.version).await.unwrap();
    assert_eq!(written, Saved::Done);
    let session = process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
    assert_eq!(session.attr::<u64>("Count").unwrap(), Some(0), "the copy is still believed");
    let count = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await.unwrap();
    assert_eq!(count, 6);
    let (fast, durable) = stage.both(&session.handle()).await;
    assert_eq!((count_of(&fast), count_of(&durable)), (Some(6), Some(6)));
}

/// B49. It has the record from before a change. A writer that is too late as well meets a conflict.
#[tokio::test]
async fn a_slow_reader_does_not_put_an_older_copy_back_after_a_conflict() {
    let stage = Stage::new();
    let process = stage.through();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    let old = stage.both(&session.handle()).await.1.unwrap();
    session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
    let late = counted(&old, 7);
    let mut renewed = late.clone();
    renewed.key = RecordKey::from_bytes([7; 32]);
    let until = stage.now().saturating_add(MINUTE);
    assert_eq!(process.store.save(&late, old.version).await.unwrap(), Saved::Conflict);
    stage.fast.fill(&old, stage.now(), until).await.unwrap();
    assert_eq!(count_of(&stage.both(&old.key).await.0), Some(1));
    assert_eq!(process.store.renew(&old.key, old.version, &renewed, None).await.unwrap(), Renewed::Conflict);
    stage.fast.fill(&old, stage.now(), until).await.unwrap();
    assert_eq!(count_of(&stage.both(&old.key).await.0), Some(1));
}

/// A durable tier that was set back, to a backup or a replica, has versions that count as older.
#[tokio::test]
async fn a_durable_tier_that_was_set_back_is_believed() {
    let stage = Stage::new();
    let process = stage.through();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    let (old, _) = stage.both(&session.handle()).await;
    session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
    stage.durable.inner().delete(&session.handle()).await.unwrap();
    assert_eq!(stage.durable.inner().create(&old.unwrap()).await.unwrap(), Created::Done);
    let again = process.sessions.get(session.id().as_str()).await.unwrap().unwrap();
    let count = again.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 10).await.unwrap();
    assert_eq!(count, 10);
}

#[tokio::test]
async fn strict_reads_are_never_behind() {
    let stage = Stage::new();
    let process = stage.strict();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    stage.durable.faults().forget_calls();
    let (old, _) = stage.both(&session.handle()).await;
    let old = old.unwrap();
    process.store.load(&old.key, stage.now()).await.unwrap().unwrap();
    assert_eq!(
        (stage.durable.faults().calls(Operation::Version), stage.durable.faults().calls(Operation::Load)),
        (1, 0),
        "one check of the version"
    );
    let written = stage.durable.inner().save(&counted(&old, 5), old.version).await.unwrap();
    assert_eq!(written, Saved::Done);
    assert_eq!(count_of(&process.store.load(&old.key, stage.now()).await.unwrap()), Some(5));
    stage.durable.inner().delete(&old.key).await.unwrap();
    assert_eq!(process.store.load(&old.key, stage.now()).await.unwrap(), None);
}

/// B44: a reader is held between the durable tier and the fast one while the session is removed.
#[tokio::test]
async fn a_slow_reader_does_not_fill_in_what_was_removed() {
    let stage = Stage::new();
    let process = stage.through();
    let session = process.sessions.create(NewSession::new()).await.unwrap();
    let key = session.handle();
    wipe(&stage.fast);
    let (_, loaded) = stage.both(&key).await;
    process.sessions.end(&key).await.unwrap();
    let until = stage.now().saturating_add(MINUTE);
    stage.fast.fill(&loaded.unwrap(), stage.now(), until).await.unwrap();
    assert_eq!(stage.both(&key).await, (None, None));
    assert!(process.sessions.get(session.id().as_str()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_old_id_is_dead_in_both_tiers_after_renewing() {
    for process in [|stage: &Stage| stage.through(), |stage: &Stage| stage.behind()] {
        let stage = Stage::new();
        let process = process(&stage);
        let session = process.sessions.create(NewSession::new().attr("Count", &3)).await.unwrap();
        let (old_id, old_key) = (session.id(), session.handle());
        session.renew_id().unwrap();
        session.save().await.unwrap();
        assert_eq!(stage.both(&old_key).await, (None, None));
        assert!(process.sessions.get(old_id.as_str()).await.unwrap().is_none());
        let (fast, durable) = stage.both(&session.handle()).await;
        assert_eq!((count_of(&fast), count_of(&durable)), (Some(3), Some(3)));
    }
}

/// Purging the durable tier tells how many, of the copies nothing.
#[tokio::test]
async fn purging_removes_from_both_and_counts_once() {
    let stage = Stage::new();
    let process = stage.through();
    let session = process.sessions.create(NewSession::new()).await.unwrap();
    stage.clock.set(session.expires_at());
    let purged = process.sessions.purge_expired(MINUTE).await.unwrap();
    assert_eq!((purged.expired, purged.more), (1, false));
    assert_eq!((stage.fast.inner().len(), stage.durable.inner().len()), (0, 0));
}
