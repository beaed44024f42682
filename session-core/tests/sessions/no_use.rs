//! Requests that are no use of their session, such as polls.

use super::*;

async fn poll(sessions: &SessionManager, id: &SessionId) -> Visit {
    let visit = sessions.visit();
    visit.without_use();
    let mut presented = PresentedIds::default();
    presented.push(id.as_str());
    visit.open(&presented).await.expect("the store works");
    visit
}

/// Stores that wait, and stores that answer at once.
fn stores() -> [FaultyStore; 2] {
    [faulty(), FaultyStore::at_once(MemoryStore::new())]
}

#[tokio::test]
async fn a_session_that_is_only_polled_ends_at_its_time() {
    for store in stores() {
        let (sessions, clock) = managed(store.clone());
        let id = created(&sessions, NewSession::new()).await.id();
        store.faults().forget_calls();
        for _ in 0..29 {
            clock.advance(MINUTE);
            let visit = poll(&sessions, &id).await;
            assert!(visit.session().is_some());
            assert!(visit.keep_in_use().is_none(), "nor is a long one");
            assert_unchanged(answer(&visit).await);
        }
        assert_eq!(store.faults().calls(Operation::Load), store.faults().all_calls());
        clock.advance(MINUTE - MILLISECOND);
        assert!(poll(&sessions, &id).await.session().is_some());
        clock.advance(MILLISECOND);
        assert!(poll(&sessions, &id).await.session().is_none());
    }
}

#[tokio::test]
async fn what_a_poll_changes_is_saved_and_is_no_use() {
    for store in stores() {
        let (sessions, clock) = managed(store);
        let id = created(&sessions, NewSession::new()).await.id();
        for number in 1..30 {
            clock.advance(MINUTE);
            let visit = poll(&sessions, &id).await;
            let session = visit.session().unwrap();
            session.set_attr("Collected", &number).unwrap();
            session.update_attr("Updated", |n: Option<i32>| n.unwrap_or(0) + 1).await.unwrap();
            session.set_attr("Saved", &number).unwrap();
            session.save().await.unwrap();
            session.save().await.unwrap();
            assert_unchanged(answer(&visit).await);
            let now = poll(&sessions, &id).await.session().unwrap();
            for name in ["Collected", "Updated", "Saved"] {
                assert_eq!(now.attr::<i32>(name).unwrap(), Some(number), "{name}");
            }
        }
        clock.advance(MINUTE);
        assert!(poll(&sessions, &id).await.session().is_none());
    }
}

/// The deadline that others have moved stays where they moved it.
#[tokio::test]
async fn a_poll_moves_no_deadline_back() {
    for store in stores() {
        let (sessions, clock) = managed(store);
        let id = created(&sessions, NewSession::new().principal("ann")).await.id();
        let slow = poll(&sessions, &id).await;
        clock.advance(29 * MINUTE);
        answer(&request(&sessions, &id).await).await.unwrap();
        slow.session().unwrap().set_attr("Slow", &1).unwrap();
        assert_unchanged(answer(&slow).await);
        clock.advance(30 * MINUTE - MILLISECOND);
        assert!(poll(&sessions, &id).await.session().is_some());
        // Nor does one that renews the id: renewing is a use.
        let renewing = poll(&sessions, &id).await;
        renewing.session().unwrap().renew_id().unwrap();
        let id = issued(answer(&renewing).await);
        clock.advance(30 * MINUTE - MILLISECOND);
        assert!(poll(&sessions, &id).await.session().is_some());
    }
}

#[tokio::test]
async fn a_poll_that_outlasts_its_session_finds_it_gone() {
    for store in stores() {
        let (sessions, clock) = managed(store);
        for act in
            [|session: &Session| session.set_attr("Late", &1), |session: &Session| session.set_idle_timeout(24 * HOUR)]
        {
            let id = created(&sessions, NewSession::new().principal("ann")).await.id();
            let mut visit = poll(&sessions, &id).await;
            clock.advance(30 * MINUTE);
            act(&visit.session().unwrap()).unwrap();
            assert_unchanged(answer(&visit).await);
            assert!(visit.has_lost_changes());
            assert!(poll(&sessions, &id).await.session().is_none(), "nothing revives it");
            let visit = poll(&sessions, &id).await;
            assert!(visit.session().is_none());
        }
        // Unless another request has used it meanwhile.
        let id = created(&sessions, NewSession::new()).await.id();
        let mut visit = poll(&sessions, &id).await;
        clock.advance(20 * MINUTE);
        answer(&request(&sessions, &id).await).await.unwrap();
        // Its use is noted beside it.
        tokio::task::yield_now().await;
        clock.advance(20 * MINUTE);
        visit.session().unwrap().set_attr("Late", &1).unwrap();
        assert_unchanged(answer(&visit).await);
        assert!(!visit.has_lost_changes());
        clock.advance(10 * MINUTE - MILLISECOND);
        assert_eq!(poll(&sessions, &id).await.session().unwrap().attr::<i32>("Late").unwrap(), Some(1));
        clock.advance(MILLISECOND);
        assert!(poll(&sessions, &id).await.session().is_none());
    }
}

#[tokio::test]
async fn a_poll_is_offered_no_new_id_and_takes_the_one_that_it_presents() {
    for store in stores() {
        let clock = Arc::new(ManualClock::default());
        let builder = SessionManager::builder(store).clock(Arc::clone(&clock)).renew_every(10 * MINUTE);
        let sessions = build(builder);
        let old = created(&sessions, NewSession::new().principal("ann")).await.id();
        clock.advance(10 * MINUTE);
        assert_unchanged(answer(&poll(&sessions, &old).await).await);
        let new = issued(answer(&request(&sessions, &old).await).await);
        clock.advance(MINUTE);
        assert_unchanged(answer(&poll(&sessions, &new).await).await);
        clock.advance(MINUTE);
        assert!(poll(&sessions, &old).await.session().is_none(), "its grace is over");
        clock.advance(27 * MINUTE);
        assert!(poll(&sessions, &new).await.session().is_some());
        clock.advance(MINUTE);
        assert!(poll(&sessions, &new).await.session().is_none());
    }
}
