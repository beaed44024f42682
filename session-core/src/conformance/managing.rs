use crate::manager::SessionManager;
use crate::session::{NewSession, Session};
use crate::store::Store;

use super::support::{attributes, is_alive, load, now};

/// Text that is not an id opens no session, and is no error.
pub async fn malformed_ids_open_nothing(store: &(impl Store + Clone)) {
    let sessions = manager(store);
    let long = "x".repeat(100_000);
    for text in [
        "",
        " ",
        "short",
        "with space in it, long enough",
        "new\r\nline, and long enough",
        "ünïcödé, and long enough",
        &long,
    ] {
        assert!(sessions.get(text).await.expect("the store works").is_none(), "{text:?}");
    }
}

/// The handle of a session does not work as its id.
pub async fn handle_opens_nothing(store: &(impl Store + Clone)) {
    let sessions = manager(store);
    let session = sessions.create(NewSession::new()).await.expect("the store works");
    assert!(is_alive(store, &session.handle(), now()).await);
    assert!(sessions.get(&session.handle().to_string()).await.expect("the store works").is_none());
    assert!(!session.handle().to_string().contains(session.id().as_str()));
}

/// Of several changes of one attribute in one save, the last counts.
pub async fn effects_on_one_attribute_in_one_save_leave_the_last(store: &(impl Store + Clone)) {
    let session = manager(store).create(NewSession::new().attr("c", &1).attr("d", &1)).await.expect("the store works");
    let edit = || {
        session.set_attr("a", &1)?;
        session.set_attr("a", &2)?;
        session.set_attr("b", &1)?;
        session.remove_attr("b")?;
        session.set_attr("c", &2)?;
        session.remove_attr("c")?;
        session.remove_attr("d")?;
        session.set_attr("d", &2)
    };
    edit().expect("the session is there");
    session.save().await.expect("the store works");
    let loaded = load(store, &session.handle(), now()).await.expect("it is alive");
    assert_eq!(loaded.attributes, attributes([("a", 2.into()), ("d", 2.into())]));
}

/// Two processes that load the same session and write different attributes lose neither.
pub async fn writers_of_different_attributes_both_survive(store: &(impl Store + Clone)) {
    let (here, there) = two_handles(store).await;
    here.set_attr("Here", &1).expect("the session is there");
    there.set_attr("There", &2).expect("the session is there");
    here.save().await.expect("the store works");
    there.save().await.expect("the store works");
    let loaded = load(store, &here.handle(), now()).await.expect("it is alive");
    assert_eq!(loaded.attributes, attributes([("Here", 1.into()), ("There", 2.into())]));
}

/// Of two processes that load the same session and write the same attribute, the later save wins.
pub async fn writers_of_one_new_attribute_do_not_fail(store: &(impl Store + Clone)) {
    let (here, there) = two_handles(store).await;
    here.set_attr("Same", "here").expect("the session is there");
    there.set_attr("Same", "there").expect("the session is there");
    here.save().await.expect("the store works");
    there.save().await.expect("the store works");
    let loaded = load(store, &here.handle(), now()).await.expect("it is alive");
    assert_eq!(loaded.attributes, attributes([("Same", "there".into())]));
}

/// A renewed session keeps what it has, and what another process wrote before the renewal. The old id is dead.
pub async fn renewed_session_keeps_everything_and_its_old_id_is_dead(store: &(impl Store + Clone)) {
    let (here, there) = two_handles(store).await;
    let old = here.id();
    there.set_attr("There", &2).expect("the session is there");
    there.save().await.expect("the store works");
    here.set_attr("Here", &1).expect("the session is there");
    here.renew_id().expect("the session is there");
    here.save().await.expect("the store works");
    let sessions = manager(store);
    assert!(sessions.get(old.as_str()).await.expect("the store works").is_none());
    let renewed = sessions.get(here.id().as_str()).await.expect("the store works").expect("it is alive");
    assert_eq!(renewed.attrs(), attributes([("Here", 1.into()), ("There", 2.into())]));
}

/// Closing a store twice is no error. It can't be used afterwards, so give this a store that no other test uses.
pub async fn close_twice_is_safe(store: &impl Store) {
    store.close().await.expect("the store works");
    store.close().await.expect("the store works");
}

/// A manager stands for a process: managers share only the store.
pub(super) fn manager(store: &(impl Store + Clone)) -> SessionManager {
    let builder = SessionManager::builder(store.clone()).without_background_purge();
    builder.build().expect("these settings work")
}

/// One session, loaded by two processes.
async fn two_handles(store: &(impl Store + Clone)) -> (Session, Session) {
    let here = manager(store).create(NewSession::new()).await.expect("the store works");
    let there = manager(store).get(here.id().as_str()).await.expect("the store works");
    (here, there.expect("it was just stored"))
}
