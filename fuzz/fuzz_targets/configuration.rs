//! G24: whatever text an operator configures: it is taken or refused, and never a panic. No error shows the password of
//! an address. What is taken works: the cookie comes back, the job's secret is known, a table's name needs no escaping.

#![no_main]

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use libfuzzer_sys::fuzz_target;
use session_axum::{MaybeSession, MemoryStore, NewSession, PurgeService, SessionCookie, SessionLayer, SessionManager};
use session_stores::{FirestoreStore, MemcachedStore, PostgresStore, RedisStore};
use tower_layer::Layer;
use tower_service::Service;

const MARKER: &str = "xMARKERx";

static STORE: LazyLock<MemoryStore> = LazyLock::new(|| MemoryStore::with_max_sessions(1000));

// The first byte chooses what is configured. The rest are its texts, with zeros between them.
fuzz_target!(|input: &[u8]| {
    let Some((choice, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut texts = text.split('\0');
    let [one, two, three] = [(); 3].map(|()| texts.next().unwrap_or_default());
    match choice % 8 {
        0 => drop(RedisStore::check(one, two)),
        1 => check_table(one, two),
        2 => drop(MemcachedStore::check(one, two)),
        3 => drop(FirestoreStore::check(one, two, three)),
        4 => check_secret(one),
        5 => check_cookie(one, two, three),
        6 => check_names(one),
        _ => check_password(one, two, three),
    }
});

fn check_table(url: &str, table: &str) {
    let Ok(schema) = PostgresStore::check(url, table) else { return };
    let words = table.chars().all(|character| character.is_alphanumeric() || "_.".contains(character));
    assert!(words && schema.contains(table.rsplit('.').next().unwrap()), "{table:?}");
}

/// The job that knows the secret is let in.
fn check_secret(secret: &str) {
    let sessions = SessionManager::builder(STORE.clone()).without_background_purge().build().expect("these work");
    let Ok(mut service) = PurgeService::new(sessions, secret) else { return };
    let bearer = HeaderValue::try_from(format!("Bearer {secret}")).expect("a header takes the secret");
    let request = Request::builder().header(header::AUTHORIZATION, bearer).body(()).expect("it is a request");
    let Ok(answer) = at_once(service.call(request));
    assert_eq!(answer.status(), StatusCode::OK, "{secret:?}");
}

/// The cookie that a browser gets opens the session when it comes back.
fn check_cookie(name: &str, domain: &str, path: &str) {
    let cookie = SessionCookie::new().name(name);
    let cookie = if domain.is_empty() { cookie } else { cookie.domain(domain) };
    let cookie = if path.is_empty() { cookie } else { cookie.path(path) };
    let builder = SessionLayer::builder(STORE.clone()).without_background_purge();
    let Ok(layer) = builder.cookie(cookie).build() else { return };
    let mut app = layer.layer(Visit);
    let Ok(answer) = at_once(app.call(Request::new(Body::empty())));
    let [set] = answer.headers().get_all(header::SET_COOKIE).iter().collect::<Vec<_>>()[..] else {
        panic!("{name:?} {domain:?} {path:?}: {:?}", answer.headers());
    };
    let set = set.to_str().expect("a cookie is visible ASCII");
    let (pair, attributes) = set.split_once(';').expect("a cookie has attributes");
    assert!(pair.contains(name) && attributes.contains("HttpOnly"), "{set}");
    assert!(attributes.contains(&format!("; Path={}", if path.is_empty() { "/" } else { path })), "{set}");
    let request = Request::builder().header(header::COOKIE, pair).body(Body::empty()).expect("it is a request");
    let Ok(answer) = at_once(app.call(request));
    assert!(answer.headers().get(header::SET_COOKIE).is_none(), "{set} opened nothing");
}

/// Names and addresses that have no server.
fn check_names(name: &str) {
    let sessions = SessionManager::builder(STORE.clone()).without_background_purge();
    if let Ok(sessions) = sessions.audience(name).build() {
        assert!(sessions.audience() == name && name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
    }
    let _ = SessionLayer::builder(STORE.clone()).without_background_purge().sign_in_page(name).build();
}

/// An address with a password in its place, whatever is around it and in it.
fn check_password(user: &str, more: &str, host: &str) {
    if user.contains(['?', '#']) {
        // The password then is a parameter, or a part of one.
        return;
    }
    if user.contains(MARKER) || host.contains(MARKER) {
        // A fuzzer learns it, and a host may be told.
        return;
    }
    let after = format!("{user}:{MARKER}{more}@{host}");
    let told = [
        RedisStore::check(&format!("redis://{after}"), "main").map_err(told),
        PostgresStore::check(&format!("postgres://{after}"), "sessions").map(drop).map_err(told),
        MemcachedStore::check(&format!("memcached://{after}"), "sess_").map_err(told),
        MemcachedStore::check(&after, "sess_").map_err(told),
        FirestoreStore::check(&after, "project", "sess_").map_err(told),
    ];
    for told in told.into_iter().filter_map(Result::err) {
        assert!(!told.contains(MARKER), "{told}");
    }
}

fn told(error: impl std::error::Error + 'static) -> String {
    let first: &dyn std::error::Error = &error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    causes.map(|cause| format!("{cause} {cause:?} ")).collect()
}

/// Starts a session for whoever has none.
#[derive(Clone)]
struct Visit;

impl Service<Request<Body>> for Visit {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let (mut parts, _) = request.into_parts();
            let visitor = MaybeSession::from_request_parts(&mut parts, &()).await.expect("memory answers");
            if visitor.session().is_none() {
                visitor.start(NewSession::new()).expect("memory takes it");
            }
            Ok(Response::new(Body::empty()))
        })
    }
}

/// A store in memory never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits"),
    }
}
