//! Published failures of this kind of software (A), and faults (F), over HTTP and in memory. Each
//! test is named after what must not happen, or what must instead.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::routing::{get, post};
use session_axum::{
    EndSession, HeaderTransport, MaybeSession, NewSession, Session, SessionCookie, SessionError, SessionLayer,
    SessionManager,
};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use session_core::{Error, ManualClock, MemoryStore, TieredStore};
use tokio::sync::{Barrier, Notify};
use workspace_tests::client::{Client, answer};

const COOKIE: &str = "__Host-sessid";
const FORGED: &str = "AAAAAAAAAAAAAAAAAAAAAAAA";

async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal("ann").attr("Count", &0))?;
    Ok(())
}

async fn count(sess: Session) -> Result<String, SessionError> {
    Ok(sess.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await?.to_string())
}

async fn value(sess: Session) -> Result<String, SessionError> {
    Ok(sess.attr::<u32>("Count")?.unwrap_or_default().to_string())
}

async fn write(visitor: MaybeSession) -> Result<(), SessionError> {
    match visitor.session() {
        Some(sess) => sess.set_attr("x", &1)?,
        None => drop(visitor.start(NewSession::new().attr("x", &1))?),
    }
    Ok(())
}

/// A logout that turns nobody away.
async fn leave(sess: Option<Session>) {
    if let Some(sess) = sess {
        sess.remove();
    }
}

fn routes() -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/count", get(count))
        .route("/value", get(value))
        .route("/set", post(async |sess: Session| sess.set_attr("Count", &7).map_err(SessionError::from)))
        .route("/write", post(write))
        .route("/renew", post(async |sess: Session| sess.renew_id().map_err(SessionError::from)))
        .route("/logout", post(async |sess: Session| sess.remove()))
        .route("/leave", post(leave))
        .route("/plain", get(async || "plain"))
}

fn memory() -> (Router, MemoryStore, SessionManager) {
    let store = MemoryStore::new();
    let manager = SessionManager::new(store.clone());
    (routes().layer(SessionLayer::new(manager.clone())), store, manager)
}

fn faulty() -> (Router, FaultyStore) {
    let store = FaultyStore::new(MemoryStore::new());
    (routes().layer(SessionLayer::new(store.clone())), store)
}

async fn signed_in(app: &Router) -> Client {
    let mut client = Client::new(app);
    assert_eq!(client.post("/login").await.status, StatusCode::OK);
    client
}

/// A route that runs its handler in two halves, so that a test can act in between.
#[derive(Clone, Default)]
struct Halves {
    reached: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Halves {
    async fn wait(&self) {
        self.reached.notify_one();
        self.go_on.notified().await;
    }
}

/// What a slow request may do to its session.
#[derive(Clone, Copy, Debug)]
enum Slow {
    Reads,
    Sets,
    Updates,
    Renews,
    Starts,
}

fn slow_route(kind: Slow, halves: Halves) -> axum::routing::MethodRouter {
    get(async move |visitor: MaybeSession| {
        let sess = visitor.session().expect("signed in");
        halves.wait().await;
        match kind {
            Slow::Reads => drop(sess.attr::<u32>("Count")?),
            Slow::Sets => sess.set_attr("Count", &99)?,
            Slow::Updates => drop(sess.update_attr("Count", |_: Option<u32>| 99).await?),
            Slow::Renews => sess.renew_id()?,
            Slow::Starts => drop(visitor.start(NewSession::new().principal("ann").keep(&sess))?),
        }
        Ok::<_, SessionError>(())
    })
}

/// A1, B64, R8, CVE-2025-46336 (rack-session), CVE-2025-32441 (rack).
#[tokio::test]
async fn a_slow_request_does_not_bring_a_logged_out_session_back() {
    for kind in [Slow::Reads, Slow::Sets, Slow::Updates, Slow::Renews] {
        for by_manager in [false, true] {
            let store = MemoryStore::new();
            let clock = Arc::new(ManualClock::default());
            let manager = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).build().unwrap();
            let halves = Halves::default();
            let slow = slow_route(kind, halves.clone());
            let app = routes().route("/slow", slow).layer(SessionLayer::new(manager.clone()));
            let mut client = signed_in(&app).await;
            // So long that a request which only reads has something to write: that it was there.
            clock.advance(Duration::from_secs(120));
            let mut slow_client = client.clone();
            let mut after = client.clone();
            let slow = tokio::spawn(async move { (slow_client.get("/slow").await, slow_client) });
            halves.reached.notified().await;
            if by_manager {
                manager.end_all_of("ann").await.unwrap();
            } else {
                assert_eq!(client.post("/logout").await.status, StatusCode::OK);
            }
            halves.go_on.notify_one();
            let (answer, mut slow_client) = slow.await.unwrap();
            assert_eq!(answer.set_cookies(), Vec::<&str>::new(), "{kind:?}");
            assert_eq!(after.get("/count").await.status, StatusCode::UNAUTHORIZED, "{kind:?}");
            assert_eq!(slow_client.get("/count").await.status, StatusCode::UNAUTHORIZED, "{kind:?}");
            assert!(store.is_empty(), "{kind:?}");
        }
    }
}

/// A login stands on its own feet, but what it carried over is gone with the session.
#[tokio::test]
async fn a_slow_login_over_a_logged_out_session_carries_nothing_over() {
    let halves = Halves::default();
    let app =
        routes().route("/slow", slow_route(Slow::Starts, halves.clone())).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = signed_in(&app).await;
    client.get("/count").await;
    let mut slow_client = client.clone();
    let slow = tokio::spawn(async move { (slow_client.get("/slow").await, slow_client) });
    halves.reached.notified().await;
    client.post("/logout").await;
    halves.go_on.notify_one();
    let (answer, mut slow_client) = slow.await.unwrap();
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(slow_client.get("/value").await.body, "0");
}

/// R7: a slow request under the old id neither fails the new one nor revives itself.
#[tokio::test]
async fn a_slow_request_under_the_old_id_does_not_damage_the_renewed_session() {
    for kind in [Slow::Sets, Slow::Updates, Slow::Renews] {
        let store = MemoryStore::new();
        let halves = Halves::default();
        let app = routes().route("/slow", slow_route(kind, halves.clone())).layer(SessionLayer::new(store.clone()));
        let mut client = signed_in(&app).await;
        let mut slow_client = client.clone();
        let slow = tokio::spawn(async move { slow_client.get("/slow").await });
        halves.reached.notified().await;
        client.post("/renew").await;
        halves.go_on.notify_one();
        assert_eq!(slow.await.unwrap().set_cookies(), Vec::<&str>::new(), "{kind:?}");
        // What it changed is in the session under its new id.
        let count = if let Slow::Renews = kind { "1" } else { "100" };
        assert_eq!(client.get("/count").await.body, count, "{kind:?}");
        assert_eq!(store.len(), 1, "{kind:?}");
    }
}

/// A4, B28, spring-session 1270 and 2308.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_renewals_leave_one_valid_id_and_no_server_error() {
    let (store, slow_store) = (MemoryStore::new(), FaultyStore::new(MemoryStore::new()));
    for layer in [SessionLayer::new(store.clone()), SessionLayer::new(slow_store.clone())] {
        // Both requests have loaded the session before either renews it.
        let both_loaded = Arc::new(Barrier::new(2));
        let renew = async move |sess: Session| {
            both_loaded.wait().await;
            sess.renew_id().map_err(SessionError::from)
        };
        let app = routes().route("/renew-together", post(renew)).layer(layer);
        for _ in 0..200 {
            let before = signed_in(&app).await;
            let [one, two] = [before.clone(), before.clone()]
                .map(|mut client| tokio::spawn(async move { (client.post("/renew-together").await.status, client) }));
            let ((one_status, one), (two_status, two)) = (one.await.unwrap(), two.await.unwrap());
            assert!(!one_status.is_server_error() && !two_status.is_server_error());
            let ids: BTreeSet<_> = [&before, &one, &two].map(|client| client.jar[COOKIE].clone()).into();
            let mut alive = 0;
            for id in ids {
                let mut client = Client::new(&app);
                client.jar.insert(COOKIE.into(), id);
                alive += usize::from(client.get("/value").await.status == StatusCode::OK);
            }
            assert_eq!(alive, 1);
        }
    }
    assert_eq!((store.len(), slow_store.inner().len()), (200, 200));
}

/// A6, CVE-2023-20862 (Spring Security).
#[tokio::test]
async fn removing_every_attribute_is_saved() {
    let clear = async |sess: Session| sess.remove_attr("Count").map_err(SessionError::from);
    let all = async |sess: Session| sess.attrs().len().to_string();
    let app =
        routes().route("/clear", post(clear)).route("/all", get(all)).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = signed_in(&app).await;
    client.post("/clear").await;
    assert_eq!(client.get("/all").await.body, "0");
}

/// A8, R4, CVE-2024-38513 (fiber), CVE-2011-4718 (PHP).
#[tokio::test]
async fn a_forged_id_never_becomes_a_session() {
    let (app, store, _) = memory();
    let mut client = Client::new(&app);
    client.jar.insert(COOKIE.into(), FORGED.into());
    assert_eq!(client.post("/write").await.set_cookies().len(), 1);
    assert_ne!(client.jar[COOKIE], FORGED);
    let mut forger = Client::new(&app);
    forger.jar.insert(COOKIE.into(), FORGED.into());
    assert_eq!(forger.get("/value").await.status, StatusCode::UNAUTHORIZED);
    // Nor after the id's own session was removed.
    let mut old = client.clone();
    let ended = client.jar[COOKIE].clone();
    client.post("/logout").await;
    assert_eq!(old.post("/write").await.set_cookies().len(), 1);
    assert_ne!(old.jar[COOKIE], ended);
    client.jar.insert(COOKIE.into(), ended);
    assert_eq!(client.get("/value").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(store.len(), 1);
}

/// A9, G14, R30, R37: CVE-2015-5143 and its kin (Django). Size: `CAMPAIGN` times ten thousand.
#[tokio::test]
async fn strangers_leave_no_records() {
    let (app, store, manager) = memory();
    let requests = 10_000 * campaign();
    let kinds = [(Method::GET, "/value", StatusCode::UNAUTHORIZED), (Method::POST, "/leave", StatusCode::OK)];
    for n in 0..requests {
        let (method, path, status) = &kinds[n as usize / 2 % 2];
        let mut request = Request::builder().method(method).uri(*path);
        if n % 2 == 0 {
            request = request.header(header::COOKIE, format!("{COOKIE}={n:024}"));
        }
        let answer = answer(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (*status, 0), "{path}");
    }
    assert!(store.is_empty());
    assert_eq!(manager.counters().rejected_ids, requests / 2);
}

/// G3: `CAMPAIGN` times the 1,512 ids that differ from a valid one in one character.
#[tokio::test]
async fn an_id_with_one_character_changed_is_another_id() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (app, store, manager) = memory();
    for round in 1..=campaign() {
        let mut client = signed_in(&app).await;
        let id = client.jar[COOKIE].clone();
        for at in 0..id.len() {
            for other in ALPHABET.iter().filter(|other| **other != id.as_bytes()[at]) {
                let forged = format!("{}{}{}", &id[..at], char::from(*other), &id[at + 1..]);
                client.jar.insert(COOKIE.into(), forged);
                let answer = client.get("/value").await;
                assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0));
            }
        }
        client.jar.insert(COOKIE.into(), id);
        assert_eq!(client.get("/value").await.status, StatusCode::OK);
        assert_eq!(store.len() as u64, round);
        assert_eq!(manager.counters().rejected_ids, round * 24 * 63);
    }
}

/// A11, R24, CVE-2007-5380 and 6077 (Rails).
#[tokio::test]
async fn an_id_is_taken_from_the_cookie_only() {
    let (app, ..) = memory();
    let client = signed_in(&app).await;
    let id = client.jar[COOKIE].clone();
    for (path, name, value) in [
        (format!("/value?{COOKIE}={id}&sessid={id}"), "x-nothing", String::new()),
        (format!("/value;{COOKIE}={id}"), "x-nothing", String::new()),
        ("/value".into(), "authorization", format!("Bearer {id}")),
        ("/value".into(), "x-session-id", id.clone()),
        ("/value".into(), "cookie", format!("sessid={id}")),
        ("/value".into(), "cookie2", format!("{COOKIE}={id}")),
    ] {
        for _ in 0..2 {
            let mut stranger = Client::new(&app);
            let status = stranger.send(Method::GET, &path, &[(name, &value)]).await.status;
            assert!(status.is_client_error(), "{path} {name}");
        }
    }
    for (kind, body) in [
        ("application/x-www-form-urlencoded", format!("{COOKIE}={id}&sessid={id}&id={id}")),
        ("application/json", format!("{{\"{COOKIE}\":\"{id}\",\"sessid\":\"{id}\"}}")),
        ("text/plain", id.clone()),
    ] {
        for _ in 0..2 {
            let request = Request::post("/set").header(header::CONTENT_TYPE, kind);
            let answer = answer(&app, request.body(Body::from(body.clone())).unwrap()).await;
            assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0), "{kind}");
        }
    }
    assert_eq!(client.clone().get("/value").await.body, "0");
}

/// A12, R6, CVE-2022-25896 (passport).
#[tokio::test]
async fn a_login_over_a_session_always_changes_the_id() {
    let (app, store, _) = memory();
    let mut client = Client::new(&app);
    client.post("/write").await;
    let mut fixed = client.clone();
    client.post("/login").await;
    assert_ne!(client.jar, fixed.jar);
    assert_eq!(fixed.get("/value").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(store.len(), 1);
}

/// A16, R16, CVE-2020-8184 (rack).
#[tokio::test]
async fn an_encoded_cookie_name_is_another_cookie() {
    let (app, ..) = memory();
    let client = signed_in(&app).await;
    let id = &client.jar[COOKIE];
    let cookie = format!("%5F%5FHost-sessid={id}");
    let alone = Client::new(&app).send(Method::GET, "/value", &[("cookie", &cookie)]).await;
    assert_eq!(alone.status, StatusCode::UNAUTHORIZED);
    let other = signed_in(&app).await.jar[COOKIE].clone();
    let after = format!("{COOKIE}={id}; %5F%5FHost-sessid={other}");
    Client::new(&app).send(Method::GET, "/count", &[("cookie", &after)]).await;
    let mut client = client;
    assert_eq!(client.get("/value").await.body, "1");
}

/// F15: junk of any kind hides no valid cookie.
#[tokio::test]
async fn junk_does_not_hide_a_valid_cookie() {
    let (app, ..) = memory();
    let id = signed_in(&app).await.jar[COOKIE].clone();
    let long = "x=".repeat(30_000);
    for junk in
        ["", ";;; =;", &format!("{COOKIE}=; {COOKIE}=\"\"; {COOKIE}={FORGED}"), &long, "\u{e9}=\u{fc}", "a; b; c"]
    {
        let cookie = format!("{junk}; {COOKIE}={id}");
        let request = Request::builder().uri("/value").header(header::COOKIE, cookie.as_bytes());
        let answer = answer(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{junk:.20}");
    }
    // Four of the name are tried, and no more.
    let flood = format!("{}{COOKIE}={id}", format!("{COOKIE}={FORGED}; ").repeat(4));
    let answer = Client::new(&app).send(Method::GET, "/value", &[("cookie", &flood)]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

/// A30, B51: a client that follows at once sees what was written.
#[tokio::test]
async fn what_was_written_is_stored_before_the_response_leaves() {
    let (app, store) = faulty();
    let mut client = signed_in(&app).await;
    let gate = store.faults().hold(Operation::WRITES);
    let mut writer = client.clone();
    let writing = tokio::spawn(async move { writer.post("/set").await.status });
    let_others_run().await;
    assert!(!writing.is_finished(), "the response left before the write");
    gate.open();
    assert_eq!(writing.await.unwrap(), StatusCode::OK);
    assert_eq!(client.get("/value").await.body, "7");
}

/// F1, R32: a store that is down is not an empty session.
#[tokio::test]
async fn a_failing_load_is_503_and_leaves_the_cookie_alone() {
    let (app, store) = faulty();
    let mut client = signed_in(&app).await;
    store.faults().fail_every(Operation::READS, Fault::Refused);
    for (method, path) in [(Method::GET, "/value"), (Method::POST, "/write"), (Method::POST, "/logout")] {
        let answer = client.send(method, path, &[]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.set_cookies(), Vec::<&str>::new());
        assert!(!answer.body.contains("disk full") && !answer.body.contains("faulty"), "{}", answer.body);
    }
    assert_eq!(client.get("/plain").await.body, "plain");
    store.faults().recover();
    assert_eq!(client.get("/value").await.body, "0");
}

/// F2, B63, R33.
#[tokio::test]
async fn a_failing_save_is_503_without_a_cookie_and_visible_nowhere() {
    let (app, store) = faulty();
    let mut client = signed_in(&app).await;
    store.faults().fail_every(Operation::WRITES, Fault::Refused);
    for (method, path) in [
        (Method::POST, "/set"),
        (Method::GET, "/count"),
        (Method::POST, "/renew"),
        (Method::POST, "/logout"),
        (Method::POST, "/login"),
    ] {
        let answer = client.send(method, path, &[]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.set_cookies(), Vec::<&str>::new(), "{path}");
    }
    store.faults().recover();
    assert_eq!(client.get("/value").await.body, "0");
    assert_eq!(store.inner().len(), 1);
}

/// S50: a logout that a full fast tier refuses is 503, not 401 at the second time, and the same request does the rest later.
#[tokio::test(start_paused = true)]
async fn a_logout_that_failed_in_the_fast_tier_is_repeated_by_the_same_request() {
    let (fast, durable) = (FaultyStore::new(MemoryStore::new()), MemoryStore::new());
    let end = post(async |ending: EndSession| ending.end());
    let process = || {
        routes().route("/end", end.clone()).layer(SessionLayer::new(TieredStore::new(fast.clone(), durable.clone())))
    };
    let (here, elsewhere) = (process(), process());
    let mut client = signed_in(&here).await;
    fast.faults().fail_every(&[Operation::Fill, Operation::Bury], Fault::Down);
    for _ in 0..2 {
        let answer = client.post("/end").await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        assert_eq!(client.moved_to(&elsewhere).get("/value").await.status, StatusCode::UNAUTHORIZED);
    }
    fast.faults().recover();
    assert_eq!(client.post("/end").await.status, StatusCode::OK);
    assert_eq!(client.get("/value").await.status, StatusCode::UNAUTHORIZED);
}

/// F11: a panicking handler changes nothing, whether or not somebody catches the panic.
#[tokio::test]
async fn a_panicking_handler_changes_nothing() {
    let panics = async |visitor: MaybeSession, sess: Option<Session>| {
        match sess {
            Some(sess) => {
                sess.set_attr("Count", &13)?;
                sess.renew_id()?;
            }
            None => drop(visitor.start(NewSession::new())?),
        }
        if visitor.session().is_some() {
            panic!("on purpose");
        }
        Ok::<_, SessionError>(())
    };
    let store = MemoryStore::new();
    let app = routes()
        .route("/panic", get(panics))
        .layer(tower_http::catch_panic::CatchPanicLayer::new())
        .layer(SessionLayer::new(store.clone()));
    let mut stranger = Client::new(&app);
    let answer = stranger.get("/panic").await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    assert!(store.is_empty());
    let mut client = signed_in(&app).await;
    assert_eq!(client.get("/panic").await.set_cookies(), Vec::<&str>::new());
    assert_eq!(client.get("/count").await.body, "1");

    let app = routes().route("/panic", get(panics)).layer(SessionLayer::new(store.clone()));
    let mut client = client.moved_to(&app);
    let mut crashing = client.clone();
    assert!(tokio::spawn(async move { crashing.get("/panic").await }).await.unwrap_err().is_panic());
    assert_eq!(client.get("/count").await.body, "2");
}

/// F12: before the handler has returned nothing is saved.
#[tokio::test]
async fn a_client_that_hangs_up_during_the_handler_leaves_nothing() {
    let halves = Halves::default();
    let store = MemoryStore::new();
    let app = routes().route("/slow", slow_route(Slow::Sets, halves.clone())).layer(SessionLayer::new(store));
    let mut client = signed_in(&app).await;
    let mut leaving = client.clone();
    let request = tokio::spawn(async move { leaving.get("/slow").await });
    halves.reached.notified().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    assert_eq!(client.get("/value").await.body, "0");
}

/// F11, F12: what outlives a cancelled request can't tell the client anything any more.
#[tokio::test]
async fn handles_that_outlive_a_cancelled_request_start_and_renew_nothing() {
    let store = MemoryStore::new();
    let (hand_out, mut handed_out) = tokio::sync::mpsc::unbounded_channel();
    let hang = async move |sess: Session, visitor: MaybeSession| {
        sess.set_attr("Count", &13).expect("the session is there");
        sess.set_attr("x", &1).expect("the session is there");
        sess.renew_id().expect("the response head has not left");
        hand_out.send((sess, visitor)).expect("the test waits");
        std::future::pending::<()>().await;
    };
    let app = routes().route("/hang", get(hang)).layer(SessionLayer::new(store.clone()));
    let mut client = signed_in(&app).await;
    let mut leaving = client.clone();
    let request = tokio::spawn(async move { leaving.get("/hang").await });
    let (sess, visitor) = handed_out.recv().await.unwrap();
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());

    assert!(matches!(sess.renew_id(), Err(Error::HeadSent(_))));
    let started = visitor.start(NewSession::new());
    assert!(matches!(started, Err(SessionError::Failed(Error::HeadSent(_)))), "{started:?}");
    // Nor is anything left of what the handler collected that a later save would find.
    sess.save().await.unwrap();
    assert_eq!(client.get("/value").await.body, "0");
    sess.set_attr("y", &2).unwrap();
    sess.save().await.unwrap();
    assert_eq!(sess.attr::<u32>("x").unwrap(), None);
    drop((sess, visitor));
    assert_eq!(client.get("/count").await.body, "1");
    assert_eq!(store.len(), 1);
}

/// A1, guarantee 14: what was saved on the way is no reason to send a dead id.
#[tokio::test]
async fn a_slow_request_that_made_its_session_persistent_sends_no_cookie_after_a_logout() {
    let halves = Halves::default();
    let reached = halves.clone();
    let keep = async move |sess: Session| {
        sess.set_persistent(true)?;
        sess.save().await?;
        halves.wait().await;
        Ok::<_, SessionError>(())
    };
    let app = routes().route("/keep", post(keep)).layer(SessionLayer::new(MemoryStore::new()));
    for logs_out in [false, true] {
        let mut client = signed_in(&app).await;
        let mut slow_client = client.clone();
        let slow = tokio::spawn(async move { (slow_client.post("/keep").await, slow_client) });
        reached.reached.notified().await;
        if logs_out {
            client.post("/logout").await;
        }
        reached.go_on.notify_one();
        let (answer, mut slow_client) = slow.await.unwrap();
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, usize::from(!logs_out)));
        let status = if logs_out { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
        assert_eq!(slow_client.get("/value").await.status, status);
    }
}

/// F12, guarantee 10: after it, everything is.
#[tokio::test]
async fn a_client_that_hangs_up_during_the_commit_finds_it_done() {
    let (app, store) = faulty();
    let mut client = signed_in(&app).await;
    let gate = store.faults().hold(Operation::WRITES);
    let mut leaving = client.clone();
    let request = tokio::spawn(async move { leaving.post("/set").await });
    let_others_run().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    gate.open();
    let_others_run().await;
    assert_eq!(client.get("/value").await.body, "7");
}

/// F13, A22.
#[tokio::test]
async fn a_huge_attribute_is_a_clear_error_and_harms_nothing() {
    let huge = async |sess: Session| match sess.set_attr("huge", &"x".repeat(1 << 20)) {
        Ok(()) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    let app = routes().route("/huge", post(huge)).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = signed_in(&app).await;
    let said = client.post("/huge").await.body;
    assert_eq!(said, "attribute \"huge\" makes the session larger than 1048576 bytes of JSON");
    assert_eq!(client.get("/count").await.body, "1");
}

/// B65: a body that is streamed after the head saves by itself, and can't start or renew.
#[tokio::test]
async fn a_stream_can_save_later() {
    let (done, is_done) = tokio::sync::oneshot::channel::<(bool, bool)>();
    let done = Arc::new(Mutex::new(Some(done)));
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let stream = async move |sess: Session, visitor: MaybeSession| {
        tokio::spawn(async move {
            wait.notified().await;
            let refused = (sess.renew_id().is_err(), visitor.start(NewSession::new()).is_err());
            sess.set_attr("Count", &5).expect("the session is there");
            sess.save().await.expect("the store works");
            let done = done.lock().unwrap().take();
            done.expect("the stream runs once").send(refused).expect("the test waits");
        });
    };
    let app = routes().route("/stream", get(stream)).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = signed_in(&app).await;
    client.get("/stream").await;
    go_on.notify_one();
    assert_eq!(is_done.await.unwrap(), (true, true));
    assert_eq!(client.get("/value").await.body, "5");
}

/// It reads at its own pace, long after the response head has left, and changes nothing.
#[tokio::test]
async fn a_stream_that_only_reads_learns_at_a_save_that_its_session_ended() {
    let next = Arc::new(Notify::new());
    let (told, mut is_told) = tokio::sync::mpsc::unbounded_channel();
    let wait = Arc::clone(&next);
    let stream = async move |sess: Session| {
        tokio::spawn(async move {
            loop {
                wait.notified().await;
                told.send(sess.save().await).expect("the test waits");
            }
        });
    };
    let app = routes().route("/stream", get(stream)).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = signed_in(&app).await;
    client.get("/stream").await;
    next.notify_one();
    assert!(is_told.recv().await.unwrap().is_ok());
    client.post("/logout").await;
    next.notify_one();
    assert!(matches!(is_told.recv().await.unwrap(), Err(Error::Gone)));
}

/// Lets every task go as far as it can: on a runtime of one thread, a task that could go on has
/// had its turn long before these turns are over.
async fn let_others_run() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// What long runs are multiplied by.
fn campaign() -> u64 {
    std::env::var("CAMPAIGN").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Two applications, or two layers of one, keep their sessions in one store. Whoever is signed in at one presents that
/// id at the other, by whatever way the other takes ids.
#[tokio::test]
async fn an_id_of_one_layer_opens_nothing_in_another() {
    let store = MemoryStore::new();
    let cookie = |name: &str| SessionLayer::builder(store.clone()).cookie(SessionCookie::new().name(name));
    let shop = routes().layer(cookie("shop").build().unwrap());
    let mut visitor = signed_in(&shop).await;
    let id = visitor.jar["__Host-shop"].clone();
    let others = [
        ("cookie", format!("__Host-staff={id}"), cookie("staff").build().unwrap()),
        ("cookie", format!("__Host-shop={id}"), cookie("shop").audience("another-shop").build().unwrap()),
        (
            "authorization",
            format!("Bearer {id}"),
            SessionLayer::builder(store.clone()).transport(HeaderTransport::bearer()).build().unwrap(),
        ),
        ("cookie", format!("__Host-sessid={id}"), SessionLayer::new(store.clone())),
    ];
    for (header, value, layer) in others {
        let manager = layer.manager().clone();
        let other = routes().layer(layer);
        let request = |method, path| {
            let request = Request::builder().method(method).uri(path).header(header, &value);
            request.body(Body::empty()).unwrap()
        };
        assert_eq!(answer(&other, request(Method::GET, "/count")).await.status, StatusCode::UNAUTHORIZED);
        // Somebody who may start a session gets a fresh one, and the other is left alone.
        assert_eq!(answer(&other, request(Method::POST, "/write")).await.status, StatusCode::OK);
        assert!(manager.counters().other_audiences >= 2, "{value}");
        assert_eq!(visitor.get("/value").await.body, "0");
    }
    assert_eq!(visitor.get("/count").await.body, "1");
}
