use crate::manager::SessionManager;
use crate::record::{Audience, Record};
use crate::session::NewSession;
use crate::store::Store;

use super::support::{create, edited, fresh_record, load, now, renew, renewed, save};

/// The manager of one of several applications that share the store.
fn application(store: &(impl Store + Clone), audience: &str) -> SessionManager {
    let builder = SessionManager::builder(store.clone()).audience(audience).without_background_purge();
    builder.build().expect("these settings work")
}

/// An id opens nothing in another application on the same store, which leaves the session alone.
pub async fn session_of_another_audience_opens_nothing_and_is_left_alone(store: &(impl Store + Clone)) {
    let [shop, staff, default] = ["shop", "staff", Audience::DEFAULT].map(|audience| application(store, audience));
    for (starts, others) in [(&shop, [&staff, &default]), (&default, [&shop, &staff])] {
        let session = starts.create(NewSession::new().attr("Count", &1)).await.expect("the store works");
        let before = load(store, &session.handle(), now()).await.expect("the session is stored");
        for other in others {
            assert!(other.get(session.id().as_str()).await.expect("the store works").is_none());
            assert_eq!(other.counters().rejected_ids, other.counters().other_audiences);
        }
        assert_eq!(load(store, &session.handle(), now()).await, Some(before));
        assert!(starts.get(session.id().as_str()).await.expect("the store works").is_some());
    }
    assert_eq!([&shop, &staff, &default].map(|manager| manager.counters().other_audiences), [1, 2, 1]);
}

/// The audience stays what it was when a session is saved and renewed.
pub async fn audience_survives_saves_and_renewals(store: &impl Store) {
    for name in ["shop", &"x".repeat(Audience::MAX_BYTES)] {
        let audience = Audience::new(name).expect("it is a name");
        let record = Record { audience: audience.clone(), ..fresh_record() };
        create(store, &record).await;
        let saved = edited(&record, "Color", "blue");
        let _done = save(store, &saved, record.version).await;
        assert_eq!(load(store, &record.key, now()).await.expect("it is stored").audience, audience);
        let renewed = renewed(&saved);
        let _done = renew(store, &saved, &renewed).await;
        assert_eq!(load(store, &renewed.key, now()).await.expect("it is stored").audience, audience);
    }
}
