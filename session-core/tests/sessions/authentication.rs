//! T40, T41: when and how a user has proven who they are.

use session_core::Time;

use super::*;

/// Two managers whose clocks stand still: one of a store that is waited for, one of a store that answers at once.
fn worlds(
    settings: impl Fn(SessionManagerBuilder) -> SessionManagerBuilder,
) -> [(SessionManager, Arc<ManualClock>); 2] {
    [faulty(), FaultyStore::at_once(MemoryStore::new())].map(|store| {
        let clock = Arc::new(ManualClock::default());
        (build(settings(SessionManager::builder(store).clock(Arc::clone(&clock)))), clock)
    })
}

fn ann() -> NewSession {
    NewSession::new().principal("ann")
}

fn password() -> Authentication {
    Authentication::by(["pwd"])
}

#[tokio::test]
async fn a_session_is_fresh_until_the_time_since_its_login_is_over() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, ann()).await;
    assert_eq!(session.authenticated_at(), Some(session.created()));
    clock.advance(MINUTE - MILLISECOND);
    assert!(session.is_fresh(MINUTE));
    clock.advance(MILLISECOND);
    assert!(!session.is_fresh(MINUTE), "exactly at the end it is over");
}

#[tokio::test]
async fn nobody_is_authenticated_in_an_anonymous_session() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    assert_eq!((session.authenticated_at(), session.is_fresh(HOUR)), (None, false));
    assert!(matches!(session.reauthenticate(password()), Err(Error::Config(_))));
    let refused = sessions.create(NewSession::new().authenticated(password())).await;
    assert!(matches!(refused, Err(Error::Config(error)) if error.to_string().contains("`principal`")));
}

#[tokio::test]
async fn a_login_tells_its_methods_and_a_later_proof_replaces_them() {
    for (sessions, clock) in worlds(|builder| builder) {
        let login = Authentication::by(["pwd", "otp"]).credentials("7");
        let id = created(&sessions, ann().authenticated(login)).await.id();
        let stored = found(&sessions, &id).await.unwrap();
        assert_eq!(stored.authentication_methods(), ["pwd", "otp"]);
        assert_eq!(stored.authenticated_at(), Some(stored.created()));

        clock.advance(MINUTE);
        let visit = request(&sessions, &id).await;
        let session = visit.session().unwrap();
        session.reauthenticate(Authentication::by(["hwk"])).unwrap();
        assert!(session.is_fresh(MILLISECOND));
        let again = found(&sessions, &issued(answer(&visit).await)).await.unwrap();
        assert_eq!(again.authentication_methods(), ["hwk"]);
        assert_eq!(again.authenticated_at(), Some(clock_now(&sessions)));
        assert!(again.has_credentials("7"), "the version stays if none is given");
        assert!(!is_alive(&sessions, &id).await, "the old id has ended");
    }
}

fn clock_now(sessions: &SessionManager) -> Time {
    sessions.now()
}

#[tokio::test]
async fn only_an_authentication_makes_a_session_fresh() {
    for (sessions, clock) in worlds(|builder| builder.renew_every(MINUTE * 5)) {
        let mut id = created(&sessions, ann()).await.id();
        clock.advance(MINUTE * 2);
        for change in [
            |session: &Session| session.renew_id().unwrap(),
            |session: &Session| session.remember(HOUR).unwrap(),
            |session: &Session| session.stop_remembering().unwrap(),
        ] {
            let visit = request(&sessions, &id).await;
            change(&visit.session().unwrap());
            id = issued(answer(&visit).await);
            assert!(!found(&sessions, &id).await.unwrap().is_fresh(MINUTE));
        }
        clock.advance(MINUTE * 6);
        let offered = issued(answer(&request(&sessions, &id).await).await);
        assert!(!found(&sessions, &offered).await.unwrap().is_fresh(MINUTE));
    }
}

#[tokio::test]
async fn a_proof_that_was_elsewhere_counts_from_then() {
    let (sessions, _) = managed(MemoryStore::new());
    let long_ago = sessions.now().saturating_sub(HOUR);
    let session = created(&sessions, ann().authenticated(password().at(long_ago))).await;
    assert_eq!(session.authenticated_at(), Some(long_ago));
    assert!(!session.is_fresh(MINUTE) && session.is_fresh(HOUR + MINUTE));
    // A clock elsewhere that is ahead makes nobody fresh for longer.
    let ahead = sessions.now().saturating_add(HOUR);
    let session = created(&sessions, ann().authenticated(password().at(ahead))).await;
    assert_eq!(session.authenticated_at(), Some(sessions.now()));
    session.reauthenticate(password().at(ahead)).unwrap();
    assert_eq!(session.authenticated_at(), Some(sessions.now()));
}

#[tokio::test]
async fn whoever_comes_by_an_old_id_is_not_fresh_and_can_not_authenticate() {
    for (sessions, _) in worlds(|builder| builder.renewal_grace(MINUTE)) {
        let id = created(&sessions, ann()).await.id();
        let visit = request(&sessions, &id).await;
        visit.session().unwrap().renew_id().unwrap();
        issued(answer(&visit).await);
        let visit = request(&sessions, &id).await;
        let by_grace = visit.session().expect("the old id goes on");
        assert!(!by_grace.is_fresh(HOUR));
        assert!(matches!(by_grace.reauthenticate(password()), Err(Error::OldId(_))));
        assert!(matches!(by_grace.remember(HOUR), Err(Error::OldId(_))));
    }
}

#[tokio::test]
async fn an_old_id_gets_no_grace_after_an_authentication() {
    for (sessions, clock) in worlds(|builder| builder.renewal_grace(MINUTE)) {
        let id = created(&sessions, ann()).await.id();
        let visit = request(&sessions, &id).await;
        visit.session().unwrap().reauthenticate(password()).unwrap();
        let new = issued(answer(&visit).await);
        assert!(!is_alive(&sessions, &id).await);
        clock.advance(MILLISECOND);
        assert!(is_alive(&sessions, &new).await);
    }
}

#[tokio::test]
async fn a_request_from_before_writes_nothing_into_what_came_after_an_authentication() {
    for (sessions, _) in worlds(|builder| builder.renewal_grace(MINUTE)) {
        let id = created(&sessions, ann()).await.id();
        let (under_way, visit) = (request(&sessions, &id).await, request(&sessions, &id).await);
        visit.session().unwrap().reauthenticate(password()).unwrap();
        let new = issued(answer(&visit).await);
        let held = under_way.session().unwrap();
        assert_gone(held.update_attr("Planted", |_: Option<u32>| 1).await);
        assert_unchanged(answer(&under_way).await);
        assert_eq!(found(&sessions, &new).await.unwrap().attr::<u32>("Planted").unwrap(), None);
    }
}

#[tokio::test]
async fn ending_under_the_old_id_follows_an_authentication() {
    for (sessions, _) in worlds(|builder| builder) {
        let session = created(&sessions, ann()).await;
        let (id, old) = (session.id(), session.handle());
        let visit = request(&sessions, &id).await;
        visit.session().unwrap().reauthenticate(password()).unwrap();
        let new = issued(answer(&visit).await);
        assert!(sessions.end(&old).await.unwrap());
        assert!(!is_alive(&sessions, &new).await);
    }
}

#[tokio::test]
async fn an_authentication_that_meets_a_renewal_still_gets_an_id_of_its_own() {
    for (sessions, _) in worlds(|builder| builder) {
        let id = created(&sessions, ann()).await.id();
        let (proving, renewing) = (request(&sessions, &id).await, request(&sessions, &id).await);
        renewing.session().unwrap().renew_id().unwrap();
        let renewed = issued(answer(&renewing).await);
        proving.session().unwrap().reauthenticate(password()).unwrap();
        let proven = issued(answer(&proving).await);
        assert_ne!(proven, renewed);
        assert!(!is_alive(&sessions, &renewed).await, "whoever holds it has not authenticated");
        assert_eq!(found(&sessions, &proven).await.unwrap().authentication_methods(), ["pwd"]);
    }
}

#[tokio::test]
async fn saving_before_the_answer_gives_the_old_id_nothing_of_the_authentication() {
    for (sessions, clock) in worlds(|builder| builder) {
        let id = created(&sessions, ann()).await.id();
        clock.advance(HOUR / 4);
        let visit = request(&sessions, &id).await;
        let session = visit.session().unwrap();
        session.reauthenticate(password()).unwrap();
        session.set_attr("Saved", &1).unwrap();
        session.save().await.unwrap();
        let old = found(&sessions, &id).await.expect("the renewal is not done yet");
        assert!(!old.is_fresh(MINUTE) && old.authentication_methods().is_empty());
        assert_eq!(old.attr::<u32>("Saved").unwrap(), Some(1));
        session.discard();
        assert!(!session.is_fresh(MINUTE));
    }
}

#[tokio::test]
async fn a_changed_password_ends_what_was_authenticated_with_the_old_one() {
    let sessions = sessions();
    let login = || ann().authenticated(password().credentials("hash 1"));
    let (here, there) = (created(&sessions, login()).await, created(&sessions, login()).await);
    assert!(here.has_credentials("hash 1") && there.has_credentials("hash 1"));
    here.reauthenticate(password().credentials("hash 2")).unwrap();
    here.save().await.unwrap();
    let here = found(&sessions, &here.id()).await.unwrap();
    assert!(here.has_credentials("hash 2") && !here.has_credentials("hash 1"));
    assert!(!found(&sessions, &there.id()).await.unwrap().has_credentials("hash 2"));
    assert!(!created(&sessions, ann()).await.has_credentials(""), "no version is the same as none");
}

#[tokio::test]
async fn names_of_methods_have_an_end() {
    let sessions = sessions();
    for methods in [vec![String::new()], vec!["x".repeat(257)], vec!["x".repeat(100); 3]] {
        let refused = sessions.create(ann().authenticated(Authentication::by(methods.clone()))).await;
        assert!(matches!(refused, Err(Error::Config(_))), "{methods:?}");
        let session = created(&sessions, ann()).await;
        assert!(matches!(session.reauthenticate(Authentication::by(methods)), Err(Error::Config(_))));
    }
    assert!(sessions.create(ann().authenticated(Authentication::by(["x".repeat(256)]))).await.is_ok());
}
