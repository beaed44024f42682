//! Values of sessions: whatever happens to a session, neither an error nor a log line shows them.

use session_core::{Body, Codec, CodecError, Envelope, NewSession, SessionManager, Store};
use workspace_tests::log::Log;
use workspace_tests::records::*;

/// Part of every value here, and of nothing else.
const MARKER: &str = "xMARKERx";

/// Writes something that no codec of ours reads, with values in it.
struct Damaging;

impl Codec for Damaging {
    fn encode(&self, _: &Body, _: &Envelope) -> Result<Vec<u8>, CodecError> {
        Ok(format!("{{\"a\":\"{MARKER}\"}}").into_bytes())
    }

    fn decode(&self, _: &[u8], _: &Envelope) -> Result<Body, CodecError> {
        Err(CodecError::decode("nobody reads it"))
    }
}

/// A session that is started, read as another type, saved, renewed, listed and ended; then one that can't be read.
async fn assert_no_value_is_told<S: Store + Clone>(store: S, with_codec: impl Fn(S) -> S) {
    let (log, _guard) = Log::capture();
    let sessions = manager(&store);
    let value = format!("{MARKER} of the card");
    let new = NewSession::new().principal("ann").constant("Constant", &value).attr("Card", &value);
    let session = sessions.create(new).await.unwrap();
    let mut told = vec![format!("{session:?}")];
    for number in 0..2 {
        let again = sessions.get(session.id().as_str()).await.unwrap().unwrap();
        again.set_attr("Other", &format!("{value} {number}")).unwrap();
        again.save().await.unwrap();
        let error = again.attr::<u32>("Card").unwrap_err();
        told.push(error.to_string());
    }
    let record = load(&store, &session.handle()).await.unwrap();
    let envelope = Envelope::seal(&record, &session_core::JsonCodec).unwrap();
    told.push(format!("{record:?} {envelope:?} {:?}", record.attributes));
    session.renew_id().unwrap();
    session.save().await.unwrap_or_else(|error| assert!(error.is_gone()));

    let damaged = created(&with_codec(store.clone()), fresh_record()).await;
    for _ in 0..3 {
        assert_eq!(load(&store, &damaged.key).await, None);
    }
    store.close().await.unwrap();
    let told = told.join("\n");
    assert!(!told.contains(MARKER) && !log.text().contains(MARKER), "{told}\n{}", log.text());
    let bytes: Vec<String> = MARKER.bytes().take(5).map(|byte| byte.to_string()).collect();
    assert!(!told.contains(&bytes.join(", ")), "{told}");
    assert_eq!(log.lines_with("dropped a record that does not fit its key"), 1, "{}", log.text());
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn no_value_is_told_by_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = session_stores::SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    assert_no_value_is_told(store, |store| store.with_codec(Damaging)).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn no_value_is_told_by_postgres() {
    let Some(server) = workspace_tests::PostgresServer::start() else { return };
    let store = session_stores::PostgresStore::connect(&server.url()).await.unwrap();
    assert_no_value_is_told(store, |store| store.with_codec(Damaging)).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn no_value_is_told_by_redis() {
    let Some(server) = workspace_tests::RedisServer::start() else { return };
    let store = session_stores::RedisStore::connect(&server.url()).await.unwrap();
    assert_no_value_is_told(store, |store| store.with_codec(Damaging)).await;
    let store = session_stores::TrackedRedisStore::connect(&server.url()).await.unwrap();
    assert_no_value_is_told(store, |store| store.with_codec(Damaging)).await;
}

#[cfg(feature = "memcached")]
#[tokio::test]
async fn no_value_is_told_by_memcached() {
    let Some(server) = workspace_tests::MemcachedServer::start() else { return };
    let store = session_stores::MemcachedStore::connect(&server.url()).await.unwrap();
    assert_no_value_is_told(store, |store| store.with_codec(Damaging)).await;
}

#[cfg(feature = "firestore")]
#[tokio::test]
async fn no_value_is_told_by_firestore() {
    let Some(emulator) = workspace_tests::FirestoreEmulator::start() else { return };
    let host = emulator.addr().to_string();
    let store = session_stores::FirestoreStore::connect_to_emulator(&host, "tests").await.unwrap();
    assert_no_value_is_told(store, |store| store.with_codec(Damaging)).await;
}

/// Memory keeps records as they are.
#[tokio::test]
async fn no_value_is_told_by_memory() {
    let (log, _guard) = Log::capture();
    let sessions = SessionManager::new(session_core::MemoryStore::new());
    let new = NewSession::new().attr("Card", MARKER);
    let shown = format!("{new:?}");
    let session = sessions.create(new).await.unwrap();
    let record = &sessions.list(1).await.unwrap()[0];
    let told = format!("{shown} {session:?} {record:?} {:?} {}", sessions, session.attr::<u32>("Card").unwrap_err());
    assert!(!told.contains(MARKER) && !log.text().contains(MARKER), "{told}\n{}", log.text());
}
