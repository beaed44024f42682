//! A19, B67, R25: everything runs at TRACE, and no line holds an id, a password, nor a value that is stored.
//!
//! In a binary of its own, because tracing remembers for the whole process which lines nobody
//! wants to see.

#[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
mod passwords;
#[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
mod values;

use axum::Router;
use axum::routing::{get, post};
use session_axum::{
    Key, MaybeSession, NewSession, PurgeService, Session, SessionCookie, SessionError, SessionLayer, SessionManager,
};
use session_core::MemoryStore;
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use workspace_tests::client::Client;
use workspace_tests::log::Log;

const COOKIE: &str = "__Host-sessid";
const FORGED: &str = "AAAAAAAAAAAAAAAAAAAAAAAA";

async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal("ann"))?;
    Ok(())
}

async fn count(sess: Session) -> Result<String, SessionError> {
    Ok(sess.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await?.to_string())
}

async fn show(sess: Session, visitor: MaybeSession) {
    tracing::info!(?sess, ?visitor, id = ?sess.id(), handle = ?sess.handle(), "shown");
}

fn routes() -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/count", get(count))
        .route("/show", get(show))
        .route("/renew", post(async |sess: Session| sess.renew_id().map_err(SessionError::from)))
        .route("/logout", post(async |sess: Session| sess.remove()))
}

#[tokio::test]
async fn no_id_is_printed() {
    let (log, _guard) = Log::capture();
    let store = FaultyStore::new(MemoryStore::new());
    let app = routes().layer(SessionLayer::new(store.clone()));
    let mut client = Client::new(&app);
    client.post("/login").await;
    let mut ids = vec![client.jar[COOKIE].clone()];
    client.get("/show").await;
    client.get("/count").await;
    store.faults().fail_every(Operation::WRITES, Fault::Refused);
    client.get("/count").await;
    store.faults().recover();
    client.post("/renew").await;
    ids.push(client.jar[COOKIE].clone());
    client.post("/logout").await;
    client.jar.insert(COOKIE.into(), FORGED.into());
    client.get("/count").await;
    ids.push(FORGED.into());
    let log = log.text();
    for expected in
        ["session created", "session renewed", "session ended", "rejected", "session operation failed", "shown"]
    {
        assert!(log.contains(expected), "{expected:?} is not logged:\n{log}");
    }
    for id in ids {
        assert!(!log.contains(&id), "an id is printed");
    }
}

/// serde's message for a value of another type quotes it.
#[tokio::test]
async fn no_stored_value_is_printed() {
    const SECRET: &str = "4111-1111-1111-1111";
    let (log, _guard) = Log::capture();
    let start = async |visitor: MaybeSession| visitor.start(NewSession::new().attr("card", SECRET)).map(drop);
    let read = async |sess: Session| sess.attr::<u32>("card").map(drop).map_err(SessionError::from);
    let update = async |sess: Session| {
        sess.update_attr("card", |n: Option<u32>| n.unwrap_or(0)).await.map(drop).map_err(SessionError::from)
    };
    let app = Router::new()
        .route("/start", post(start))
        .route("/read", get(read))
        .route("/update", get(update))
        .layer(SessionLayer::new(FaultyStore::new(MemoryStore::new())));
    let mut client = Client::new(&app);
    client.post("/start").await;
    for path in ["/read", "/update"] {
        let answer = client.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (500, "Internal server error."));
    }
    let log = log.text();
    assert_eq!(log.matches("attribute \"card\" is not a u32").count(), 2, "{log}");
    assert!(!log.contains(SECRET), "{log}");
}

/// R34, F14: a record that was made with other keys is no session and no error. The visitor signs in
/// again, and the operator reads why.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_record_that_does_not_open_leaves_one_warning_and_a_fresh_session_can_start() {
    let (log, _guard) = Log::capture();
    let folder = tempfile::tempdir().unwrap();
    let store = session_stores::SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let sealed = store.clone().with_codec(session_core::EncryptedCodec::new(&[7; 32]));
    let [before, after] = [store, sealed].map(|store| routes().layer(SessionLayer::new(store)));
    let mut client = Client::new(&before);
    client.post("/login").await;

    let mut client = client.moved_to(&after);
    assert_eq!(client.get("/count").await.status.as_u16(), 401);
    let log = log.text();
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    assert!(log.contains("dropped a record that does not fit its key"), "{log}");
    client.post("/login").await;
    assert_eq!(client.get("/count").await.body, "1");
}

/// Settings and errors of the layer, as a panic or a log line would show them.
#[test]
fn no_secret_of_a_setting_is_printed() {
    const SECRET: &str = "marker-marker-marker-marker-marker-marker-marker-marker-marker-m";
    let bytes = format!("{:?}", &SECRET.as_bytes()[..8]);
    let manager = SessionManager::new(MemoryStore::new());
    let signed = SessionCookie::new().signed([Key::from(SECRET.as_bytes())]);
    let private = SessionCookie::new().private([Key::from(SECRET.as_bytes())]);
    let builder = SessionLayer::builder(MemoryStore::new()).cookie(signed.clone());
    for printed in [
        format!("{:?}", PurgeService::new(manager.clone(), SECRET).unwrap()),
        format!("{signed:?} {private:?} {builder:?}"),
        format!("{:?}", builder.build().unwrap()),
        format!("{:?}", SessionLayer::builder(manager).cookie(private).build().unwrap()),
    ] {
        assert!(!printed.contains("marker"), "{printed}");
        assert!(!printed.contains(bytes.trim_matches(['[', ']'])), "{printed}");
    }
}
