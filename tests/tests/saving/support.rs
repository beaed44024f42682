use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_axum::{AnyStore, MaybeSession, MemoryStore, NewSession, Session, SessionLayer, SessionManager, Store};
use tokio::sync::Notify;
use workspace_tests::client::Client;

/// The stores of a test, which end with it.
pub struct Stores {
    each: Vec<AnyStore>,
    #[cfg(feature = "sqlite")]
    _folder: tempfile::TempDir,
}

impl Stores {
    /// One after the other. A test that fails has told which.
    pub fn each(&self) -> impl Iterator<Item = &AnyStore> {
        self.each.iter().inspect(|store| eprintln!("on {}", store.name()))
    }
}

pub async fn stores() -> Stores {
    let memory = AnyStore::new(MemoryStore::new());
    #[cfg(feature = "sqlite")]
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = session_axum::SqliteStore::open(folder.path().join("sessions.db")).await;
        let file = AnyStore::new(file.expect("the file can be opened"));
        Stores { each: vec![memory, file], _folder: folder }
    }
    #[cfg(not(feature = "sqlite"))]
    Stores { each: vec![memory] }
}

/// Adds `/login`, which signs Ann in, and `/attrs`, which shows the attributes.
pub fn with_login(routes: Router) -> Router {
    let login = async |visitor: MaybeSession| visitor.start(NewSession::new().principal("ann")).map(drop);
    routes.route("/login", post(login)).route("/attrs", get(attrs))
}

async fn attrs(sess: Session) -> String {
    serde_json::to_string(&sess.attrs()).expect("attributes are JSON")
}

/// A visitor who has signed in.
pub async fn signed_in(routes: Router, sessions: &SessionManager) -> Client {
    let app = with_login(routes).layer(SessionLayer::new(sessions.clone()));
    let mut client = Client::new(&app);
    assert_eq!(client.post("/login").await.status, StatusCode::OK);
    client
}

/// Holds a task until a test lets it go on.
#[derive(Clone, Default)]
pub struct Gate(Arc<Notify>);

impl Gate {
    pub async fn wait(&self) {
        self.0.notified().await;
    }

    pub fn open(&self) {
        self.0.notify_one();
    }
}
