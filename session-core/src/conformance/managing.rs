use crate::manager::SessionManager;
use crate::record::RecordKey;
use crate::session::{NewSession, Session};
use crate::store::Store;

use super::support::{attributes, fresh_principal, is_alive, load, now};

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

/// A user ends a session by its handle, also after it was renewed. The handle of somebody else's session ends nothing, nor
/// does that of a session of another audience or without a principal.
pub async fn ending_one_of_a_principal_ends_it_wherever_it_went_and_nobody_elses(store: &(impl Store + Clone)) {
    let (sessions, ann, bob) = (manager(store), fresh_principal(), fresh_principal());
    let end = async |principal: &str, handle: &RecordKey| {
        sessions.end_one_of(principal, handle).await.expect("the store works")
    };
    let session = sessions.create(NewSession::new().principal(&ann)).await.expect("the store works");
    let handles = [session.handle(), renewed_handle(&session).await, renewed_handle(&session).await];
    for handle in &handles {
        for other in [&bob, ""] {
            assert!(!end(other, handle).await);
        }
    }
    assert!(is_alive(store, &handles[2], now()).await);
    assert!(end(&ann, &handles[0]).await, "it is where two notes lead");
    assert!(!is_alive(store, &handles[2], now()).await);
    assert!(!end(&ann, &handles[2]).await, "it has ended already");

    let other = SessionManager::builder(store.clone()).audience("other").without_background_purge();
    let other = other.build().expect("these settings work");
    let elsewhere = other.create(NewSession::new().principal(&ann)).await.expect("the store works");
    let anonymous = sessions.create(NewSession::new()).await.expect("the store works");
    for session in [elsewhere, anonymous] {
        for principal in [&ann, ""] {
            assert!(!end(principal, &session.handle()).await);
        }
        assert!(is_alive(store, &session.handle(), now()).await);
    }
}

async fn renewed_handle(session: &Session) -> RecordKey {
    session.renew_id().expect("the session is there");
    session.save().await.expect("the store works");
    session.handle()
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
