//! A19, B67, R25: everything runs at TRACE, and no line holds an id.
//!
//! In a binary of its own, because tracing remembers for the whole process which lines nobody
//! wants to see.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::{get, post};
use session_axum::{MaybeSession, NewSession, Session, SessionError, SessionLayer};
use workspace_tests::client::Client;
use workspace_tests::unsteady_store::UnsteadyStore;

const COOKIE: &str = "__Host-sessid";
const FORGED: &str = "AAAAAAAAAAAAAAAAAAAAAAAA";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

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
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let _guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
    let store = UnsteadyStore::default();
    let app = routes().layer(SessionLayer::new(store.clone()));
    let mut client = Client::new(&app);
    client.post("/login").await;
    let mut ids = vec![client.jar[COOKIE].clone()];
    client.get("/show").await;
    client.get("/count").await;
    store.writes_fail.store(true, Ordering::SeqCst);
    client.get("/count").await;
    store.writes_fail.store(false, Ordering::SeqCst);
    client.post("/renew").await;
    ids.push(client.jar[COOKIE].clone());
    client.post("/logout").await;
    client.jar.insert(COOKIE.into(), FORGED.into());
    client.get("/count").await;
    ids.push(FORGED.into());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in ["session created", "session renewed", "session removed", "rejected", "a session failed", "shown"] {
        assert!(log.contains(expected), "{expected:?} is not logged:\n{log}");
    }
    for id in ids {
        assert!(!log.contains(&id), "an id is printed");
    }
}
