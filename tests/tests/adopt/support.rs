use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use parking_lot::Mutex;
use session_axum::{
    Adoption, AnyStore, EndSession, ManualClock, MaybeSession, NewSession, Session, SessionCookie, SessionError,
    SessionLayer, SessionLayerBuilder, SessionManager, SignedIn, Time,
};
use tokio::sync::Semaphore;
use workspace_tests::client::Client;

pub const OURS: &str = "__Host-sessid";
pub const OLD: &str = "id";
pub const MINUTE: Duration = Duration::from_secs(60);
pub const DAY: Duration = Duration::from_secs(86_400);

/// The store of another library: which user each id belongs to, and until when.
#[derive(Clone)]
pub struct OldStore {
    rows: Arc<Mutex<BTreeMap<String, (String, Time)>>>,
    pub loads: Arc<AtomicUsize>,
    pub ends: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
    can_end: Arc<AtomicBool>,
    /// Each load waits here after it has read the row.
    gate: Arc<Semaphore>,
}

impl OldStore {
    pub fn new() -> Self {
        OldStore {
            rows: Arc::default(),
            loads: Arc::default(),
            ends: Arc::default(),
            is_down: Arc::default(),
            can_end: Arc::new(AtomicBool::new(true)),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    pub fn put(&self, id: &str, user: &str, ends_at: Time) {
        self.rows.lock().insert(id.to_owned(), (user.to_owned(), ends_at));
    }

    pub fn has(&self, id: &str) -> bool {
        self.rows.lock().contains_key(id)
    }

    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    pub fn refuse_endings(&self) {
        self.can_end.store(false, Ordering::SeqCst);
    }

    /// Loads read their rows and then wait, until they are let go.
    pub fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn let_go(&self) {
        self.gate.add_permits(1000);
    }

    pub fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    pub fn ends(&self) -> usize {
        self.ends.load(Ordering::SeqCst)
    }

    async fn load(self, id: String) -> Result<Option<NewSession>, std::io::Error> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the old database is down"));
        }
        let row = self.rows.lock().get(&id).cloned();
        let _passed = self.gate.acquire().await;
        Ok(row.map(|(user, ends_at)| NewSession::new().principal(&user).attr("Cart", &[&user]).ends_at(ends_at)))
    }

    async fn end(self, id: String) -> Result<(), std::io::Error> {
        self.ends.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) || !self.can_end.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the old database refuses"));
        }
        self.rows.lock().remove(&id);
        Ok(())
    }

    /// The setting that takes its sessions over.
    pub fn adoption(&self) -> Adoption {
        let (loading, ending) = (self.clone(), self.clone());
        Adoption::of_cookie(OLD, move |id| loading.clone().load(id), move |id| ending.clone().end(id))
    }
}

/// What a test has: an old store in which Ann is signed in under the id `old-ann`, and a clock.
pub struct World {
    pub old: OldStore,
    pub clock: Arc<ManualClock>,
    pub store: AnyStore,
}

impl World {
    pub fn new(store: impl session_axum::Store) -> Self {
        // The real time, as a server may delete what was over long ago.
        let (old, clock) =
            (OldStore::new(), Arc::new(ManualClock::at(session_axum::Clock::now(&session_axum::SystemClock))));
        let world = World { old, clock, store: AnyStore::new(store) };
        world.old.put("old-ann", "ann", world.after(DAY));
        world
    }

    pub fn after(&self, time: Duration) -> Time {
        session_axum::Clock::now(&*self.clock).saturating_add(time)
    }

    pub fn builder(&self) -> SessionLayerBuilder<AnyStore> {
        SessionLayer::builder(self.store.clone()).clock(self.clock.clone()).without_background_purge()
    }

    /// The application, which ends old sessions when it takes them over.
    pub fn app(&self) -> (Router, SessionManager) {
        self.app_with(self.old.adoption())
    }

    pub fn app_with(&self, adoption: Adoption) -> (Router, SessionManager) {
        app_of(self.builder().adopt(adoption).build().unwrap())
    }
}

pub fn app_of(layer: SessionLayer) -> (Router, SessionManager) {
    let sessions = layer.manager().clone();
    (routes().layer(layer), sessions)
}

pub fn in_memory() -> World {
    World::new(session_axum::MemoryStore::new())
}

/// An application with two cookies of our own.
pub fn named(name: &str) -> SessionCookie {
    SessionCookie::new().name(name)
}

async fn who(visitor: MaybeSession) -> String {
    let user = visitor.session().and_then(|sess| sess.principal());
    user.map_or_else(|| "nobody".to_owned(), |user| user.to_string())
}

async fn count(sess: Session) -> Result<String, SessionError> {
    Ok(sess.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await?.to_string())
}

async fn login_as_bob(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal("bob")).map(drop)
}

async fn panics(_sess: Session) {
    panic!("the handler panics");
}

async fn logout(ending: EndSession) {
    ending.end();
}

pub fn routes() -> Router {
    Router::new()
        .route("/", get(who))
        .route("/public", get(async || "public"))
        .route("/account", get(async |user: SignedIn| user.principal().to_owned()))
        .route(
            "/cart",
            get(async |sess: Session| Ok::<_, SessionError>(format!("{:?}", sess.attr::<Vec<String>>("Cart")?))),
        )
        .route("/count", get(count))
        .route("/login", post(login_as_bob))
        .route("/logout", post(logout))
        .route("/remove", post(async |sess: Session| sess.remove()))
        .route("/renew", post(async |sess: Session| sess.renew_id().map_err(SessionError::from)))
        .route("/panic", get(panics))
}

/// A visitor who has the old cookie of this id.
pub fn visitor(app: &Router, old: &str) -> Client {
    let mut client = Client::new(app);
    client.jar.insert(OLD.to_owned(), old.to_owned());
    client
}

pub async fn is(client: &mut Client, user: &str) {
    let answer = client.get("/").await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, user));
}

pub async fn count_of(sessions: &SessionManager, user: &str) -> usize {
    sessions.sessions_of(user).await.unwrap().len()
}
