//! T43: a session that begins for whoever has none, and leaves no trace unless something is set in it.

use super::*;

fn counted(sessions: &SessionManager) -> (u64, u64) {
    let counters = sessions.counters();
    (counters.created, counters.ended)
}

#[tokio::test]
async fn without_a_change_nothing_is_stored_and_nobody_is_told() {
    for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
        let sessions = managed(store).0;
        let visit = sessions.visit();
        let session = visit.session_or_start().unwrap();
        assert_eq!(session.attr::<u32>("Cart").unwrap(), None);
        assert!(!session.check_csrf("junk"));
        assert_unchanged(answer(&visit).await);
        assert!(visit.session().is_none());
        assert_eq!((counted(&sessions), sessions.list(9).await.unwrap().len()), ((0, 0), 0));
        assert_gone(session.set_attr("Late", &1));
        assert_gone(session.save().await);
        // Nothing but reading what it was.
        assert_eq!(session.principal(), None);
    }
}

#[tokio::test]
async fn whatever_is_set_starts_it() {
    let changes: [fn(&Session); 6] = [
        |session| session.set_attr("Cart", &1).unwrap(),
        |session| session.set_persistent(true).unwrap(),
        |session| session.set_idle_timeout(MINUTE).unwrap(),
        |session| drop(session.csrf_token().unwrap()),
        |session| _ = session.id(),
        |session| _ = session.handle(),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
            let sessions = managed(store).0;
            let visit = sessions.visit();
            change(&visit.session_or_start().unwrap());
            let id = issued(answer(&visit).await);
            assert!(is_alive(&sessions, &id).await, "change {n}");
        }
    }
}

#[tokio::test]
async fn an_update_starts_it() {
    let sessions = sessions();
    let visit = sessions.visit();
    let session = visit.session_or_start().unwrap();
    assert_eq!(session.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await.unwrap(), 1);
    let id = issued(answer(&visit).await);
    assert_eq!(found(&sessions, &id).await.unwrap().attr::<u32>("Count").unwrap(), Some(1));
}

#[tokio::test]
async fn a_session_that_is_there_is_taken() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new().principal("ann")).await.id();
    let visit = request(&sessions, &id).await;
    assert_eq!(visit.session_or_start().unwrap().principal().as_deref(), Some("ann"));
    let stranger = sessions.visit();
    let first = stranger.session_or_start().unwrap();
    first.set_attr("Cart", &1).unwrap();
    assert_eq!(stranger.session_or_start().unwrap().id(), first.id());
}

#[tokio::test]
async fn a_removal_before_it_is_done_all_the_same() {
    for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
        let sessions = managed(store).0;
        let id = created(&sessions, NewSession::new().principal("ann")).await.id();
        let visit = request(&sessions, &id).await;
        visit.session().unwrap().remove();
        visit.session_or_start().unwrap();
        assert!(matches!(answer(&visit).await, Ok(Committed::Forget)));
        assert!(!is_alive(&sessions, &id).await);
        assert_eq!(counted(&sessions), (1, 1));
    }
}

#[tokio::test]
async fn a_login_after_it_keeps_what_was_set() {
    let sessions = sessions();
    let visit = sessions.visit();
    let cart = visit.session_or_start().unwrap();
    cart.set_attr("Cart", &1).unwrap();
    visit.start(NewSession::new().principal("ann").keep(&cart)).unwrap();
    let id = issued(answer(&visit).await);
    assert_eq!(found(&sessions, &id).await.unwrap().attr::<u32>("Cart").unwrap(), Some(1));
    assert_eq!(counted(&sessions), (1, 0));
}
