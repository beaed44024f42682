use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use session_axum::{
    Authentication, DeviceBound, EndSession, ManualClock, MaybeSession, MemoryStore, NewSession, Session, SessionError,
    SessionLayer, SessionLayerBuilder, Store,
};
use session_core::conformance::faulty::FaultyStore;

use super::software_browser::SoftwareBrowser;

pub const SESSION: &str = "__Host-sessid";
pub const BOUND: &str = "__Host-sessid-bound";
pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
/// The lifetime of the bound cookie.
pub const LIFETIME: Duration = Duration::from_secs(600);

pub fn routes() -> Router {
    let login = async |visitor: MaybeSession| {
        visitor.start(NewSession::new().principal("ann"))?;
        Ok::<_, SessionError>(())
    };
    let user = async |sess: Option<Session>| {
        sess.and_then(|sess| sess.principal()).map_or("nobody".to_owned(), |user| user.to_string())
    };
    let renew = async |sess: Session| sess.renew_id().map_err(SessionError::from);
    let again = async |sess: Session| sess.reauthenticate(Authentication::by(["otp"])).map_err(SessionError::from);
    let count = async |sess: Session| {
        let count = sess.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await?;
        Ok::<_, SessionError>(count.to_string())
    };
    let note = async |sess: Session, text: String| {
        sess.set_attr("Note", &text)?;
        Ok::<_, SessionError>(sess.principal().unwrap_or_default().to_string())
    };
    let noted = async |sess: Session| Ok::<_, SessionError>(sess.attr::<String>("Note")?.unwrap_or_default());
    let cart = async |visitor: MaybeSession| Ok::<_, SessionError>(visitor.session_or_start()?.set_attr("Cart", &1)?);
    Router::new()
        .route("/login", post(login))
        .route("/", get(async |sess: Session| sess.principal().unwrap_or_default().to_string()))
        .route("/user", get(user))
        .route("/bound", get(async |sess: Session| sess.is_device_bound().to_string()))
        .route("/renew", post(renew))
        .route("/again", post(again))
        .route("/count", post(count))
        .route("/note", get(noted).post(note))
        .route("/cart", post(cart))
        .route("/logout", post(async |ending: EndSession| ending.end()))
        .route("/assets/logo", get(async || "logo"))
}

pub fn builder<S: Store>(store: S, clock: &Arc<ManualClock>) -> SessionLayerBuilder<S> {
    SessionLayer::builder(store).clock(Arc::clone(clock)).without_background_purge()
}

/// An application, its clock, and its store, which can fail.
pub struct Application {
    pub app: Router,
    pub layer: SessionLayer,
    pub clock: Arc<ManualClock>,
    pub store: FaultyStore,
}

impl Application {
    pub fn new() -> Self {
        Application::with(DeviceBound::new(), |builder| builder)
    }

    pub fn with(
        device_bound: DeviceBound,
        set: impl FnOnce(SessionLayerBuilder<FaultyStore>) -> SessionLayerBuilder<FaultyStore>,
    ) -> Self {
        let (clock, store) = (Arc::new(ManualClock::default()), FaultyStore::new(MemoryStore::new()));
        let layer = set(builder(store.clone(), &clock).device_bound(device_bound)).build().unwrap();
        Application { app: routes().layer(layer.clone()), layer, clock, store }
    }

    /// Another process of the same application, with a clock of its own.
    pub fn process(&self, device_bound: DeviceBound, clock: &Arc<ManualClock>) -> Router {
        routes().layer(builder(self.store.clone(), clock).device_bound(device_bound).build().unwrap())
    }

    pub fn browser(&self) -> SoftwareBrowser {
        SoftwareBrowser::new(&self.app, &self.clock)
    }

    /// A browser whose session is bound, and for which that is enforced.
    pub async fn bound(&self) -> SoftwareBrowser {
        let mut browser = self.browser();
        browser.post("/login").await;
        assert!(browser.binding.is_some(), "it has registered its key");
        assert_eq!(browser.get("/bound").await.body, "true");
        self.clock.advance(MINUTE);
        browser
    }
}
