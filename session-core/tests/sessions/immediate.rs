//! A store that answers at once, and not always as one would like.

use parking_lot::Mutex;
use session_core::{
    AttrKey, Created, ImmediateStore, Purged, Record, RecordKey, Renewed, Saved, StoreError, Time, Version,
};

use super::*;

const COUNT: AttrKey<u32> = AttrKey::new("Count");
const COLOR: AttrKey<String> = AttrKey::new("Color");

#[derive(Clone, Default)]
struct AtOnce {
    inner: MemoryStore,
    save_fails: Arc<Mutex<bool>>,
}

impl AtOnce {
    fn fail_next_save(&self) {
        *self.save_fails.lock() = true;
    }
}

impl Store for AtOnce {
    fn name(&self) -> &'static str {
        "at once"
    }
    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.inner.create(record).await
    }
    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.inner.load(key, now).await
    }
    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        self.save_now(record, expected).expect("it answers")
    }
    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.inner.touch(key, accessed).await
    }
    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        self.inner.renew(old, expected, record).await
    }
    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }
    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.inner.purge_expired(now, limit).await
    }
    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        Some(self)
    }
}

impl ImmediateStore for AtOnce {
    fn never_waits(&self) -> bool {
        true
    }
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        self.inner.load_now(key, now)
    }
    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Saved, StoreError>> {
        if std::mem::take(&mut *self.save_fails.lock()) {
            return Some(Err(StoreError::refused("at once", "disk full")));
        }
        self.inner.save_now(record, expected)
    }
}

async fn opened() -> (AtOnce, SessionManager, Visit, Session) {
    let store = AtOnce::default();
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
    store.fail_next_save();
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
