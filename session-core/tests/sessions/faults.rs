use serde_json::json;
use session_core::AttrKey;

use super::*;

const COUNT: AttrKey<u32> = AttrKey::new("Count");

/// A stored session, in a store that will fail. The tests' time is tokio's, which passes at once.
async fn prepared() -> (FaultyStore, SessionManager, SessionId) {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let id = created(&sessions, NewSession::new().attr(COUNT, &0)).await.id();
    (store, sessions, id)
}

#[track_caller]
fn assert_store_failed<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Store(_))), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_an_error_and_no_empty_session() {
    let (store, sessions, id) = prepared().await;
    for _ in 0..3 {
        store.faults().fail_next(Operation::Load, Fault::Down);
    }
    let mut presented = PresentedIds::default();
    presented.push(id.as_str());
    let visit = sessions.visit();
    assert_store_failed(visit.open(&presented).await);
    assert!(visit.session().is_none());
    // It recovers by itself, within the same request even.
    visit.open(&presented).await.unwrap();
    assert!(visit.session().is_some());
    assert_eq!(sessions.counters().store_errors, 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_is_tried_again_while_the_store_can_not_be_reached() {
    let (store, sessions, id) = prepared().await;
    store.faults().fail_next(Operation::Load, Fault::Down);
    store.faults().fail_next(Operation::Load, Fault::AnswerLost);
    assert!(request(&sessions, &id).await.session().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_is_not_tried_again() {
    let (store, sessions, id) = prepared().await;
    store.faults().fail_next(Operation::Load, Fault::Refused);
    let before = store.faults().all_calls();
    assert_store_failed(try_request(&sessions, &id).await);
    assert_eq!(store.faults().all_calls(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_given_up_on() {
    let (store, _, id) = prepared().await;
    let sessions = build(SessionManager::builder(store.clone()).time_limit(2 * SECOND).clock(ManualClock::default()));
    store.faults().fail_next(Operation::Load, Fault::Silent);
    let start = tokio::time::Instant::now();
    assert_store_failed(try_request(&sessions, &id).await);
    assert_eq!(start.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_failed_save_is_an_error_and_its_value_is_nowhere() {
    let (store, sessions, id) = prepared().await;
    store.faults().fail_next(Operation::Save, Fault::Refused);
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.set_attr(COUNT, &7).unwrap();
    assert_store_failed(answer(&visit).await);
    assert_eq!(session.attr(COUNT).unwrap(), Some(0));
    assert_eq!(found(&sessions, &id).await.unwrap().attr(COUNT).unwrap(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_issues_no_id() {
    let (store, sessions, _) = prepared().await;
    store.faults().fail_next(Operation::Create, Fault::Refused);
    let visit = sessions.visit();
    let session = visit.start(NewSession::new()).unwrap();
    assert_store_failed(answer(&visit).await);
    assert!(visit.session().is_none());
    assert!(!is_alive(&sessions, &session.id()).await);
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_leaves_the_old_id() {
    let (store, sessions, id) = prepared().await;
    store.faults().fail_next(Operation::Renew, Fault::Refused);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().renew_id().unwrap();
    assert_store_failed(answer(&visit).await);
    assert!(is_alive(&sessions, &id).await);
    assert_eq!(store.inner().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_removal_is_an_error() {
    let (store, sessions, id) = prepared().await;
    store.faults().fail_next(Operation::Delete, Fault::Refused);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().remove();
    assert_store_failed(answer(&visit).await);
    assert!(is_alive(&sessions, &id).await);
}

#[tokio::test(start_paused = true)]
async fn a_failed_save_may_be_tried_again_by_the_handler() {
    let (store, sessions, id) = prepared().await;
    store.faults().fail_next(Operation::Save, Fault::Refused);
    store.faults().fail_next(Operation::Save, Fault::Refused);
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.set_attr("Color", "red").unwrap();
    assert_store_failed(session.save().await);
    assert_store_failed(session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await);
    assert_eq!(session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await.unwrap(), 1);
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Color": "red", "Count": 1}));
}

#[tokio::test(start_paused = true)]
async fn use_that_can_not_be_noted_fails_no_request() {
    let store = faulty();
    let (sessions, clock) = managed(store.clone());
    let id = created(&sessions, NewSession::new()).await.id();
    clock.advance(2 * MINUTE);
    store.faults().fail_next(Operation::Touch, Fault::Refused);
    assert_unchanged(answer(&request(&sessions, &id).await).await);
    assert!(is_alive(&sessions, &id).await);
}

#[tokio::test(start_paused = true)]
async fn an_update_whose_answer_was_lost_counts_once() {
    let (store, sessions, id) = prepared().await;
    let session = found(&sessions, &id).await.unwrap();
    for expected in 1..=3 {
        store.faults().fail_next(Operation::Save, Fault::AnswerLost);
        assert_eq!(session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await.unwrap(), expected);
    }
    assert_eq!(found(&sessions, &id).await.unwrap().attr(COUNT).unwrap(), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_was_lost_makes_one_session() {
    let (store, sessions, _) = prepared().await;
    store.faults().fail_next(Operation::Create, Fault::AnswerLost);
    let visit = sessions.visit();
    let session = visit.start(NewSession::new()).unwrap();
    assert_eq!(issued(answer(&visit).await), session.id());
    assert!(is_alive(&sessions, &session.id()).await);
    assert_eq!(store.inner().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_start_is_tried_again_unless_the_handler_was_told_the_id() {
    for is_told in [false, true] {
        let (store, sessions, _) = prepared().await;
        store.faults().fail_next(Operation::Create, Fault::Down);
        let visit = sessions.visit();
        let session = visit.start(NewSession::new()).unwrap();
        let told = is_told.then(|| session.id());
        let committed = answer(&visit).await;
        match told {
            None => assert!(is_alive(&sessions, &issued(committed)).await),
            Some(_) => assert_store_failed(committed),
        }
        assert_eq!(store.inner().len(), if is_told { 1 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_was_lost_leaves_one_id() {
    let (store, sessions, id) = prepared().await;
    store.faults().fail_next(Operation::Renew, Fault::AnswerLost);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().renew_id().unwrap();
    let new_id = issued(answer(&visit).await);
    assert!(is_alive(&sessions, &new_id).await && !is_alive(&sessions, &id).await);
    assert_eq!(store.inner().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_removal_whose_answer_was_lost_is_done() {
    let (store, sessions, id) = prepared().await;
    store.faults().fail_next(Operation::Delete, Fault::AnswerLost);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().remove();
    assert!(matches!(answer(&visit).await, Ok(Committed::Forget)));
    assert!(store.inner().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_update_of_unknown_outcome_is_an_error_when_another_writer_came_in_between() {
    let (store, sessions, id) = prepared().await;
    let session = found(&sessions, &id).await.unwrap();
    let other = managed(store.inner().clone()).0.get(id.as_str()).await.unwrap().unwrap();
    store.faults().fail_next(Operation::Save, Fault::AnswerLost);
    let update = tokio::spawn(async move { session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await });
    // The save arrives and its answer is lost; the repetition waits for a while.
    while store.inner().list(sessions.now(), 1).await.unwrap()[0].attributes.get("Count") == Some(&json!(0)) {
        tokio::task::yield_now().await;
    }
    other.update_attr(COUNT, |count| count.unwrap_or(0) + 10).await.unwrap();
    assert_store_failed(update.await.unwrap());
    // Once, or not at all, but never twice.
    assert_eq!(found(&sessions, &id).await.unwrap().attr(COUNT).unwrap(), Some(11));
}

#[tokio::test(start_paused = true)]
async fn purging_reports_a_store_that_fails_and_goes_on_later() {
    let store = faulty();
    let (sessions, clock) = managed(store.clone());
    created(&sessions, NewSession::new()).await;
    clock.advance(HOUR);
    store.faults().fail_next(Operation::PurgeExpired, Fault::Refused);
    assert_store_failed(sessions.purge_expired(HOUR).await);
    let purged = sessions.purge_expired(HOUR).await.unwrap();
    assert_eq!((purged.expired, purged.more), (1, false));
}

/// Purges every second, once there is a runtime.
fn purging(store: &FaultyStore) -> (SessionManager, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let builder = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).purge_interval(SECOND);
    (builder.build().unwrap(), clock)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_background_purge_survives_a_store_that_fails() {
    let store = faulty();
    let (sessions, clock) = purging(&store);
    created(&sessions, NewSession::new()).await;
    clock.advance(HOUR);
    store.faults().fail_next(Operation::PurgeExpired, Fault::Refused);
    store.faults().fail_next(Operation::PurgeExpired, Fault::Silent);
    tokio::time::sleep(MINUTE).await;
    assert!(store.inner().is_empty());
    assert_eq!(sessions.counters().expired, 1);
}

/// A manager in a lazy static, or one that `main` makes before the runtime.
#[test]
fn a_manager_that_was_built_outside_a_runtime_purges_from_its_first_request_on() {
    let store = faulty();
    let (sessions, clock) = purging(&store);
    runtime().block_on(async {
        created(&sessions, NewSession::new()).await;
        clock.advance(HOUR);
        tokio::time::sleep(MINUTE).await;
        assert!(store.inner().is_empty());
        assert_eq!(sessions.counters().expired, 1);
    });
}

#[test]
fn a_manager_that_was_closed_before_there_was_a_runtime_purges_nothing() {
    let store = faulty();
    let (sessions, _) = purging(&store);
    runtime().block_on(async {
        sessions.close().await.unwrap();
        let _ = sessions.get("nobody-has-this-id-1234").await;
        tokio::time::sleep(MINUTE).await;
        assert_eq!(store.faults().calls(Operation::PurgeExpired), 0);
    });
}

#[tokio::test(start_paused = true)]
async fn after_any_faults_a_recovered_store_works() {
    let (store, sessions, id) = prepared().await;
    for operation in [Operation::Load, Operation::Save, Operation::Renew] {
        for fault in [Fault::Down, Fault::AnswerLost, Fault::Refused, Fault::Silent] {
            store.faults().fail_next(operation, fault);
        }
    }
    let session = loop {
        if let Ok(visit) = try_request(&sessions, &id).await {
            break visit.session().unwrap();
        }
    };
    let _ = session.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await;
    let _ = session.save().await;
    store.faults().recover();
    let again = found(&sessions, &id).await.unwrap();
    let before = again.attr(COUNT).unwrap().unwrap();
    assert_eq!(again.update_attr(COUNT, |count| count.unwrap_or(0) + 1).await.unwrap(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_save_whose_answer_was_lost_is_not_made_again_where_a_renewal_went() {
    let (store, sessions, _) = prepared().await;
    let id = created(&sessions, NewSession::new().principal("ann").attr(COUNT, &0)).await.id();
    let visit = request(&sessions, &id).await;
    store.faults().fail_next(Operation::Save, Fault::AnswerLost);
    let session = visit.session().expect("it was found");
    let counting = session.update_attr(COUNT, |count| count.unwrap_or(0) + 1);
    // The renewal is over while the save waits for its second attempt.
    let renewal = async {
        tokio::time::sleep(MILLISECOND).await;
        let visit = request(&sessions, &id).await;
        visit.session().expect("it is there").renew_id().expect("it has its current id");
        issued(answer(&visit).await)
    };
    let (counted, new_id) = tokio::join!(counting, renewal);
    assert_store_failed(counted);
    assert_eq!(found(&sessions, &new_id).await.unwrap().attr(COUNT).unwrap(), Some(1));
}
