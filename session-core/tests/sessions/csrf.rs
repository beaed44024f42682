//! R36: a value for forms that is bound to the session.

use super::*;

#[tokio::test]
async fn each_session_has_its_own_token_and_keeps_it() {
    let sessions = sessions();
    let ann = created(&sessions, NewSession::new().principal("ann")).await;
    let eve = created(&sessions, NewSession::new().principal("eve")).await;
    let again = found(&sessions, &ann.id()).await.unwrap();
    assert_eq!(ann.csrf_token(), again.csrf_token());
    assert_ne!(ann.csrf_token(), eve.csrf_token());
    assert!(again.check_csrf(&ann.csrf_token()));
}

#[tokio::test]
async fn only_the_sessions_own_token_is_accepted() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    let other = created(&sessions, NewSession::new()).await.csrf_token();
    let token = session.csrf_token();
    let (shorter, longer, upper) = (&token[..42], format!("{token}A"), token.to_uppercase());
    let (id, handle) = (session.id(), session.handle().to_string());
    for wrong in ["", " ", "wrong", "é", shorter, &longer, &upper, &other, id.as_str(), &handle] {
        assert!(!session.check_csrf(wrong), "{wrong:?}");
    }
}

#[tokio::test]
async fn renewing_changes_the_token() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    let before = session.csrf_token();
    session.renew_id().unwrap();
    // The page that this request answers is for the new id.
    let shown = session.csrf_token();
    assert_ne!(shown, before);
    let renewed = found(&sessions, &issued(answer(&visit).await)).await.unwrap();
    assert!(renewed.check_csrf(&shown));
    assert!(!renewed.check_csrf(&before));
}

#[tokio::test]
async fn a_token_is_neither_an_id_nor_a_handle() {
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    let token = session.csrf_token();
    assert_ne!(token, session.id().as_str());
    assert_ne!(token, session.handle().to_string());
    assert!(sessions.get(&token).await.unwrap().is_none());
    sessions.end(&token.parse().expect("it has a handle's form")).await.unwrap();
    assert!(is_alive(&sessions, &session.id()).await);
}
