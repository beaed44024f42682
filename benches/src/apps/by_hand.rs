//! What one might write for one application: a layer that finds the cookie by searching and puts
//! what it belongs to into the request. It checks and moves the idle deadline and sends `Vary`.
//! Nothing is saved anywhere, no session is ever purged, and counting is for one process.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

const IDLE_TIMEOUT_MS: u64 = 30 * 60 * 1000;
const ID_LENGTH: usize = 36;

type Id = [u8; ID_LENGTH];
type Shard = RwLock<HashMap<Id, Arc<Visitor>>>;

struct Visitor {
    id: Id,
    accessed_ms: AtomicU64,
    count: Mutex<u32>,
}

impl Visitor {
    fn count(&self, edit: impl FnOnce(&mut u32)) -> u32 {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        edit(&mut count);
        *count
    }
}

#[derive(Clone)]
struct Visitors(Arc<[Shard]>);

impl Visitors {
    fn shard(&self, id: &Id) -> &Shard {
        &self.0[usize::from(id[0] ^ id[1] << 4) % self.0.len()]
    }

    fn start(&self) -> String {
        let mut bytes = [0; ID_LENGTH / 2];
        getrandom::fill(&mut bytes).expect("the system has random bytes");
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let id: Id = text.as_bytes().try_into().expect("two characters for each byte");
        let visitor = Visitor { id, accessed_ms: AtomicU64::new(now_ms()), count: Mutex::new(0) };
        self.shard(&id).write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::new(visitor));
        text
    }

    fn find(&self, request: &Request) -> Option<Arc<Visitor>> {
        let cookies = request.headers().get(header::COOKIE)?.to_str().ok()?;
        let id = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("sid="))?;
        let id: Id = id.as_bytes().try_into().ok()?;
        let found = self.shard(&id).read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()?;
        let now = now_ms();
        let idle = now.saturating_sub(found.accessed_ms.fetch_max(now, Ordering::Relaxed));
        (idle < IDLE_TIMEOUT_MS).then_some(found)
    }

    fn end(&self, visitor: &Visitor) {
        self.shard(&visitor.id).write().unwrap_or_else(PoisonError::into_inner).remove(&visitor.id);
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

pub fn router() -> Router {
    let visitors = Visitors((0..64).map(|_| Shard::default()).collect());
    Router::new()
        .route("/plain", get(async || "hello"))
        .route("/read", get(async |Extension(visitor): Extension<Arc<Visitor>>| visitor.count(|_| {}).to_string()))
        .route("/set", get(set))
        .route(
            "/count",
            get(async |Extension(visitor): Extension<Arc<Visitor>>| visitor.count(|n| *n += 1).to_string()),
        )
        .route("/login", get(log_in))
        .route("/logout", get(log_out))
        .layer(VisitorLayer(visitors.clone()))
        .with_state(visitors)
}

async fn set(Extension(visitor): Extension<Arc<Visitor>>) -> &'static str {
    visitor.count(|n| *n = 7);
    "hello"
}

async fn log_in(State(visitors): State<Visitors>) -> ([(HeaderName, String); 1], &'static str) {
    ([(header::SET_COOKIE, format!("sid={}; HttpOnly", visitors.start()))], "hello")
}

async fn log_out(State(visitors): State<Visitors>, Extension(visitor): Extension<Arc<Visitor>>) -> &'static str {
    visitors.end(&visitor);
    "hello"
}

#[derive(Clone)]
struct VisitorLayer(Visitors);

#[derive(Clone)]
struct VisitorService<S> {
    inner: S,
    visitors: Visitors,
}

impl<S> Layer<S> for VisitorLayer {
    type Service = VisitorService<S>;

    fn layer(&self, inner: S) -> VisitorService<S> {
        VisitorService { inner, visitors: self.0.clone() }
    }
}

impl<S: Service<Request, Response = Response>> Service<Request> for VisitorService<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = VisitorFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let visitor = self.visitors.find(&request);
        let is_known = visitor.is_some();
        if let Some(visitor) = visitor {
            request.extensions_mut().insert(visitor);
        }
        VisitorFuture { handler: self.inner.call(request), is_known }
    }
}

pin_project! {
    struct VisitorFuture<F> {
        #[pin]
        handler: F,
        is_known: bool,
    }
}

impl<F: Future<Output = Result<Response, E>>, E> Future for VisitorFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.handler.poll(context))?;
        if *this.is_known {
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("cookie"));
        }
        Poll::Ready(Ok(response))
    }
}
