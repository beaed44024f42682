//! Chromium, with keys in software: what is said of the protocol is what a browser does.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::Html;
use axum::routing::get;
use parking_lot::Mutex;
use serde_json::Value;
use session_axum::{Clock, DeviceBound, MemoryStore, SessionLayer, SystemClock, Time};
use tokio::runtime::Runtime;
use workspace_tests::{Chromium, TlsPort};

use super::application::{BOUND, MINUTE, SESSION, routes};

/// An application over HTTPS, and a browser that trusts it.
struct Place {
    port: u16,
    chromium: Chromium,
    clock: Arc<ClockAhead>,
    /// How many requests for a refresh have come.
    asked_for_refresh: Arc<AtomicUsize>,
    _runtime: Runtime,
}

/// A page that its script replaces by another one, as a link does.
const LINK: &str = "<script>location.href = decodeURIComponent(location.search.slice(1))</script>";

/// The server's time, which can be moved on. The browser's own can't.
#[derive(Debug, Default)]
struct ClockAhead(Mutex<Duration>);

impl ClockAhead {
    fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl Clock for ClockAhead {
    fn now(&self) -> Time {
        SystemClock.now().saturating_add(*self.0.lock())
    }
}

fn app(clock: Arc<ClockAhead>, asked_for_refresh: Arc<AtomicUsize>) -> Router {
    let device_bound = DeviceBound::new().lifetime_for_tests(Duration::from_secs(2));
    let layer = SessionLayer::builder(MemoryStore::new())
        .clock(clock)
        .renewal_grace(Duration::from_secs(30))
        .device_bound(device_bound)
        .build()
        .unwrap();
    let page = async || Html("<title>page</title>");
    let count = middleware::map_request(move |request: Request| {
        let is_for_refresh = request.uri().path().ends_with("/refresh");
        asked_for_refresh.fetch_add(usize::from(is_for_refresh), Ordering::Relaxed);
        ready(request)
    });
    routes().route("/page", get(page)).route("/link", get(async || Html(LINK))).layer(layer).layer(count)
}

impl Place {
    /// `None` where Chromium is not installed.
    fn new() -> Option<Self> {
        let runtime = Runtime::new().unwrap();
        let hosts = ["app.test", "other.example", "a.app.test", "b.app.test"].map(str::to_owned);
        let TlsPort { listener, port, key_hash } = runtime.block_on(TlsPort::bind(hosts));
        let chromium = Chromium::start(&key_hash)?;
        let (clock, asked_for_refresh) = (Arc::new(ClockAhead::default()), Arc::new(AtomicUsize::new(0)));
        let app = app(Arc::clone(&clock), Arc::clone(&asked_for_refresh));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Some(Place { port, chromium, clock, asked_for_refresh, _runtime: runtime })
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.port)
    }

    fn log_in(&mut self) {
        let url = self.url("app.test", "/page");
        self.chromium.open(&url);
        self.post("/login");
        self.wait_for_registrations(1);
    }

    /// The body of the answer.
    fn post(&mut self, path: &str) -> String {
        let answer = self.chromium.run(&format!("fetch('{path}', {{method: 'POST'}}).then(a => a.text())"));
        answer.as_str().unwrap().to_owned()
    }

    fn get(&mut self, path: &str) -> String {
        self.chromium.run(&format!("fetch('{path}').then(a => a.text())")).as_str().unwrap().to_owned()
    }

    fn lapse(&mut self) {
        let url = self.url("app.test", "/");
        self.chromium.drop_cookie(BOUND, &url);
    }

    /// How many bindings have come to this: the member of an event's details, and its value.
    fn count(&mut self, details: &str, member: &str, value: &str) -> usize {
        let bindings = self.chromium.bindings();
        bindings.iter().filter(|event| event[details][member] == value).count()
    }

    fn registrations(&mut self) -> usize {
        self.count("creationEventDetails", "fetchResult", "Success")
    }

    fn refreshes(&mut self) -> usize {
        self.count("refreshEventDetails", "refreshResult", "Refreshed")
    }

    fn endings(&mut self) -> usize {
        let bindings = self.chromium.bindings();
        // Signing in again replaces a binding by the next one.
        let why = |event: &Value| event["terminationEventDetails"]["deletionReason"].as_str().map(str::to_owned);
        bindings.iter().filter_map(why).filter(|why| why != "Replaced").count()
    }

    #[track_caller]
    fn wait_for_registrations(&mut self, count: usize) {
        let succeeded = move |event: &Value| event["creationEventDetails"]["fetchResult"] == "Success";
        self.chromium.wait_for("the registration", |chromium| {
            chromium.bindings().iter().filter(|event| succeeded(event)).count() >= count
        });
    }

    /// The different answers to as many requests at once.
    fn at_once(&mut self, requests: usize, path: &str, first: &str) -> Value {
        self.chromium.run(&format!(
            "(async () => {{ {first}; const all = Array.from({{length: {requests}}}, () => fetch('{path}', {{method: 'POST'}})
                 .then(a => a.status)); return [...new Set(await Promise.all(all))] }})()"
        ))
    }
}

/// Bars 1 and 3, D14: also with many requests at the moment of each refresh.
#[test]
fn chromium_registers_and_refreshes_fifty_times() {
    let Some(mut place) = Place::new() else { return };
    place.log_in();
    assert_eq!(place.get("/bound"), "true");
    // Until then a request without a proof may be one from before the registration.
    place.clock.advance(MINUTE);
    for round in 0..50 {
        place.lapse();
        assert_eq!(place.at_once(100, "/count", ""), serde_json::json!([200]), "round {round}");
    }
    let (registered, refreshed) = (place.registrations(), place.refreshes());
    assert!(registered == 1 && refreshed >= 50, "{registered} {refreshed}");
    assert_eq!(place.endings(), 0, "{:#?}", place.chromium.bindings());
    assert_eq!(place.asked_for_refresh.load(Ordering::Relaxed), refreshed);
    assert_eq!(place.post("/count"), (50 * 100 + 1).to_string());
    // And when the time of the cookie is over.
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(place.get("/bound"), "true");
}

/// Bar 1, D6: around a registration, a renewal, and signing in again.
#[test]
fn no_request_of_chromium_is_lost_while_its_binding_changes() {
    let Some(mut place) = Place::new() else { return };
    let url = place.url("app.test", "/page");
    place.chromium.open(&url);
    let ok = serde_json::json!([200]);
    assert_eq!(place.at_once(100, "/count", "await fetch('/login', {method: 'POST'})"), ok);
    place.wait_for_registrations(1);
    assert_eq!(place.get("/bound"), "true");
    place.clock.advance(MINUTE);
    for round in 0..3 {
        place.lapse();
        assert_eq!(place.at_once(100, "/count", "fetch('/renew', {method: 'POST'})"), ok, "renewal {round}");
        assert_eq!(place.at_once(100, "/count", "await fetch('/renew', {method: 'POST'})"), ok, "renewal {round}");
    }
    for round in 0..3 {
        place.lapse();
        assert_eq!(place.at_once(100, "/count", "await fetch('/login', {method: 'POST'})"), ok, "login {round}");
        place.wait_for_registrations(2 + round);
        place.lapse();
        assert_eq!(place.get("/bound"), "true");
        place.clock.advance(MINUTE);
    }
    assert_eq!(place.endings(), 0, "{:#?}", place.chromium.bindings());
}

/// Bar 1, D7, D30
#[test]
fn a_logout_ends_chromiums_side_and_the_next_login_binds_anew() {
    let Some(mut place) = Place::new() else { return };
    place.log_in();
    for round in 1..4 {
        assert_eq!(place.get("/bound"), "true");
        place.post("/logout");
        let url = place.url("app.test", "/");
        // A refresh that was under way may have set the bound cookie again, which is worth nothing.
        assert!(!place.chromium.cookies(&url).contains(&SESSION.to_owned()));
        assert_eq!(place.get("/user"), "nobody");
        place.lapse();
        assert_eq!(place.get("/user"), "nobody");
        assert_eq!(place.endings(), round, "{:#?}", place.chromium.bindings());
        place.post("/login");
        place.wait_for_registrations(1 + round);
    }
}

/// Bar 1, D26: a link in a mail, also with a fragment.
#[test]
fn a_link_from_elsewhere_opens_a_signed_in_page_with_a_lapsed_cookie() {
    let Some(mut place) = Place::new() else { return };
    place.log_in();
    assert_eq!(place.get("/bound"), "true");
    place.clock.advance(MINUTE);
    for (from, path) in [
        ("other.example", "/user"),
        ("other.example", "/user?a=b%26c"),
        ("b.app.test", "/user"),
        ("other.example", "/user#part"),
    ] {
        place.lapse();
        let target = place.url("app.test", path);
        let link =
            place.url(from, &format!("/link?{}", target.replace('%', "%25").replace('#', "%23").replace('&', "%26")));
        place.chromium.open(&link);
        place.chromium.wait_for(&format!("{from} leads to {path}"), |chromium| chromium.text() == "ann");
        let at = place.chromium.run("location.href");
        assert_eq!(at, target.as_str());
    }
    assert_eq!(place.endings(), 0);
}

/// D25: Chromium keeps sessions by site and identifier.
#[test]
fn applications_at_hosts_of_one_site_are_bound_beside_each_other() {
    let Some(mut place) = Place::new() else { return };
    for (count, host) in ["a.app.test", "b.app.test"].into_iter().enumerate() {
        let url = place.url(host, "/page");
        place.chromium.open(&url);
        place.post("/login");
        place.wait_for_registrations(count + 1);
        assert_eq!(place.get("/bound"), "true");
    }
    for host in ["a.app.test", "b.app.test", "a.app.test"] {
        let url = place.url(host, "/page");
        place.chromium.drop_cookie(BOUND, &url);
        place.chromium.open(&url);
        let before = place.refreshes();
        place.chromium.drop_cookie(BOUND, &url);
        assert_eq!(place.get("/bound"), "true");
        assert!(place.refreshes() > before);
    }
    assert_eq!(place.endings(), 0, "{:#?}", place.chromium.bindings());
}
