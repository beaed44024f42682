//! Ids open sessions of one audience only: see `conformance/audiences.rs` for every store.

use session_core::{Audience, Created, Record, TieredStore, Version};

use super::*;

fn of(store: impl Store, audience: &str) -> SessionManager {
    build(SessionManager::builder(store).audience(audience))
}

#[tokio::test]
async fn two_durable_stores_behind_one_fast_store_do_not_mix() {
    let (cache, here, there) = (MemoryStore::new(), MemoryStore::new(), MemoryStore::new());
    let shop = of(TieredStore::new(cache.clone(), here), "shop");
    let staff = of(TieredStore::new(cache.clone(), there), "staff");
    let session = shop.create(NewSession::new().principal("ann")).await.unwrap();
    assert_eq!(cache.len(), 1, "the copy is there for both");
    assert!(staff.get(session.id().as_str()).await.unwrap().is_none());
    assert!(shop.get(session.id().as_str()).await.unwrap().is_some());
}

#[tokio::test]
async fn managers_without_a_setting_open_each_others_sessions() {
    let store = MemoryStore::new();
    let [one, other] = [store.clone(), store].map(|store| build(SessionManager::builder(store)));
    assert_eq!(one.audience(), Audience::DEFAULT);
    let session = one.create(NewSession::new()).await.unwrap();
    assert!(other.get(session.id().as_str()).await.unwrap().is_some());
}

/// A request under way that reloads the session finds it gone if somebody has put one of another audience in its
/// place.
#[tokio::test]
async fn a_session_whose_audience_changes_under_a_request_is_gone() {
    let store = MemoryStore::new();
    let sessions = of(store.clone(), "shop");
    let session = sessions.create(NewSession::new()).await.unwrap();
    let record = store.load(&session.handle(), sessions.now()).await.unwrap().unwrap();
    store.delete(&record.key).await.unwrap();
    let mut other = Record::new(record.key, record.version, sessions.now(), record.idle_timeout);
    other.version = Version::from_number(5 << 32);
    assert_eq!(store.create(&other).await.unwrap(), Created::Done);
    session.set_attr("Count", &1).unwrap();
    assert!(session.save().await.unwrap_err().is_gone());
    assert_eq!(store.load(&record.key, sessions.now()).await.unwrap(), Some(other));
}

/// The id that the visitor has there leads, by a note, to the one that was offered.
#[tokio::test]
async fn a_login_leaves_a_session_of_another_application_that_was_offered_a_new_id() {
    let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::default()));
    let of = |audience| {
        let builder = SessionManager::builder(store.clone()).audience(audience).clock(Arc::clone(&clock));
        build(builder.renew_every(MINUTE))
    };
    let (shop, staff) = (of("shop"), of("staff"));
    let id = created(&shop, NewSession::new().principal("ann")).await.id();
    clock.advance(2 * MINUTE);
    issued(answer(&request(&shop, &id).await).await);
    let visit = request(&staff, &id).await;
    visit.start(NewSession::new().principal("bob")).unwrap();
    issued(answer(&visit).await);
    assert!(is_alive(&shop, &id).await);
}

/// A note leads to it, from an id that was replaced.
#[tokio::test]
async fn a_session_of_another_application_is_not_opened_by_an_id_that_it_had() {
    let store = MemoryStore::new();
    let of = |audience| build(SessionManager::builder(store.clone()).audience(audience).renewal_grace(MINUTE));
    let (shop, staff) = (of("shop"), of("staff"));
    let session = created(&shop, NewSession::new().principal("ann")).await;
    let old = session.id();
    session.renew_id().unwrap();
    session.save().await.unwrap();
    assert!(is_alive(&shop, &old).await);
    assert!(!is_alive(&staff, &old).await);
    assert!(is_alive(&shop, &session.id()).await, "it is left alone");
}

#[test]
fn an_audience_that_is_no_name_is_refused() {
    for name in ["", "shop ", "sh op", "schön"] {
        let builder = SessionManager::builder(MemoryStore::new()).audience(name);
        assert!(builder.build().unwrap_err().to_string().contains("`audience`"), "{name:?}");
    }
}
