use std::collections::HashSet;
use std::pin::pin;
use std::task::Poll;

use serde_json::json;
use session_core::conformance::faulty::Plan;
use session_core::conformance::rounds;
use session_core::{AttrKey, ImmediateStore, RecordKey, Saved, Time, Version};
use tokio::task::{JoinSet, yield_now};

use super::*;

const COUNT: AttrKey<usize> = AttrKey::new("Count");

fn one_more(count: Option<usize>) -> usize {
    count.unwrap_or(0) + 1
}

/// Two threads that count on one session; each update in a request of its own.
async fn count_on_two_threads(store: impl Store, each: usize, yielding: bool) {
    let (sessions, _) = managed(store);
    let id = created(&sessions, NewSession::new()).await.id();
    let client = |sessions: SessionManager, id: SessionId| async move {
        let mut answers = Vec::with_capacity(each);
        for _ in 0..each {
            let visit = request(&sessions, &id).await;
            answers.push(visit.session().unwrap().update_attr(COUNT, one_more).await.unwrap());
            assert_unchanged(answer(&visit).await);
            if yielding {
                yield_now().await;
            }
        }
        answers
    };
    let mut clients = JoinSet::new();
    clients.spawn(client(sessions.clone(), id.clone()));
    clients.spawn(client(sessions.clone(), id.clone()));
    let answers = clients.join_all().await.concat();
    assert_eq!(answers.iter().collect::<HashSet<_>>().len(), 2 * each, "no two answers are the same");
    assert_eq!(found(&sessions, &id).await.unwrap().attr(COUNT).unwrap(), Some(2 * each));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_threads_lose_no_update() {
    count_on_two_threads(MemoryStore::new(), 250 * rounds(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_threads_that_yield_lose_no_update() {
    count_on_two_threads(MemoryStore::new(), 250 * rounds(), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_threads_on_a_store_that_waits_lose_no_update() {
    count_on_two_threads(faulty(), 10 * rounds(), false).await;
}

/// Clients of a few processes at once, in one session each process has its own manager for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_setting_different_attributes_are_all_there() {
    for store in [session_core::AnyStore::new(MemoryStore::new()), session_core::AnyStore::new(faulty())] {
        let (sessions, _) = managed(store.clone());
        let id = created(&sessions, NewSession::new()).await.id();
        let mut writers = JoinSet::new();
        for writer in 0..64 {
            let (sessions, id) = (managed(store.clone()).0, id.clone());
            writers.spawn(async move {
                let visit = request(&sessions, &id).await;
                yield_now().await;
                visit.session().unwrap().set_attr(format!("Writer {writer}").as_str(), &writer).unwrap();
                assert_unchanged(answer(&visit).await);
            });
        }
        writers.join_all().await;
        let attrs = found(&sessions, &id).await.unwrap().attrs();
        assert_eq!(attrs.len(), 64);
        assert!((0..64).all(|writer| attrs.get(&format!("Writer {writer}")) == Some(&json!(writer))));
    }
}

#[tokio::test]
async fn updates_of_one_handle_at_once_all_count() {
    let (sessions, _) = managed(faulty());
    let session = created(&sessions, NewSession::new()).await;
    let mut updates = JoinSet::new();
    for _ in 0..32 {
        let session = session.clone();
        updates.spawn(async move { session.update_attr(COUNT, one_more).await.unwrap() });
    }
    let answers: HashSet<usize> = updates.join_all().await.into_iter().collect();
    assert_eq!(answers, (1..=32).collect());
}

/// Polls a future so many times, then drops it.
async fn cancelled_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        match polled {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => yield_now().await,
        }
    }
    None
}

/// Two attributes that are only ever written together, one collected and one updated.
async fn write_both(session: &Session, value: usize) -> Result<usize, Error> {
    session.set_attr("Left", &value)?;
    session.update_attr("Right", |_: Option<usize>| value).await
}

fn assert_whole(store: &FaultyStore, sessions: &SessionManager, session: &Session) {
    let stored = store.inner().load_now(&session.handle(), sessions.now()).unwrap().unwrap().expect("it is alive");
    assert_eq!(stored.attributes.get("Left"), stored.attributes.get("Right"));
}

/// F11, G10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_cancelled_at_any_point_leaves_nothing_partial() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let session = created(&sessions, NewSession::new()).await;
    let rounds = 10 * rounds();
    let rival = tokio::spawn({
        let rival = found(&managed(store.clone()).0, &session.id()).await.unwrap();
        async move {
            for round in 0..rounds {
                write_both(&rival, rounds + round).await.unwrap();
                rival.update_attr(COUNT, one_more).await.unwrap();
            }
        }
    });
    let (mut acknowledged, mut attempted) = (rounds, rounds);
    for round in 0..rounds {
        cancelled_after(round % 11, write_both(&session, round)).await;
        session.discard();
        assert_whole(&store, &sessions, &session);
        attempted += 1;
        if let Some(count) = cancelled_after(round % 7, session.update_attr(COUNT, one_more)).await {
            count.unwrap();
            acknowledged += 1;
        }
    }
    rival.await.unwrap();
    assert_eq!(write_both(&session, 7).await.unwrap(), 7);
    assert_whole(&store, &sessions, &session);
    let count = found(&sessions, &session.id()).await.unwrap().attr(COUNT).unwrap().unwrap();
    assert!((acknowledged..=attempted).contains(&count), "{acknowledged} <= {count} <= {attempted}");
}

#[tokio::test]
async fn a_save_cancelled_at_any_point_can_be_repeated() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let session = created(&sessions, NewSession::new()).await;
    for polls in 0..8 {
        session.set_attr("Left", &polls).unwrap();
        session.set_attr("Right", &polls).unwrap();
        cancelled_after(polls, session.save()).await;
        assert_whole(&store, &sessions, &session);
        session.save().await.unwrap();
        assert_eq!(
            json!(found(&sessions, &session.id()).await.unwrap().attrs()),
            json!({"Left": polls, "Right": polls})
        );
    }
}

#[tokio::test]
async fn an_opening_that_was_cancelled_is_done_by_the_next() {
    let (sessions, _) = managed(faulty());
    let id = created(&sessions, NewSession::new()).await.id();
    for polls in 0..4 {
        let mut presented = PresentedIds::default();
        presented.push(id.as_str());
        let visit = sessions.visit();
        cancelled_after(polls, visit.open(&presented)).await;
        visit.open(&presented).await.unwrap();
        assert_eq!(visit.session().unwrap().id(), id);
    }
}

/// A handler that runs two things at once and drops one of them.
#[tokio::test]
async fn changes_of_a_cancelled_update_do_not_move_to_the_session_started_meanwhile() {
    for polls in 0..9 {
        let (sessions, _) = managed(faulty());
        let id = created(&sessions, NewSession::new()).await.id();
        let visit = request(&sessions, &id).await;
        let anonymous = visit.session().unwrap();
        anonymous.set_attr("Collected", &1).unwrap();
        {
            let mut update = pin!(anonymous.update_attr(COUNT, one_more));
            let _ = cancelled_after(polls, update.as_mut()).await;
            visit.start(NewSession::new().principal("ann")).unwrap();
            assert!(visit.session().unwrap().attrs().is_empty());
        }
        let new_id = issued(answer(&visit).await);
        assert!(found(&sessions, &new_id).await.unwrap().attrs().is_empty(), "after {polls} polls");
    }
}

#[tokio::test]
async fn a_login_stands_though_an_update_finds_the_session_before_it_gone() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let anonymous = created(&sessions, NewSession::new()).await;
    let visit = request(&sessions, &anonymous.id()).await;
    let handle = visit.session().unwrap();
    let gate = store.faults().hold(Operation::ALL);
    let mut update = pin!(handle.update_attr(COUNT, one_more));
    assert!(cancelled_after(10, update.as_mut()).await.is_none());
    visit.start(NewSession::new().principal("ann")).unwrap();
    store.inner().delete(&anonymous.handle()).await.unwrap();
    gate.let_through(100);
    assert_gone(update.await);
    let id = issued(answer(&visit).await);
    assert_eq!(found(&sessions, &id).await.unwrap().principal().as_deref(), Some("ann"));
}

/// A WebSocket task that logs out while another renews.
#[tokio::test]
async fn a_removal_during_a_renewal_is_carried_out() {
    for polls in 0..9 {
        let store = faulty();
        let (sessions, _) = managed(store.clone());
        let session = created(&sessions, NewSession::new()).await;
        session.renew_id().unwrap();
        {
            let mut renewing = pin!(session.save());
            let renewed = cancelled_after(polls, renewing.as_mut()).await;
            session.remove();
            if renewed.is_none() {
                renewing.await.unwrap();
            }
        }
        session.save().await.unwrap();
        assert!(store.inner().is_empty(), "after {polls} polls");
    }
}

/// A task that the handler left running.
#[tokio::test]
async fn a_change_during_the_commit_of_a_start_is_kept() {
    for polls in 0..9 {
        let (sessions, _) = managed(faulty());
        let visit = sessions.visit();
        let session = visit.start(NewSession::new()).unwrap();
        let committed = {
            let mut commit = pin!(visit.commit());
            let early = cancelled_after(polls, commit.as_mut()).await;
            session.set_attr("Late", &1).unwrap();
            match early {
                Some(committed) => committed,
                None => commit.await,
            }
        };
        let id = issued(committed);
        assert_eq!(session.attr("Late").unwrap(), Some(1));
        session.save().await.unwrap();
        assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Late": 1}), "after {polls} polls");
    }
}

#[tokio::test]
async fn once_the_commit_has_begun_nothing_is_started_or_renewed() {
    let (sessions, _) = managed(faulty());
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.set_attr("Color", "red").unwrap();
    let mut commit = pin!(visit.commit());
    assert!(cancelled_after(1, commit.as_mut()).await.is_none());
    assert!(matches!(session.renew_id(), Err(Error::HeadSent(_))));
    assert!(matches!(visit.start(NewSession::new()), Err(Error::HeadSent(_))));
    assert_unchanged(commit.await);
    assert!(is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn close_waits_for_commits_under_way() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().set_attr("Color", "red").unwrap();
    let gate = store.faults().hold(Operation::ALL);
    let commit = tokio::spawn(async move { visit.commit().await });
    while store.faults().all_calls() < 3 {
        yield_now().await;
    }
    let closing = sessions.clone();
    let close = tokio::spawn(async move { closing.close().await });
    for _ in 0..100 {
        yield_now().await;
    }
    assert!(!close.is_finished());
    gate.let_through(100);
    close.await.unwrap().unwrap();
    assert!(commit.is_finished());
    assert_unchanged(commit.await.unwrap());
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Color": "red"}));
}

#[tokio::test]
async fn closing_twice_is_safe_and_cancelled_commits_do_not_hold_it_up() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().set_attr("Color", "red").unwrap();
    assert!(cancelled_after(1, visit.commit()).await.is_none());
    sessions.close().await.unwrap();
    sessions.close().await.unwrap();
}

/// Another writer's save, which changes nothing but the version.
fn save_again(store: &MemoryStore, key: &RecordKey, now: Time) {
    let mut record = store.load_now(key, now).unwrap().unwrap().expect("it is alive");
    let expected = record.version;
    record.version = Version::from_number(expected.get() + (1 << 32));
    assert_eq!(store.save_now(&record, expected).unwrap().unwrap(), Saved::Done);
}

#[tokio::test]
async fn a_writer_that_never_gets_through_is_told() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let session = created(&sessions, NewSession::new()).await;
    let (rival, key, now) = (store.inner(), session.handle(), sessions.now());
    store.faults().decide(move |operation| {
        if operation == Operation::Save {
            save_again(&rival, &key, now);
        }
        Plan::default()
    });
    let outrun = session.update_attr(COUNT, one_more).await;
    assert!(matches!(outrun, Err(Error::Conflict { attempts }) if attempts > 10), "{outrun:?}");
    store.faults().recover();
    assert_eq!(session.update_attr(COUNT, one_more).await.unwrap(), 1);
}

#[tokio::test]
async fn what_another_handle_changed_meanwhile_is_updated_too() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new().attr("Count", &0)).await;
    let other = session.clone();
    let mut runs = 0;
    let updated = session.update_attr("Count", |count: Option<u32>| {
        runs += 1;
        if runs == 1 {
            other.set_attr("Count", &10).expect("it is alive");
        }
        count.unwrap_or(0) + 1
    });
    assert_eq!(updated.await.expect("the store works"), 11);
    assert_eq!(runs, 2);
}

#[tokio::test]
async fn a_change_during_a_save_is_not_lost_when_the_handler_returns() {
    let store = faulty();
    let (sessions, _) = managed(store.clone());
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.set_attr("Early", &1).unwrap();
    let gate = store.faults().hold(Operation::ALL);
    let saving = tokio::spawn({
        let session = session.clone();
        async move { session.save().await }
    });
    // Until it waits at the gate, with the early change on its way.
    for _ in 0..9 {
        yield_now().await;
    }
    session.set_attr("Late", &1).unwrap();
    assert!(visit.clone().commit_now().is_none(), "the save is under way");
    gate.let_through(9);
    saving.await.unwrap().unwrap();
    assert_unchanged(visit.commit().await);
    gate.let_through(9);
    assert_eq!(json!(found(&sessions, &id).await.unwrap().attrs()), json!({"Early": 1, "Late": 1}));
}
