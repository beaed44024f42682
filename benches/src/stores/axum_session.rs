//! axum_session's sessions in memory. They are reached through requests only, so creating and
//! deleting are not measured here; reading and writing are, of one attribute, as its sessions
//! have no other access.

use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use axum::routing::get;
use axum_session::{Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use tower::Service;

use super::{report, two_threads};
use crate::apps::cookies_after;
use crate::figure;
use crate::stats::resident_bytes;

type Visitor = Session<SessionNullPool>;

/// Of so many sessions, as a handle holds a copy of the settings.
const HANDLES: usize = 20_000;

pub fn run(name: &str, sessions: usize, operations: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(name, sessions, operations));
}

async fn measure(name: &str, sessions: usize, operations: usize) {
    let print =
        |work: &str, measure: &str, value| figure::print("store", name, work, &format!("{measure} {sessions}"), value);
    let handles: Arc<Mutex<Vec<Visitor>>> = Arc::default();
    let before = resident_bytes();
    let mut router = router(Arc::clone(&handles)).await;
    let every = sessions.div_ceil(HANDLES);
    let mut cookies = Vec::new();
    for n in 0..sessions {
        let answer = router.call(request("/login", "")).await.expect("a router is infallible");
        if n % every == 0 {
            cookies.push(cookies_after(&answer));
        }
    }
    print("memory", "bytes", (resident_bytes() - before) / sessions as f64);
    for cookie in &cookies {
        router.call(request("/handle", cookie)).await.expect("a router is infallible");
    }
    let handles = std::mem::take(&mut *handles.lock().unwrap_or_else(PoisonError::into_inner));
    let handles: Vec<&Visitor> = handles.iter().collect();
    let read = |visitor: &Visitor| {
        black_box(visitor.get::<u64>("count"));
    };
    let in_turn = || handles.iter().copied().cycle();
    report(&print, "get", operations, in_turn(), read);
    report(&print, "save", operations, in_turn(), |visitor| visitor.set("count", 1));
    let halves = handles.split_at(handles.len() / 2);
    let hot = &handles[..1];
    for (spread, shares) in [("different", [halves.0, halves.1]), ("one hot", [hot, hot])] {
        print(&format!("get, 2 threads, {spread}"), "million/s", two_threads(operations / 2, shares, read));
    }
}

async fn router(handles: Arc<Mutex<Vec<Visitor>>>) -> Router {
    let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default()).await.expect("a store in memory");
    let keep_handle =
        async move |visitor: Visitor| handles.lock().unwrap_or_else(PoisonError::into_inner).push(visitor);
    Router::new().route("/login", get(log_in)).route("/handle", get(keep_handle)).layer(SessionLayer::new(store))
}

async fn log_in(visitor: Visitor) {
    visitor.set("count", 0);
    visitor.set("user", "ann");
}

fn request(path: &str, cookie: &str) -> Request<Body> {
    Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).expect("the request is well formed")
}
