//! Floors: axum alone, with a layer that does nothing, and with a session made by hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use tower::{Layer, Service};

pub fn router() -> Router {
    Router::new()
        .route("/plain", get(async || "hello"))
        .route("/read", get(async || 7.to_string()))
        .route("/set", get(async || "hello"))
        .route("/count", get(async || 7.to_string()))
        .route("/login", get(async || "hello"))
        .route("/logout", get(async || "hello"))
}

pub fn router_with_layer() -> Router {
    router().layer(Nothing)
}

#[derive(Clone)]
struct Nothing;

#[derive(Clone)]
struct NothingService<S>(S);

impl<S> Layer<S> for Nothing {
    type Service = NothingService<S>;

    fn layer(&self, inner: S) -> NothingService<S> {
        NothingService(inner)
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for NothingService<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.0.call(request)
    }
}

/// What one might write without a library: a map, a lock, a cookie found by searching. It saves
/// nothing anywhere, and no session ever ends.
type ByHand = Arc<RwLock<HashMap<String, Arc<Mutex<u32>>>>>;

pub fn router_by_hand() -> Router {
    let sessions = ByHand::default();
    Router::new()
        .route("/plain", get(async || "hello"))
        .route("/read", get(async |State(s): State<ByHand>, h: HeaderMap| use_count(&s, &h, |_| {})))
        .route("/set", get(async |State(s): State<ByHand>, h: HeaderMap| use_count(&s, &h, |n| *n = 7)))
        .route("/count", get(async |State(s): State<ByHand>, h: HeaderMap| use_count(&s, &h, |n| *n += 1)))
        .route("/login", get(log_in))
        .route("/logout", get(log_out))
        .layer(from_fn(async |request: Request, next: Next| next.run(request).await))
        .with_state(sessions)
}

fn id_in(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("sid="))
}

fn use_count(sessions: &ByHand, headers: &HeaderMap, edit: impl FnOnce(&mut u32)) -> String {
    let found = id_in(headers).and_then(|id| sessions.read().expect("no panic").get(id).cloned());
    let count = found.expect("the visitor is signed in");
    let mut count = count.lock().expect("no panic");
    edit(&mut count);
    count.to_string()
}

async fn log_in(State(sessions): State<ByHand>) -> ([(header::HeaderName, String); 1], &'static str) {
    let id = format!("{:024x}", sessions.read().expect("no panic").len());
    sessions.write().expect("no panic").insert(id.clone(), Arc::default());
    ([(header::SET_COOKIE, format!("sid={id}; HttpOnly"))], "hello")
}

async fn log_out(State(sessions): State<ByHand>, headers: HeaderMap) -> &'static str {
    let id = id_in(&headers).expect("the visitor is signed in");
    sessions.write().expect("no panic").remove(id);
    "hello"
}
