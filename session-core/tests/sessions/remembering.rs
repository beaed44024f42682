//! T42: one setting for "remember me", at the login and later.

use super::*;

const MONTH: Duration = Duration::from_secs(30 * 86_400);

fn lifetime(session: &Session) -> (Duration, Duration, bool) {
    let left = session.expires_at().since(session.created());
    (session.idle_timeout(), left, session.persistent())
}

#[tokio::test]
async fn remembering_sets_all_three_settings() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new().principal("ann").remember(MONTH)).await;
    assert_eq!(lifetime(&session), (MONTH, MONTH, true));
    let stored = found(&sessions, &session.id()).await.unwrap();
    assert_eq!(lifetime(&stored), (MONTH, MONTH, true));
}

#[tokio::test]
async fn what_contradicts_remembering_is_refused_with_the_fix() {
    let sessions = sessions();
    let remembered = || NewSession::new().remember(MONTH);
    for (new, named) in [
        (remembered().idle_timeout(HOUR), "`idle_timeout`"),
        (remembered().absolute_timeout(HOUR), "`absolute_timeout`"),
        (remembered().without_absolute_timeout(), "`absolute_timeout`"),
        (remembered().persistent(false), "`persistent(false)`"),
        (NewSession::new().remember(Duration::ZERO), "`remember`"),
    ] {
        let message = sessions.create(new).await.unwrap_err().to_string();
        assert!(message.contains(named) && message.contains("remember"), "{message}");
    }
    assert!(sessions.create(remembered().persistent(true)).await.is_ok());
}

/// P21.
#[tokio::test]
async fn what_contradicts_an_end_is_refused_with_the_fix() {
    let sessions = sessions();
    let now = sessions.now();
    let ending = || NewSession::new().ends_at(now.saturating_add(MONTH));
    for (new, named) in [
        (ending().remember(HOUR), "`remember`"),
        (ending().absolute_timeout(HOUR), "`absolute_timeout`"),
        (ending().idle_timeout(Duration::ZERO), "`idle_timeout`"),
        (NewSession::new().ends_at(now), "is over"),
    ] {
        let message = sessions.create(new).await.unwrap_err().to_string();
        assert!(message.contains(named), "{message}");
    }
    assert_eq!(lifetime(&created(&sessions, ending()).await), (MONTH, MONTH, false));
    assert_eq!(lifetime(&created(&sessions, ending().idle_timeout(HOUR)).await).0, HOUR);
    // A longer one is cut: the end comes from elsewhere.
    assert_eq!(
        lifetime(&created(&sessions, ending().idle_timeout(MONTH * 2).persistent(true)).await),
        (MONTH, MONTH, true)
    );
}

#[tokio::test]
async fn a_session_is_remembered_later_from_then_on_and_forgotten_again() {
    for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
        let (sessions, clock) = managed(store);
        let session = created(&sessions, NewSession::new().principal("ann")).await;
        clock.advance(MINUTE);
        let visit = request(&sessions, &session.id()).await;
        visit.session().unwrap().remember(MONTH).unwrap();
        assert_eq!(lifetime(&visit.session().unwrap()), (MONTH, MONTH + MINUTE, true));
        let committed = answer(&visit).await.unwrap();
        let Committed::Issue(told) = committed else { panic!("{committed:?}") };
        assert_eq!(told.keep_for, Some(MONTH));
        assert_ne!(told.id, session.id(), "an id that was stolen before lives no longer for it");

        clock.advance(MONTH - MILLISECOND);
        assert!(is_alive(&sessions, &told.id).await);
        assert_eq!(sessions.sessions_of("ann").await.unwrap().len(), 1, "the index lives as long");
        let visit = request(&sessions, &told.id).await;
        visit.session().unwrap().stop_remembering().unwrap();
        let committed = answer(&visit).await.unwrap();
        let Committed::Issue(told) = committed else { panic!("{committed:?}") };
        assert_eq!(told.keep_for, None);
        let forgotten = found(&sessions, &told.id).await.unwrap();
        assert_eq!((forgotten.idle_timeout(), forgotten.persistent()), (30 * MINUTE, false));
        clock.advance(MILLISECOND);
        assert!(!is_alive(&sessions, &told.id).await, "forgetting gives no time");
    }
}

#[tokio::test]
async fn forgetting_early_leaves_the_managers_timeouts() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, NewSession::new().principal("ann").remember(MONTH)).await;
    session.stop_remembering().unwrap();
    session.save().await.unwrap();
    assert_eq!(lifetime(&session), (30 * MINUTE, 30 * MINUTE, false));
    clock.advance(30 * MINUTE);
    assert!(!is_alive(&sessions, &session.id()).await);
}

#[tokio::test]
async fn a_session_that_starts_now_is_remembered_without_another_id() {
    let sessions = sessions();
    let visit = sessions.visit();
    let session = visit.start(NewSession::new().principal("ann")).unwrap();
    let id = session.id();
    session.remember(MONTH).unwrap();
    assert_eq!(issued(answer(&visit).await), id);
    assert_eq!(lifetime(&found(&sessions, &id).await.unwrap()), (MONTH, MONTH, true));
}
