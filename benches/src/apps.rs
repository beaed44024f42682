//! The same small application on each library: a route without a session, one that reads, one
//! that sets, one that counts, a login and a logout, as each library's documentation shows.

pub mod actix;
mod axum_app;
pub mod axum_session;
pub mod bare;
mod by_hand;
#[cfg(feature = "device-bound")]
mod device_bound;
pub mod ours;
pub mod ruts;
pub mod tower_sessions;

use std::iter::repeat_n;

use axum::Router;

use crate::stats::Sample;

pub use actix::serve as serve_actix;
pub use axum_app::{AxumApp, cookies_after, request};

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

/// One application, called without a network.
pub trait App {
    /// Logs a visitor in; the `Cookie` header that the visitor sends from then on.
    fn log_in(&mut self) -> String;

    /// Makes a request with each of these `Cookie` headers, and measures answering them.
    fn answer(&mut self, work: Work, cookies: &[String]) -> Sample;

    /// The count that this visitor reads.
    fn count(&mut self, cookie: &str) -> u64;
}

pub struct Description {
    pub name: &'static str,
    /// The same routes on the same framework without sessions.
    pub bare: &'static str,
}

const fn on(bare: &'static str, name: &'static str) -> Description {
    Description { name, bare }
}

pub const AXUM: &str = "axum-bare";
pub const ACTIX: &str = "actix-bare";

pub const ALL: [Description; 12] = [
    on(AXUM, AXUM),
    on(AXUM, "axum-layer"),
    on(AXUM, "by-hand"),
    on(AXUM, "ours"),
    on(AXUM, "tower-sessions"),
    on(AXUM, "tower-sessions-always"),
    on(AXUM, "tower-sessions-moka"),
    on(AXUM, "tower-sessions-moka-always"),
    on(AXUM, "axum-session"),
    on(ACTIX, ACTIX),
    on(ACTIX, "actix-session"),
    on(ACTIX, "actix-session-signed"),
];

/// Ours with sessions that may be bound to devices: one that is not, and one that is. Beside [`ALL`], as no other
/// library has them.
pub const DEVICES: [Description; 2] = [on(AXUM, "ours-unbound"), on(AXUM, "ours-bound")];

/// The application of this name.
pub fn known(name: &str) -> Option<&'static Description> {
    ALL.iter().chain(&DEVICES).find(|known| known.name == name)
}

/// The router of this name, for those that are axum's.
pub async fn router(name: &str) -> Option<Router> {
    Some(match name {
        AXUM => bare::router(),
        "axum-layer" => bare::router_with_layer(),
        "by-hand" => by_hand::router(),
        "ours" => ours::router(),
        "tower-sessions" => tower_sessions::memory(false),
        "tower-sessions-always" => tower_sessions::memory(true),
        "tower-sessions-moka" => tower_sessions::moka(false),
        "tower-sessions-moka-always" => tower_sessions::moka(true),
        "axum-session" => axum_session::router().await,
        _ => return None,
    })
}

pub fn app(name: &str) -> Box<dyn App> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    #[cfg(feature = "device-bound")]
    if DEVICES.iter().any(|device| device.name == name) {
        return Box::new(device_bound::DeviceApp::new(runtime, name == "ours-bound"));
    }
    match runtime.block_on(router(name)) {
        Some(router) => Box::new(AxumApp::new(runtime, router)),
        None => actix::app(name),
    }
}

/// So few that what answering one touches is still in the processor's caches, as in a server.
pub const BATCH: usize = 64;

/// An application and a visitor who is logged in.
pub struct Contender {
    pub name: &'static str,
    app: Box<dyn App>,
    cookie: String,
}

impl Contender {
    pub fn new(name: &'static str) -> Self {
        let mut app = app(name);
        let cookie = app.log_in();
        Contender { name, app, cookie }
    }

    /// Measures about so many requests; all of one visitor, but for logins and logouts.
    pub fn measure(&mut self, work: Work, batches: usize) -> PerRequest {
        let mut total = Sample::default();
        for _ in 0..batches {
            let cookies: Vec<String> = match work {
                Work::Login => repeat_n(OTHER_COOKIES.to_owned(), BATCH).collect(),
                Work::Logout => (0..BATCH).map(|_| self.app.log_in()).collect(),
                _ => repeat_n(self.cookie.clone(), BATCH).collect(),
            };
            total += self.app.answer(work, &cookies);
        }
        PerRequest::of(total, batches * BATCH)
    }
}

pub struct PerRequest {
    pub ns: f64,
    pub process_ns: f64,
    pub wall_ns: f64,
    pub allocations: f64,
    pub bytes: f64,
}

impl PerRequest {
    pub fn of(total: Sample, requests: usize) -> Self {
        let per_request = |value: f64| value / requests as f64;
        PerRequest {
            ns: per_request(total.time.as_nanos() as f64),
            process_ns: per_request(total.process_time.as_nanos() as f64),
            wall_ns: per_request(total.wall_time.as_nanos() as f64),
            allocations: per_request(total.allocations as f64),
            bytes: per_request(total.bytes as f64),
        }
    }
}
