use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::StatusCode;
use session_axum::NewSession;
use session_core::MemoryStore;
use session_core::conformance::faulty::FaultyStore;
use workspace_tests::client::Client;

use crate::support::{DAY, MINUTE, OLD, OURS, World, count_of, in_memory, is, visitor};

/// P28: a hundred requests at the same moment get one session under one id, and lose no count.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_parallel_first_requests_get_one_session() {
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        let (app, sessions) = world.app();
        let requests: Vec<_> = (0..100)
            .map(|_| {
                let mut window = visitor(&app, "old-ann");
                tokio::spawn(async move { (window.get("/count").await, window.jar.get(OURS).cloned()) })
            })
            .collect();
        let (mut ids, mut counts) = (BTreeSet::new(), BTreeSet::new());
        for request in requests {
            let (answer, id) = request.await.unwrap();
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            ids.insert(id.expect("each is told the id"));
            counts.insert(answer.body.parse::<u32>().unwrap());
        }
        assert_eq!(ids.len(), 1);
        assert_eq!(counts, (1..=100).collect());
        assert_eq!(count_of(&sessions, "ann").await, 1);
        assert_eq!(sessions.counters().adopted, 1);
        assert!(!world.old.has("old-ann"));
    }
}

/// P28: the same with two processes, which know nothing of each other.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_get_one_session() {
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        let (one, two) = (world.app(), world.app());
        let requests: Vec<_> = (0..40)
            .map(|number| {
                let mut window = visitor(if number % 2 == 0 { &one.0 } else { &two.0 }, "old-ann");
                tokio::spawn(async move {
                    is(&mut window, "ann").await;
                    window.jar[OURS].clone()
                })
            })
            .collect();
        let mut ids = BTreeSet::new();
        for request in requests {
            ids.insert(request.await.unwrap());
        }
        assert_eq!((ids.len(), count_of(&one.1, "ann").await), (1, 1));
    }
}

/// P29: a response that was lost costs nothing for 60 s. Then the old cookie leads to nothing.
#[tokio::test]
async fn an_old_cookie_leads_to_the_session_for_60_seconds() {
    let world = in_memory();
    let (app, sessions) = world.app();
    let mut first = visitor(&app, "old-ann");
    is(&mut first, "ann").await;
    world.clock.advance(MINUTE - Duration::from_millis(1));
    let mut again = visitor(&app, "old-ann");
    is(&mut again, "ann").await;
    assert_eq!(first.jar[OURS], again.jar[OURS]);
    assert_eq!((world.old.loads(), count_of(&sessions, "ann").await), (1, 1));
    world.clock.advance(Duration::from_millis(1));
    is(&mut visitor(&app, "old-ann"), "nobody").await;
    is(&mut first, "ann").await;
}

/// P29: nor does it once the client has presented its new id.
#[tokio::test]
async fn once_the_new_id_is_presented_the_old_cookie_leads_to_nothing() {
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        let (app, _) = world.app();
        let mut ann = visitor(&app, "old-ann");
        is(&mut ann, "ann").await;
        is(&mut visitor(&app, "old-ann"), "ann").await;
        is(&mut ann, "ann").await;
        is(&mut visitor(&app, "old-ann"), "nobody").await;
        is(&mut ann, "ann").await;
    }
}

/// P29: a session that was renewed meanwhile is not told to whoever has the old cookie.
#[tokio::test]
async fn a_renewed_session_is_not_told_to_the_old_cookie() {
    let world = in_memory();
    let (app, sessions) = world.app();
    let mut ann = visitor(&app, "old-ann");
    ann.post("/renew").await;
    is(&mut visitor(&app, "old-ann"), "nobody").await;
    is(&mut ann, "ann").await;
    assert_eq!(count_of(&sessions, "ann").await, 1);
}

/// P30: a request that is cancelled anywhere while it takes a session over leaves one that the next one gets.
#[tokio::test]
async fn a_take_over_that_is_cancelled_anywhere_is_finished_by_the_next_request() {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    for calls in 0..12 {
        let store = FaultyStore::new(MemoryStore::new());
        let world = World::new(store.clone());
        let (app, sessions) = world.app();
        {
            let gate = store.faults().hold(session_core::conformance::faulty::Operation::ALL);
            gate.let_through(calls);
            let mut client = visitor(&app, "old-ann");
            let mut request = Box::pin(async move { client.get("/").await });
            for _ in 0..50 {
                let polled = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                if matches!(polled, Poll::Ready(_)) {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(request);
            gate.open();
        }
        store.faults().recover();
        let mut ann = visitor(&app, "old-ann");
        is(&mut ann, "ann").await;
        is(&mut ann, "ann").await;
        assert_eq!(count_of(&sessions, "ann").await, 1, "after {calls} calls");
    }
}

/// P31: the notes of a take-over are in no list and no count, and are gone in time.
#[tokio::test]
async fn notes_are_in_no_list() {
    let world = in_memory();
    world.old.put("old-bob", "bob", world.after(DAY));
    let (app, sessions) = world.app();
    sessions.create(NewSession::new()).await.unwrap();
    is(&mut visitor(&app, "old-ann"), "ann").await;
    visitor(&app, "old-bob").post("/logout").await;
    sessions.end_all_of("carol").await.unwrap();
    let listed = sessions.list(100).await.unwrap();
    let principals: BTreeSet<_> = listed.iter().map(|record| record.principal.as_deref()).collect();
    assert_eq!((listed.len(), principals), (2, BTreeSet::from([None, Some("ann")])));
    world.clock.advance(DAY * 401);
    // Ann's session, the anonymous one, and notes.
    assert!(sessions.purge_expired(MINUTE).await.unwrap().expired >= 2);
    assert_eq!(sessions.purge_expired(MINUTE).await.unwrap().expired, 0);
}

/// P29: a client that keeps no cookies gets the same session for as long as the note serves.
#[tokio::test]
async fn a_client_that_keeps_nothing_gets_one_session() {
    let world = in_memory();
    let (app, sessions) = world.app();
    for _ in 0..5 {
        let mut client = Client::new(&app);
        client.jar.insert(OLD.to_owned(), "old-ann".to_owned());
        is(&mut client, "ann").await;
    }
    assert_eq!((count_of(&sessions, "ann").await, world.old.loads()), (1, 1));
}
