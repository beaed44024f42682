//! What `close` does with what waits for the durable tier.

use std::time::Duration;

use session_core::{NewSession, Store, TieredStore, WriteBehind};
use tokio::time::Instant;

use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);

/// A process, and so many sessions with a change that waits.
async fn with_changes(stage: &Stage, settings: WriteBehind, sessions: usize) -> Process {
    let store = TieredStore::builder(stage.fast.clone(), stage.durable.clone()).write_behind(settings);
    let process = stage.process(store.build().unwrap());
    for _ in 0..sessions {
        let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
        session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
    }
    process
}

/// How many sessions have their change in the durable tier.
async fn written(stage: &Stage, process: &Process) -> usize {
    let records = process.sessions.list(1000).await.unwrap();
    let mut written = 0;
    for record in records {
        written += usize::from(count_of(&stage.both(&record.key).await.1) == Some(1));
    }
    written
}

/// S51.
#[tokio::test(start_paused = true)]
async fn closing_tries_for_a_settable_time_and_says_what_it_could_not_write() {
    for limit in [None, Some(3 * SECOND)] {
        let stage = Stage::new();
        let settings = WriteBehind::new();
        let settings = limit.map_or(settings, |limit| settings.close_limit(limit));
        let process = with_changes(&stage, settings, 12).await;
        take_down(&stage.durable);
        let start = Instant::now();
        let error = process.store.close().await.unwrap_err();
        assert_eq!(start.elapsed(), limit.unwrap_or(10 * SECOND));
        let said = error.naming_causes().to_string();
        assert!(said.contains("unwritten changes of sessions: 12 (") && said.contains(", …)"), "{said}");
        assert!(said.contains("connection refused"), "{said}");
    }
}

/// S51. The durable tier is away for a moment, longer than a few attempts.
#[tokio::test(start_paused = true)]
async fn closing_outlasts_a_moment_without_the_durable_tier() {
    let stage = Stage::new();
    let process = with_changes(&stage, WriteBehind::new(), 12).await;
    take_down(&stage.durable);
    let faults = stage.durable.faults().clone();
    tokio::spawn(async move {
        tokio::time::sleep(4 * SECOND).await;
        faults.recover();
    });
    process.store.close().await.unwrap();
    assert_eq!((process.store.counters().waiting, written(&stage, &process).await), (0, 12));
}

/// S51. A durable tier that never answers holds it up no longer.
#[tokio::test(start_paused = true)]
async fn closing_ends_in_time_when_the_durable_tier_is_silent() {
    let stage = Stage::new();
    let process = with_changes(&stage, WriteBehind::new().close_limit(3 * SECOND), 3).await;
    stage.durable.faults().fail_every(&[Operation::Save, Operation::Version], Fault::Silent);
    let start = Instant::now();
    process.store.close().await.unwrap_err();
    assert_eq!(start.elapsed(), 3 * SECOND);
    stage.durable.faults().recover();
    // Until what is under way is given up.
    tokio::time::sleep(10 * SECOND).await;
    process.store.close().await.unwrap();
    assert_eq!(written(&stage, &process).await, 3);
}

/// S51. Not one after the other: a durable tier that is far away has time for each.
#[tokio::test(start_paused = true)]
async fn closing_writes_several_sessions_at_a_time() {
    let stage = Stage::new();
    let settings = WriteBehind::new().delay(Duration::from_secs(600));
    let process = with_changes(&stage, settings, 200).await;
    stage.durable.faults().decide(|_| Plan::new(None, SECOND / 10, Duration::ZERO));
    let start = Instant::now();
    process.store.close().await.unwrap();
    assert!(start.elapsed() < 5 * SECOND, "{:?}", start.elapsed());
    assert_eq!(written(&stage, &process).await, 200);
}

#[tokio::test(start_paused = true)]
async fn closing_while_the_durable_tier_is_down_says_so_and_can_be_repeated() {
    let stage = Stage::new();
    let process = stage.behind();
    let session = process.sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    session.update_attr("Count", |_: Option<u64>| 1).await.unwrap();
    take_down(&stage.durable);
    process.sessions.close().await.unwrap_err();
    stage.durable.faults().recover();
    process.sessions.close().await.unwrap();
    assert_eq!(count_of(&stage.both(&session.handle()).await.1), Some(1));
}

/// S50.
#[tokio::test(start_paused = true)]
async fn closing_reports_a_failure_of_either_tier() {
    for process in each_mode() {
        for tier in [|stage: &Stage| stage.fast.clone(), |stage: &Stage| stage.durable.clone()] {
            let stage = Stage::new();
            let process = process(&stage);
            tier(&stage).faults().fail_next(Operation::Close, Fault::Down);
            process.sessions.close().await.unwrap_err();
            assert_eq!([&stage.fast, &stage.durable].map(|tier| tier.faults().calls(Operation::Close)), [1, 1]);
            process.sessions.close().await.unwrap();
        }
    }
}
