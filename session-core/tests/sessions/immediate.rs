//! A store that answers at once, and not always as one would like.

use session_core::AttrKey;

use super::*;

const COUNT: AttrKey<u32> = AttrKey::new("Count");
const COLOR: AttrKey<String> = AttrKey::new("Color");

async fn opened() -> (FaultyStore, SessionManager, Visit, Session) {
    let store = FaultyStore::at_once(MemoryStore::new());
    let (sessions, _) = managed(store.clone());
    let id = sessions.create(NewSession::new().attr(COUNT, &0)).await.unwrap().id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    (store, sessions, visit, session)
}

#[tokio::test]
async fn an_update_that_was_not_saved_is_not_seen() {
    let (store, sessions, visit, session) = opened().await;
    session.set_attr(COLOR, "blue").unwrap();
    store.faults().fail_next(Operation::Save, Fault::Refused);
    let failed = session.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await;
    assert!(matches!(failed, Err(Error::Store(_))), "{failed:?}");
    assert_eq!(session.attr(COUNT).unwrap(), Some(0));
    assert_eq!(session.attr(COLOR).unwrap().as_deref(), Some("blue"));

    assert_eq!(session.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await.unwrap(), 1);
    visit.commit().await.unwrap();
    let saved = found(&sessions, &session.id()).await.unwrap();
    assert_eq!(saved.attr(COUNT).unwrap(), Some(1));
    assert_eq!(saved.attr(COLOR).unwrap().as_deref(), Some("blue"));
    // It still knew the version that is stored.
    assert_eq!(sessions.counters().conflicts, 0);
}

#[tokio::test]
async fn an_update_of_a_session_that_ended_is_not_seen() {
    let (_, sessions, _, session) = opened().await;
    sessions.end(&session.handle()).await.unwrap();
    let failed = session.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await;
    assert!(matches!(failed, Err(Error::Gone)), "{failed:?}");
    assert_eq!(session.attr(COUNT).unwrap(), Some(0));
}

#[tokio::test]
async fn an_update_that_met_another_counts_once() {
    let (_, sessions, _, session) = opened().await;
    let other = found(&sessions, &session.id()).await.unwrap();
    assert_eq!(other.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await.unwrap(), 1);
    assert_eq!(session.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await.unwrap(), 2);
    assert_eq!(sessions.counters().conflicts, 1);
}
