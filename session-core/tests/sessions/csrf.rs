//! R36: a value for forms that is bound to the session.

use super::*;

#[tokio::test]
async fn each_session_has_its_own_secret_and_each_form_its_own_token() {
    let sessions = sessions();
    let ann = created(&sessions, NewSession::new().principal("ann")).await;
    let eve = created(&sessions, NewSession::new().principal("eve")).await;
    let again = found(&sessions, &ann.id()).await.unwrap();
    let tokens = [ann.csrf_token().unwrap(), again.csrf_token().unwrap()];
    assert_ne!(tokens[0], tokens[1], "a compressed page must not show the same text twice");
    for token in &tokens {
        assert!(ann.check_csrf(token) && again.check_csrf(token));
        assert!(!eve.check_csrf(token));
    }
}

#[tokio::test]
async fn only_the_sessions_own_token_is_accepted() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    let other = created(&sessions, NewSession::new()).await.csrf_token().unwrap();
    let token = session.csrf_token().unwrap();
    let (shorter, longer, upper) = (&token[..42], format!("{token}A"), token.to_uppercase());
    let (id, handle) = (session.id(), session.handle().to_string());
    for wrong in ["", " ", "wrong", "é", shorter, &longer, &upper, &other, id.as_str(), &handle, &"A".repeat(43)] {
        assert!(!session.check_csrf(wrong), "{wrong:?}");
    }
}

/// Whether a form that was made before the request does its changes is still accepted after it, and one that the request
/// shows after them.
async fn accepted_after(new: NewSession, change: impl Fn(&Session)) -> (bool, bool) {
    let sessions = sessions();
    let id = created(&sessions, new).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    let before = session.csrf_token().unwrap();
    change(&session);
    let shown = session.csrf_token().unwrap();
    let renewed = found(&sessions, &issued(answer(&visit).await)).await.unwrap();
    (renewed.check_csrf(&before), renewed.check_csrf(&shown))
}

#[tokio::test]
async fn forms_outlive_a_plain_renewal() {
    let renew = |session: &Session| session.renew_id().unwrap();
    assert_eq!(accepted_after(NewSession::new().principal("ann"), renew).await, (true, true));
    let again = |session: &Session| session.remember(DAY).unwrap();
    assert_eq!(accepted_after(NewSession::new().principal("ann"), again).await, (true, true));
    // An application may sign a visitor in by renewing an anonymous session.
    assert_eq!(accepted_after(NewSession::new(), renew).await, (false, true));
}

#[tokio::test]
async fn forms_outlive_several_renewals() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new().principal("ann")).await;
    let token = session.csrf_token().unwrap();
    for _ in 0..3 {
        session.renew_id().unwrap();
        session.save().await.unwrap();
        let again = found(&sessions, &session.id()).await.unwrap();
        assert!(again.check_csrf(&token) && session.check_csrf(&token));
    }
}

#[tokio::test]
async fn forms_do_not_outlive_an_authentication() {
    let again = |session: &Session| session.reauthenticate(Authentication::by(["pwd"])).unwrap();
    assert_eq!(accepted_after(NewSession::new().principal("ann"), again).await, (false, true));
    let both = |session: &Session| {
        session.renew_id().unwrap();
        again(session);
    };
    assert_eq!(accepted_after(NewSession::new().principal("ann"), both).await, (false, true));
}

#[tokio::test]
async fn a_login_replaces_the_secret() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let before = visit.session().unwrap().csrf_token().unwrap();
    let ann = visit.start(NewSession::new().principal("ann").keep(&visit.session().unwrap())).unwrap();
    assert!(!ann.check_csrf(&before));
    let shown = ann.csrf_token().unwrap();
    let stored = found(&sessions, &issued(answer(&visit).await)).await.unwrap();
    assert!(stored.check_csrf(&shown) && !stored.check_csrf(&before));
}

#[tokio::test]
async fn a_token_is_neither_an_id_nor_a_handle() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    let token = session.csrf_token().unwrap();
    assert_ne!(token, session.id().as_str());
    assert_ne!(token, session.handle().to_string());
    assert!(sessions.get(&token).await.unwrap().is_none());
    sessions.end(&token.parse().expect("it has a handle's form")).await.unwrap();
    assert!(is_alive(&sessions, &session.id()).await);
}
