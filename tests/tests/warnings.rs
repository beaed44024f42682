//! What a client can cause with every request is logged once, then once in a minute with the number of times.
//!
//! In a binary of its own, as `workspace_tests::log` says.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::http::Method;
use axum::routing::{get, post};
use session_axum::store::Version;
use session_axum::{
    Adoption, CrossOriginProtection, Event, ManualClock, MaybeSession, MemoryStore, NewSession, NoUse, Record,
    RequireSignedIn, Session, SessionCookie, SessionLayer, SessionManager, Store, TieredStore, Time, WriteBehind,
};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use workspace_tests::client::Client;
use workspace_tests::log::Log;

const MINUTE: Duration = Duration::from_secs(60);

/// Calls 20 times, and again a minute later, and tells how often a line with this text came, and the last one.
async fn lines_of(text: &str, mut call: impl AsyncFnMut()) -> (usize, String) {
    let (log, _guard) = Log::capture();
    for _ in 0..20 {
        call().await;
    }
    assert_eq!(log.lines_with(text), 1, "{}", log.text());
    tokio::time::advance(MINUTE).await;
    call().await;
    let all = log.text();
    let last = all.lines().rfind(|line| line.contains(text)).expect("it was logged").to_owned();
    (log.lines_with(text), last)
}

/// The second line has all that came after the first.
async fn assert_one_line_a_minute(text: &str, call: impl AsyncFnMut()) -> String {
    let (lines, last) = lines_of(text, call).await;
    assert_eq!(lines, 2, "{last}");
    assert!(last.contains("times=20"), "{last}");
    last
}

fn app(layer: SessionLayer) -> Router {
    Router::new()
        .route(
            "/login",
            post(async |visitor: MaybeSession| visitor.start(NewSession::new().principal("ann")).map(drop)),
        )
        .route("/", get(async |_: Session| "here"))
        .layer(layer)
}

#[tokio::test(start_paused = true)]
async fn a_session_of_another_application() {
    let store = MemoryStore::new();
    let shop = SessionLayer::builder(store.clone()).cookie(SessionCookie::new().name("shop")).build().unwrap();
    let staff = SessionLayer::builder(store).cookie(SessionCookie::new().name("staff")).build().unwrap();
    let manager = staff.manager().clone();
    let (shop, staff) = (app(shop), app(staff));
    let mut visitor = Client::new(&shop);
    visitor.post("/login").await;
    let id = visitor.jar["__Host-shop"].clone();
    let mut thief = Client::new(&staff);
    thief.jar.insert("__Host-staff".to_owned(), id);
    let last = assert_one_line_a_minute("another audience", async || {
        assert_eq!(thief.get("/").await.status.as_u16(), 401);
    });
    let last = last.await;
    assert!(last.contains("shop") && last.contains("staff") && last.contains("`audience`"), "{last}");
    assert_eq!(manager.counters().other_audiences, 21);
    assert_eq!(visitor.get("/").await.body, "here");
}

#[tokio::test(start_paused = true)]
async fn a_session_of_a_later_release() {
    let store = MemoryStore::new();
    let sessions = SessionManager::new(store.clone());
    let session = sessions.create(NewSession::new()).await.unwrap();
    let mut record = store.load(&session.handle(), sessions.now()).await.unwrap().unwrap();
    let before = record.version;
    record.version = Version::from_number(before.get() + (1 << 32));
    record.extensions = [("!binding".to_owned(), 1.into())].into_iter().collect();
    let _done = store.save(&record, before).await.unwrap();
    let read = async || assert!(sessions.get(session.id().as_str()).await.unwrap().is_none());
    assert_one_line_a_minute("needs a later release", read).await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_can_not_be_enforced() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::builder(store.clone()).max_sessions_per_principal(1).build().unwrap();
    let app = app(layer);
    store.faults().fail_every(&[Operation::OfPrincipal], Fault::Refused);
    assert_one_line_a_minute("max_sessions_per_principal could not be enforced", async || {
        Client::new(&app).post("/login").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_use_that_can_not_be_noted() {
    let store = FaultyStore::new(MemoryStore::new());
    let mut record = Record::new(
        session_axum::RecordKey::from_bytes([7; 32]),
        Version::from_number(1 << 32),
        session_axum::Time::from_unix_millis(0),
        MINUTE,
    );
    let sessions = SessionManager::new(store.clone());
    let session = sessions.create(NewSession::new()).await.unwrap();
    record.key = session.handle();
    record.created = sessions.now().saturating_sub(MINUTE);
    record.accessed = record.created;
    record.idle_timeout = 60 * MINUTE;
    store.delete(&record.key).await.unwrap();
    let _done = store.create(&record).await.unwrap();
    store.faults().fail_every(&[Operation::Touch], Fault::Refused);
    let read = async || assert!(sessions.get(session.id().as_str()).await.unwrap().is_some());
    assert_one_line_a_minute("could not be stored", read).await;
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics() {
    let sessions = SessionManager::builder(MemoryStore::new()).observer(|_: Event<'_>| panic!("on purpose"));
    let sessions = sessions.build().unwrap();
    let unknown = async || assert!(sessions.get("AAAAAAAAAAAAAAAAAAAAAAAA").await.unwrap().is_none());
    assert_one_line_a_minute("an observer of session events panicked", unknown).await;
    assert_eq!(sessions.counters().rejected_ids, 21);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_dropped_unsaved() {
    let sessions = SessionManager::new(MemoryStore::new());
    let id = sessions.create(NewSession::new()).await.unwrap().id();
    let drop_unsaved = async || sessions.get(id.as_str()).await.unwrap().unwrap().set_attr("Lost", &1).unwrap();
    assert_one_line_a_minute("dropped with unsaved changes", drop_unsaved).await;
}

#[tokio::test(start_paused = true)]
async fn a_fast_tier_that_fails() {
    let fast = FaultyStore::new(MemoryStore::new());
    fast.faults().fail_every(Operation::ALL, Fault::Down);
    let sessions = SessionManager::new(TieredStore::new(fast, MemoryStore::new()));
    let (lines, last) = lines_of("the fast tier failed", async || {
        sessions.create(NewSession::new()).await.unwrap();
    })
    .await;
    // It is skipped for a second after each failure.
    assert!(lines == 2 && last.contains("times=1"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_purge_that_fails_in_the_background() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().fail_every(&[Operation::PurgeExpired], Fault::Down);
    let (log, _guard) = Log::capture();
    let _sessions = SessionManager::new(store);
    tokio::time::sleep(MINUTE + Duration::from_secs(1)).await;
    assert_eq!(log.lines_with("purging expired sessions failed; the next attempt is after `purge_interval`"), 6);
}

/// S52.
#[tokio::test(start_paused = true)]
async fn a_durable_tier_that_refuses_changes() {
    let durable = FaultyStore::new(MemoryStore::new()).with_max_session_bytes(1000).without_capabilities();
    let tiers = TieredStore::builder(MemoryStore::new(), durable).write_behind(WriteBehind::new());
    let store = tiers.build().unwrap();
    let sessions = SessionManager::new(store.clone());
    let save = async || {
        let session = sessions.create(NewSession::new()).await.unwrap();
        session.set_attr("Text", &"a".repeat(2000)).unwrap();
        session.save().await.unwrap();
        // The worker has had its turn, and no minute is over.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    };
    let last = assert_one_line_a_minute("the durable tier refuses changes for good", save).await;
    assert!(last.contains("WARN") && last.contains("too many"), "{last}");
    assert_eq!(store.counters().refused, 21);
}

/// S51.
#[tokio::test(start_paused = true)]
async fn a_durable_tier_that_is_down_is_told_once_for_each_outage() {
    let durable = FaultyStore::new(MemoryStore::new());
    let tiers = TieredStore::builder(MemoryStore::new(), durable.clone()).write_behind(WriteBehind::new());
    let sessions = SessionManager::new(tiers.build().unwrap());
    let session = sessions.create(NewSession::new()).await.unwrap();
    let (log, _guard) = Log::capture();
    for outage in 1..=2 {
        durable.faults().fail_every(Operation::ALL, Fault::Down);
        session.update_attr("Count", |_: Option<u64>| outage).await.unwrap();
        tokio::time::sleep(MINUTE).await;
        let lines = log.lines_with("writing to the durable tier failed; it is tried again");
        assert_eq!(lines, outage as usize, "{}", log.text());
        durable.faults().recover();
        tokio::time::sleep(MINUTE).await;
    }
    durable.faults().fail_every(Operation::ALL, Fault::Down);
    session.update_attr("Count", |_: Option<u64>| 3).await.unwrap();
    sessions.close().await.unwrap_err();
    assert_eq!(log.lines_with("the durable tier did not take all changes: call `close` again"), 1);
    assert_eq!(log.lines_with("unwritten changes of sessions: 1 ("), 1, "{}", log.text());
}

/// The visitor asks again and again, and the record stays as it is.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_record_that_can_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = session_axum::SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
    let sealed = store.clone().with_codec(session_axum::EncryptedCodec::new(&[7; 32]));
    let [before, after] = [store, sealed].map(|store| app(SessionLayer::new(store)));
    let mut visitor = Client::new(&before);
    visitor.post("/login").await;
    assert!(visitor.jar.contains_key("__Host-sessid"));
    let (log, _guard) = Log::capture();
    let mut visitor = visitor.moved_to(&after);
    for _ in 0..20 {
        assert_eq!(visitor.get("/").await.status.as_u16(), 401);
    }
    assert_eq!(log.lines_with("WARN"), 1, "{}", log.text());
    assert_eq!(log.lines_with("dropped a record that does not fit its key"), 1);
}

/// T63. A route of a nested router is named by its whole pattern.
#[tokio::test(start_paused = true)]
async fn an_exception_that_names_half_of_a_route() {
    let api = Router::new().route("/hooks/payment", post(async || "noted"));
    let exempt = ["/hooks/payment"];
    let routes = || Router::new().nest("/api", api.clone());
    let guarded = routes().layer(RequireSignedIn::new().except(exempt));
    let protected = routes().layer(CrossOriginProtection::new().except(exempt));
    for (app, status) in [(guarded, 401), (protected, 403)] {
        let mut bank = Client::new(&app.layer(SessionLayer::new(MemoryStore::new())));
        let last = assert_one_line_a_minute("`except` nearly names", async || {
            let sent = bank.send(Method::POST, "/api/hooks/payment", &[("origin", "https://bank.example")]).await;
            assert_eq!(sent.status.as_u16(), status);
        });
        let last = last.await;
        assert!(last.contains("except=\"/hooks/payment\" route=\"/api/hooks/payment\""), "{last}");
    }
}

/// T63. Added after the session layer, it is outside of it.
#[tokio::test(start_paused = true)]
async fn protection_that_is_outside_of_the_session_layer() {
    let inner = Router::new().route("/login", post(async || ())).layer(SessionLayer::new(MemoryStore::new()));
    let mut visitor = Client::new(&inner.layer(CrossOriginProtection::new()));
    let told = "`CrossOriginProtection` refused a request outside of a session layer";
    assert_one_line_a_minute(told, async || {
        let refused = visitor.send(Method::POST, "/login", &[("origin", "https://evil.example")]).await;
        assert_eq!(refused.status.as_u16(), 403);
    })
    .await;
}

/// T63. For whoever wonders why a request does not arrive.
#[tokio::test]
async fn each_refusal_says_why_to_whoever_debugs() {
    let app =
        Router::new().route("/card/{id}", get(async |_: Session| ())).layer(SessionLayer::new(MemoryStore::new()));
    let (log, _guard) = Log::capture();
    Client::new(&app).get("/card/5?token=secret").await;
    assert_eq!(log.lines_with("a request is turned away refusal=no session method=GET route=\"/card/{id}\""), 1);
    assert!(!log.text().contains("secret"), "{}", log.text());
}

/// T11. The guard has loaded the session before the mark is there.
#[tokio::test(start_paused = true)]
async fn a_mark_that_comes_after_the_session_was_loaded() {
    let login = post(async |visitor: MaybeSession| visitor.start(NewSession::new().principal("ann")).map(drop));
    let guard = || RequireSignedIn::new().except(["/login"]);
    let late = Router::new().route("/poll", get(async |_: Session| "ann").layer(NoUse)).layer(guard());
    let in_time = Router::new().route("/news", get(async |_: Session| "ann")).layer(guard()).layer(NoUse);
    let app = late.merge(in_time).route("/login", login).layer(SessionLayer::new(MemoryStore::new()));
    let mut visitor = Client::new(&app);
    visitor.post("/login").await;
    let told = "a request was marked with `NoUse` after its session had been loaded";
    assert_one_line_a_minute(told, async || {
        assert_eq!(visitor.get("/poll").await.body, "ann");
    })
    .await;
    let (log, _guard) = Log::capture();
    assert_eq!(visitor.get("/news").await.body, "ann");
    assert_eq!(log.lines_with(told), 0);
}

/// P40. A date that is over by mistake would sign everybody out, and nobody would know why.
#[tokio::test]
async fn a_move_from_another_library_that_is_over() {
    let now = Time::from_unix_millis(1_767_225_600_000);
    let build = |end: Time| {
        let load = async |_| Ok::<_, Infallible>(None);
        let adoption = Adoption::of_cookie("id", load, async |_| Ok::<_, Infallible>(())).rolling_until(end);
        SessionLayer::builder(MemoryStore::new()).clock(ManualClock::at(now)).adopt(adoption).build().unwrap()
    };
    for (end, lines) in [(now, 1), (now.saturating_add(Duration::from_millis(1)), 0)] {
        let (log, _guard) = Log::capture();
        build(end);
        assert_eq!(log.lines_with("`rolling_until` is over"), lines, "{}", log.text());
    }
}
