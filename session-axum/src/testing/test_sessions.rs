use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Request;
use session_core::conformance::faulty::{Fault, Faults, FaultyStore, Operation};
use session_core::{Error, ManualClock, MemoryStore, NewSession, PresentedIds, Record, Store, Visit};

use crate::extract::Session;
use crate::layer::{SessionLayer, SessionLayerBuilder};

use super::jar::Jar;
use super::test_client::TestClient;
use super::test_request::TestRequest;

/// The sessions of one test: a store in memory that fails when it is told, and a clock that the test moves. Make it first.
///
/// The clock is one for all: deadlines of sessions, lifetimes of cookies, freshness. It stands still until
/// [`advance`](TestSessions::advance) moves it, and begins at 2026-01-01 00:00:00 UTC.
///
/// `Clone` shares the sessions. The [module](super) has an example.
#[derive(Clone)]
pub struct TestSessions {
    store: FaultyStore<MemoryStore>,
    clock: Arc<ManualClock>,
    /// For what needs no layer of the application's.
    plain: SessionLayer,
}

impl TestSessions {
    /// An empty store, and a clock of its own.
    pub fn new() -> Self {
        let (store, clock) = (FaultyStore::at_once(MemoryStore::new()), Arc::new(ManualClock::default()));
        let plain = SessionLayer::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge().build();
        TestSessions { store, clock, plain: plain.expect("the defaults can be built") }
    }

    /// Begins a layer with this store and this clock. The application puts its own settings on it.
    ///
    /// ```
    /// # fn example() -> Result<(), session_axum::ConfigError> {
    /// use session_axum::testing::TestSessions;
    /// use session_axum::{ConfigError, MemoryStore, SessionLayer, SessionLayerBuilder, Store};
    ///
    /// /// The application's settings, whatever the store.
    /// fn session_layer(builder: SessionLayerBuilder<impl Store>) -> Result<SessionLayer, ConfigError> {
    ///     builder.sign_in_page("/login").build()
    /// }
    ///
    /// let layer = session_layer(SessionLayer::builder(MemoryStore::new()))?; // In `main`.
    /// let layer = session_layer(TestSessions::new().layer())?; // In a test.
    /// # Ok(()) }
    /// ```
    pub fn layer(&self) -> SessionLayerBuilder<FaultyStore<MemoryStore>> {
        SessionLayer::builder(self.store()).clock(self.clock())
    }

    /// The store, for an application that builds its layer or its manager itself. Give that the [`clock`](Self::clock) too.
    pub fn store(&self) -> FaultyStore<MemoryStore> {
        self.store.clone()
    }

    /// The clock, for an application that builds its layer or its manager itself.
    pub fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    /// Moves the clock forward.
    pub fn advance(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// The jar of a stranger.
    pub fn jar(&self) -> Jar {
        Jar::new(self.clock())
    }

    /// A stranger's client of this application.
    pub fn client<S>(&self, app: S) -> TestClient<S> {
        self.jar().client(app)
    }

    /// Signs a visitor in at the application's layer, and returns their jar. The session is stored, and its cookie (or what
    /// the layer's transport tells instead) is the one that a login's response would have.
    ///
    /// For a browser at another origin than `https://app.test`, or a client of bearer tokens beside cookies, use
    /// [`Jar::sign_in`].
    ///
    /// # Panics
    ///
    /// As [`Jar::sign_in`].
    pub async fn sign_in(&self, layer: &SessionLayer, new: NewSession) -> Jar {
        let mut jar = self.jar();
        jar.sign_in(layer, new).await;
        jar
    }

    /// A session as a handler would have it, for unit tests of functions that take one. It is stored; what the function
    /// changes can be read from it, and is not saved unless the function saves it.
    ///
    /// Needs no runtime. To see what happens when the handler returns, use [`request`](TestSessions::request).
    ///
    /// ```
    /// use session_axum::testing::TestSessions;
    /// use session_axum::{AttrKey, CoreError, NewSession, Session};
    ///
    /// const PRICES: AttrKey<Vec<u32>> = AttrKey::new("Prices");
    ///
    /// /// The function under test.
    /// fn cart_total(sess: &Session) -> Result<u32, CoreError> {
    ///     Ok(sess.attr(PRICES)?.unwrap_or_default().iter().sum())
    /// }
    ///
    /// let sess = TestSessions::new().session(NewSession::new().principal("ann").attr(PRICES, &vec![3, 4]));
    /// assert_eq!(cart_total(&sess).unwrap(), 7);
    /// ```
    ///
    /// # Panics
    ///
    /// If the session can't be started, or if the store was told to fail.
    #[track_caller]
    pub fn session(&self, new: NewSession) -> Session {
        answered(self.opened(new)).unwrap_or_else(|error| panic!("the session can't be started: {error}"))
    }

    async fn opened(&self, new: NewSession) -> Result<Session, Error> {
        let created = self.plain.manager().create(new).await?;
        let visit = Visit::of_host(Arc::clone(self.plain.settings()) as _);
        let mut presented = PresentedIds::default();
        presented.push(created.id().as_str());
        visit.open(&presented).await?.map(Session::of).ok_or(Error::Gone)
    }

    /// A request of a visitor with this session at a layer without settings, for unit tests of functions that take an
    /// extractor, and of what becomes of the session.
    ///
    /// For a request at the application's own layer, use [`TestRequest::at`].
    ///
    /// # Panics
    ///
    /// As [`Jar::sign_in`].
    pub async fn request(&self, new: NewSession) -> TestRequest {
        let jar = self.sign_in(&self.plain, new).await;
        TestRequest::at(&self.plain, jar.attach(Request::new(())))
    }

    /// A stranger's request at a layer without settings.
    pub fn strangers_request(&self) -> TestRequest {
        TestRequest::at(&self.plain, self.jar().attach(Request::new(())))
    }

    /// What the store has of a session now, without anybody's unsaved changes. `None` if it has none: the session has ended,
    /// or was not stored yet.
    ///
    /// This never fails on purpose, and is no use of the session. [`Record::attr`] reads an attribute.
    ///
    /// # Panics
    ///
    /// If the session was made from another store.
    #[track_caller]
    pub fn stored(&self, session: &session_core::Session) -> Option<Record> {
        let (store, key) = (self.store.inner(), session.handle());
        let loaded = answered(store.load(&key, session_core::Clock::now(&self.clock)));
        loaded.expect("a store in memory does not fail")
    }

    /// Makes every call of these operations of the store fail, until [`recover`](TestSessions::recover).
    ///
    /// | what fails | operations |
    /// |---|---|
    /// | looking a session up | [`Operation::Load`], or all of [`Operation::READS`] |
    /// | saving attributes and settings | [`Operation::Save`] |
    /// | a login, a stranger's first attribute | [`Operation::Create`]; [`Operation::Renew`] over another session |
    /// | a new id | [`Operation::Renew`] |
    /// | a logout, `end_one_of` | [`Operation::Delete`] |
    /// | `sessions_of` | [`Operation::OfPrincipal`] |
    /// | `end_others`, `end_all_of` | [`Operation::DeleteOfPrincipal`] |
    /// | every change | [`Operation::WRITES`] |
    /// | everything | [`Operation::ALL`] |
    ///
    /// The store refuses at once, so the layer does not try again.
    pub fn fail(&self, operations: &[Operation]) {
        self.faults().fail_every(operations, Fault::Refused);
    }

    /// Makes the next calls of one operation of the store fail, this many.
    pub fn fail_next(&self, operation: Operation, calls: usize) {
        for _ in 0..calls {
            self.faults().fail_next(operation, Fault::Refused);
        }
    }

    /// Lets the store work again.
    pub fn recover(&self) {
        self.faults().recover();
    }

    /// More ways in which the store fails, waits and counts its calls.
    pub fn faults(&self) -> &Faults {
        self.store.faults()
    }
}

impl Default for TestSessions {
    fn default() -> Self {
        TestSessions::new()
    }
}

/// What a call of the store in memory answers, which waits only if it was told to.
#[track_caller]
fn answered<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the store was told to wait; let it answer first"),
    }
}

impl fmt::Debug for TestSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSessions").field("store", &self.store).field("clock", &self.clock).finish_non_exhaustive()
    }
}
