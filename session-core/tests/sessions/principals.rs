use session_core::{Capabilities, PrincipalKey, RecordKey};

use super::*;

async fn signed_in(sessions: &SessionManager, principal: &str) -> Session {
    created(sessions, NewSession::new().principal(principal)).await
}

#[tokio::test]
async fn the_sessions_of_a_principal_come_newest_first() {
    let (sessions, clock) = managed(MemoryStore::new());
    let first = signed_in(&sessions, "ann").await;
    clock.advance(SECOND);
    let second = signed_in(&sessions, "ann").await;
    signed_in(&sessions, "bob").await;
    created(&sessions, NewSession::new()).await;
    let handles: Vec<RecordKey> = sessions.sessions_of("ann").await.unwrap().iter().map(|record| record.key).collect();
    assert_eq!(handles, [second.handle(), first.handle()]);
    assert_eq!(sessions.sessions_of("nobody").await.unwrap(), []);
    assert_eq!(sessions.list(100).await.unwrap().len(), 4);
}

/// R28.
#[tokio::test]
async fn any_session_can_be_ended_by_its_handle() {
    let sessions = sessions();
    let (here, there) = (signed_in(&sessions, "ann").await, signed_in(&sessions, "ann").await);
    let handle: RecordKey = there.handle().to_string().parse().unwrap();
    sessions.end(&handle).await.unwrap();
    sessions.end(&handle).await.unwrap();
    assert!(!is_alive(&sessions, &there.id()).await);
    assert!(is_alive(&sessions, &here.id()).await);
}

/// R28.
#[tokio::test]
async fn all_other_sessions_can_be_ended() {
    let sessions = sessions();
    let here = signed_in(&sessions, "ann").await;
    let others = [signed_in(&sessions, "ann").await, signed_in(&sessions, "ann").await];
    let bob = signed_in(&sessions, "bob").await;
    assert_eq!(sessions.end_others(&here).await.unwrap(), 2);
    for other in others {
        assert!(!is_alive(&sessions, &other.id()).await);
    }
    assert!(is_alive(&sessions, &here.id()).await && is_alive(&sessions, &bob.id()).await);
    assert_eq!(sessions.end_all_of("ann").await.unwrap(), 1);
    assert!(!is_alive(&sessions, &here.id()).await);
    assert_eq!(sessions.counters().ended, 3);
}

#[tokio::test]
async fn nobody_has_no_other_sessions() {
    let sessions = sessions();
    let (one, other) = (created(&sessions, NewSession::new()).await, created(&sessions, NewSession::new()).await);
    assert_eq!(sessions.end_others(&one).await.unwrap(), 0);
    assert!(is_alive(&sessions, &other.id()).await);
}

#[tokio::test]
async fn a_login_that_ends_the_users_other_sessions_stands() {
    let sessions = sessions();
    let before = signed_in(&sessions, "ann").await;
    let visit = request(&sessions, &before.id()).await;
    let session = visit.start(NewSession::new().principal("ann")).unwrap();
    assert_eq!(sessions.end_others(&session).await.unwrap(), 1);
    let id = issued(answer(&visit).await);
    assert!(is_alive(&sessions, &id).await);
    assert!(!is_alive(&sessions, &before.id()).await);
}

fn limited(store: impl Store, limit: usize) -> (SessionManager, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let builder = SessionManager::builder(store).clock(Arc::clone(&clock)).max_sessions_per_principal(limit);
    (build(builder), clock)
}

#[tokio::test]
async fn another_managers_session_is_refused_where_it_would_end_nothing() {
    let (sessions, _) = limited(MemoryStore::new(), 9);
    let (others, _) = limited(MemoryStore::new(), 9);
    let ann = signed_in(&sessions, "ann").await;
    assert!(others.end_others(&ann).await.unwrap_err().to_string().contains("another manager"));
    assert_eq!(sessions.end_others(&ann).await.unwrap(), 0);
}

/// R29.
#[tokio::test]
async fn the_oldest_session_ends_when_there_are_too_many() {
    let (sessions, clock) = limited(MemoryStore::new(), 2);
    let bob = signed_in(&sessions, "bob").await;
    let mut anns = Vec::new();
    for _ in 0..4 {
        clock.advance(SECOND);
        anns.push(signed_in(&sessions, "ann").await);
    }
    let mut alive = Vec::new();
    for ann in &anns {
        alive.push(is_alive(&sessions, &ann.id()).await);
    }
    assert_eq!(alive, [false, false, true, true]);
    assert!(is_alive(&sessions, &bob.id()).await);
    // Renewing is no login.
    anns[3].renew_id().unwrap();
    anns[3].save().await.unwrap();
    assert!(is_alive(&sessions, &anns[2].id()).await);
}

#[tokio::test]
async fn a_login_stays_even_if_the_clock_says_that_it_is_the_oldest() {
    let (sessions, clock) = limited(MemoryStore::new(), 1);
    let first = signed_in(&sessions, "ann").await;
    clock.set(sessions.now().saturating_sub(MINUTE));
    let second = signed_in(&sessions, "ann").await;
    assert!(is_alive(&sessions, &second.id()).await);
    assert!(!is_alive(&sessions, &first.id()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_at_the_same_moment_do_not_end_each_other() {
    for _ in 0..200 {
        let (sessions, _) = limited(MemoryStore::new(), 1);
        let logins: Vec<_> = (0..4)
            .map(|_| {
                let sessions = sessions.clone();
                tokio::spawn(async move { signed_in(&sessions, "ann").await.id() })
            })
            .collect();
        let mut alive = 0;
        for login in logins {
            let id = login.await.unwrap();
            alive += usize::from(is_alive(&sessions, &id).await);
        }
        assert!(alive >= 1, "all four are gone");
    }
}

#[tokio::test]
async fn a_login_over_an_anonymous_session_counts_for_the_limit() {
    let (sessions, clock) = limited(MemoryStore::new(), 1);
    let first = signed_in(&sessions, "ann").await;
    clock.advance(SECOND);
    let anonymous = created(&sessions, NewSession::new()).await;
    let visit = request(&sessions, &anonymous.id()).await;
    visit.start(NewSession::new().principal("ann")).unwrap();
    let id = issued(answer(&visit).await);
    assert!(is_alive(&sessions, &id).await);
    assert!(!is_alive(&sessions, &first.id()).await);
}

#[tokio::test]
async fn a_limit_that_can_not_work_is_refused_when_the_manager_is_built() {
    let none = SessionManager::builder(MemoryStore::new()).max_sessions_per_principal(0).build();
    assert!(none.unwrap_err().to_string().contains("at least 1"));
    let unsupported = SessionManager::builder(faulty().without_capabilities()).max_sessions_per_principal(3).build();
    assert!(unsupported.unwrap_err().to_string().contains("faulty"));
}

#[tokio::test]
async fn what_a_store_can_not_do_is_an_error_that_names_it() {
    let sessions = build(SessionManager::builder(faulty().without_capabilities()));
    assert_eq!(sessions.capabilities(), Capabilities::NONE);
    let session = signed_in(&sessions, "ann").await;
    let answers = [
        sessions.sessions_of("ann").await.map(drop),
        sessions.list(1).await.map(drop),
        sessions.end_all_of("ann").await.map(drop),
        sessions.end_others(&session).await.map(drop),
    ];
    for answer in answers {
        let Err(Error::Store(error)) = answer else { panic!("{answer:?}") };
        assert!(error.is_unsupported() && error.to_string().contains("faulty"), "{error}");
    }
    assert!(is_alive(&sessions, &session.id()).await);
}

#[tokio::test]
async fn the_index_names_principals_by_hash_only() {
    assert_ne!(PrincipalKey::of("ann"), PrincipalKey::of("Ann"));
    assert!(!format!("{:?}", PrincipalKey::of("ann")).contains("ann"));
}
