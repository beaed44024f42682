//! What a login copies from the session before it, and what it leaves behind.

use serde_json::json;

use super::events::Log;
use super::*;

/// What a user has in their session.
fn of(principal: &str) -> NewSession {
    NewSession::new().principal(principal).attr("Cart", &[1]).attr("Medical", "secret").attr("Theme", "dark")
}

/// Signs somebody in over the session of this id, and gives what the new session has.
async fn copied(sessions: &SessionManager, id: &SessionId, login: impl FnOnce(&Session) -> NewSession) -> Session {
    let visit = request(sessions, id).await;
    let before = visit.session().unwrap();
    visit.start(login(&before)).unwrap();
    let new_id = issued(answer(&visit).await);
    found(sessions, &new_id).await.unwrap()
}

/// R50.
#[tokio::test]
async fn keep_leaves_the_attributes_of_another_user_behind() {
    let sessions = sessions();
    let logins: [fn(&Session) -> NewSession; 4] = [
        |anns| NewSession::new().principal("bob").keep(anns).attr("Own", &1),
        |anns| NewSession::new().keep(anns).principal("bob").attr("Own", &1),
        // Whoever signs in after that would get them from an anonymous session.
        |anns| NewSession::new().keep(anns).attr("Own", &1),
        |anns| NewSession::new().keep_only(anns, ["Theme"]).principal("Ann").keep(anns).attr("Own", &1),
    ];
    for login in logins {
        let anns = created(&sessions, of("ann")).await.id();
        let session = copied(&sessions, &anns, login).await;
        assert_eq!(json!(session.attrs()), json!({"Own": 1}));
        assert!(!is_alive(&sessions, &anns).await);
    }
}

#[tokio::test]
async fn keep_copies_from_an_anonymous_session_and_from_one_of_the_same_user() {
    let sessions = sessions();
    for before in [NewSession::new().attr("Cart", &[1]), NewSession::new().principal("ann").attr("Cart", &[1])] {
        let id = created(&sessions, before).await.id();
        let session = copied(&sessions, &id, |before| {
            let new = NewSession::new().keep(before).principal("ann");
            assert!(new.left_behind().is_empty());
            new
        });
        assert_eq!(json!(session.await.attrs()), json!({"Cart": [1]}));
    }
    let id = created(&sessions, NewSession::new().attr("Cart", &[1])).await.id();
    let anonymous = copied(&sessions, &id, |before| NewSession::new().keep(before)).await;
    assert_eq!(json!(anonymous.attrs()), json!({"Cart": [1]}));
}

/// R50.
#[tokio::test]
async fn keep_only_copies_what_it_names_whoever_was_signed_in() {
    let sessions = sessions();
    for before in [of("ann"), of("bob"), NewSession::new().attr("Medical", &1).attr("Theme", "dark")] {
        let id = created(&sessions, before).await.id();
        let session = copied(&sessions, &id, |before| {
            NewSession::new().principal("bob").attr("Own", &1).keep_only(before, ["Theme", "Unknown"])
        });
        assert_eq!(json!(session.await.attrs()), json!({"Own": 1, "Theme": "dark"}));
    }
}

#[tokio::test]
async fn what_others_write_meanwhile_travels_only_if_it_is_named() {
    let sessions = sessions();
    let anns = created(&sessions, of("ann")).await;
    let visit = request(&sessions, &anns.id()).await;
    let before = visit.session().unwrap();
    before.set_attr("Here", &1).unwrap();
    before.set_attr("New", &1).unwrap();
    visit.start(NewSession::new().principal("bob").keep_only(&before, ["Theme", "New"])).unwrap();
    anns.set_attr("Theme", "light").unwrap();
    anns.set_attr("Medical", "more").unwrap();
    anns.save().await.unwrap();
    let bobs = issued(answer(&visit).await);
    assert_eq!(json!(found(&sessions, &bobs).await.unwrap().attrs()), json!({"New": 1, "Theme": "light"}));
}

/// R50.
#[tokio::test]
async fn what_another_user_writes_meanwhile_stays_behind() {
    let sessions = sessions();
    let anns = created(&sessions, of("ann")).await;
    let visit = request(&sessions, &anns.id()).await;
    visit.start(NewSession::new().principal("bob").keep(&visit.session().unwrap())).unwrap();
    anns.set_attr("Medical", "more").unwrap();
    anns.save().await.unwrap();
    let bobs = issued(answer(&visit).await);
    assert!(found(&sessions, &bobs).await.unwrap().attrs().is_empty());
}

#[tokio::test]
async fn what_is_left_behind_is_told() {
    let sessions = sessions();
    let anns = created(&sessions, of("ann")).await;
    let new = NewSession::new().keep(&anns);
    assert_eq!(new.left_behind(), ["Cart", "Medical", "Theme"]);
    assert!(new.principal("ann").left_behind().is_empty());
    assert_eq!(NewSession::new().keep_only(&anns, ["Theme"]).left_behind(), ["Cart", "Medical"]);
    assert!(of("bob").left_behind().is_empty());
}

#[tokio::test]
async fn the_first_time_that_another_users_attributes_stay_behind_is_a_warning_with_the_fix() {
    let (log, _guard) = Log::capture();
    let sessions = sessions();
    for _ in 0..20 {
        let anns = created(&sessions, of("ann")).await.id();
        copied(&sessions, &anns, |anns| NewSession::new().principal("bob").keep(anns)).await;
        let anns = created(&sessions, of("ann")).await.id();
        copied(&sessions, &anns, |anns| NewSession::new().principal("bob").keep_only(anns, ["Theme"])).await;
        let anonymous = created(&sessions, NewSession::new().attr("Cart", &[1])).await.id();
        copied(&sessions, &anonymous, |anonymous| NewSession::new().principal("bob").keep(anonymous)).await;
    }
    let warnings = log.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("`keep_only`") && warnings[0].contains("Medical"), "{warnings:?}");
    let told = |line: &&String| line.contains("DEBUG") && line.contains("left_behind");
    assert_eq!(log.lines().iter().filter(told).count(), 39);
    assert!(!log.lines().iter().any(|line| line.contains("dark") || line.contains("secret")), "values are secret");
}
