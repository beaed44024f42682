//! The same small application on each library: a route without a session, one that reads, one
//! that sets, one that counts, a login and a logout, as each library's documentation shows.

mod actix;
mod axum_session_app;
mod bare;
mod ours;
mod tower_sessions_app;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use tokio::runtime::Runtime;
use tower::Service;

use crate::stats::{Sample, measure};

/// What a request does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Plain,
    Read,
    Set,
    Count,
    Login,
    Logout,
}

impl Work {
    pub const ALL: [Work; 6] = [Work::Plain, Work::Read, Work::Set, Work::Count, Work::Login, Work::Logout];

    pub fn name(self) -> &'static str {
        self.path().trim_start_matches('/')
    }

    pub fn path(self) -> &'static str {
        match self {
            Work::Plain => "/plain",
            Work::Read => "/read",
            Work::Set => "/set",
            Work::Count => "/count",
            Work::Login => "/login",
            Work::Logout => "/logout",
        }
    }
}

/// What a browser sends besides the session.
pub const OTHER_COOKIES: &str = "theme=dark; _ga=GA1.1.1234567890.1234567890";

/// One application that is measured.
pub trait App {
    /// Makes requests that do this work, and then measures how long answering them takes.
    fn measure(&mut self, work: Work, requests: usize) -> Sample;
}

pub const NAMES: [&str; 10] = [
    "axum-bare",
    "axum-layer",
    "ours",
    "by-hand",
    "tower-sessions-memory",
    "tower-sessions-always-save",
    "tower-sessions-moka",
    "axum-session",
    "actix-bare",
    "actix-session",
];

/// The router of this name, for those that are axum's.
pub async fn router(name: &str) -> Option<Router> {
    Some(match name {
        "axum-bare" => bare::router(),
        "axum-layer" => bare::router_with_layer(),
        "by-hand" => bare::router_by_hand(),
        "ours" => ours::router(),
        "tower-sessions-memory" => tower_sessions_app::memory(false),
        "tower-sessions-always-save" => tower_sessions_app::memory(true),
        "tower-sessions-moka" => tower_sessions_app::moka(),
        "axum-session" => axum_session_app::router().await,
        _ => return None,
    })
}

pub fn app(name: &str) -> Option<Box<dyn App>> {
    if let Some(app) = actix::app(name) {
        return Some(app);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let router = runtime.block_on(router(name))?;
    Some(Box::new(AxumApp { runtime, router, cookie: None }))
}

pub async fn serve_actix(name: &str, port: u16) {
    actix::serve(name, port).await;
}

struct AxumApp {
    runtime: Runtime,
    router: Router,
    /// Of the one session that reads and counts.
    cookie: Option<String>,
}

impl App for AxumApp {
    fn measure(&mut self, work: Work, requests: usize) -> Sample {
        if self.cookie.is_none() {
            self.cookie = Some(self.log_in());
        }
        let cookies: Vec<String> = match work {
            Work::Login => vec![OTHER_COOKIES.to_owned(); requests],
            Work::Logout => (0..requests).map(|_| self.log_in()).collect(),
            _ => vec![self.cookie.clone().unwrap_or_default(); requests],
        };
        let requests: Vec<_> = cookies.into_iter().map(|cookie| request(work, &cookie)).collect();
        let mut answers = Vec::with_capacity(requests.len());
        let count = requests.len();
        let AxumApp { runtime, router, .. } = self;
        let sample = measure(count, || {
            runtime.block_on(async {
                for request in requests {
                    answers.push(router.call(request).await.expect("a router is infallible"));
                }
            });
        });
        check(work, &answers);
        sample
    }
}

impl AxumApp {
    /// A signed-in visitor's cookies.
    fn log_in(&mut self) -> String {
        // Called inside the runtime, as some layers start tasks when they are made.
        let call = async { self.router.call(request(Work::Login, OTHER_COOKIES)).await };
        let answer = self.runtime.block_on(call).expect("a router is infallible");
        cookies_of(&answer)
    }
}

fn request(work: Work, cookie: &str) -> Request<Body> {
    Request::get(work.path())
        .header(header::ACCEPT, "*/*")
        .header(header::COOKIE, cookie)
        .body(Body::empty())
        .expect("the request is well formed")
}

fn cookies_of(answer: &Response<Body>) -> String {
    let mut cookies = vec![OTHER_COOKIES.to_owned()];
    for set in answer.headers().get_all(header::SET_COOKIE) {
        let set = set.to_str().expect("a cookie in ASCII");
        cookies.extend(set.split(';').next().map(str::to_owned));
    }
    cookies.join("; ")
}

fn check(work: Work, answers: &[Response<Body>]) {
    for answer in answers {
        assert_eq!(answer.status(), StatusCode::OK, "{}", work.name());
    }
}
