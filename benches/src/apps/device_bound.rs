//! Ours where sessions may be bound to devices, and a visitor whose browser binds them, or does not.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, Request, StatusCode, header};
use axum::routing::get;
use session_axum::{DeviceBound, MaybeSession, NewSession, SessionError, SessionLayer};
use session_core::MemoryStore;
use tokio::runtime::Runtime;
use workspace_tests::Device;

use super::axum_app::with_cookies_of;
use super::ours::{COUNT, USER, routes};
use super::{App, AxumApp, OTHER_COOKIES, Work, cookies_after, request};
use crate::stats::Sample;

const OFFER: HeaderName = HeaderName::from_static("secure-session-registration");
const PROOF: HeaderName = HeaderName::from_static("secure-session-response");

/// No cookie lapses while it is measured.
const LIFETIME: Duration = Duration::from_secs(86_400);

pub struct DeviceApp {
    app: AxumApp,
    binds: bool,
}

impl DeviceApp {
    pub fn new(runtime: Runtime, binds: bool) -> Self {
        let layer = SessionLayer::builder(MemoryStore::new()).device_bound(DeviceBound::new().lifetime(LIFETIME));
        let layer = {
            let _in_runtime = runtime.enter();
            layer.build().expect("these settings work")
        };
        DeviceApp { app: AxumApp::new(runtime, routes().route("/login", get(log_in)).layer(layer)), binds }
    }

    /// Registers a key at the address that the login has named, and shows the first proof.
    fn bind(&mut self, cookies: String, offer: &str) -> String {
        let parameter = |name: &str| {
            let (_, rest) = offer.split_once(&format!("{name}=\"")).expect("the offer has it");
            rest.split('"').next().unwrap_or_default()
        };
        let proof = format!("\"{}\"", Device::p256().registration(parameter("challenge")));
        let registration =
            Request::post(parameter("path")).header(header::COOKIE, &cookies).header(PROOF, proof).body(Body::empty());
        let registered = self.app.call(registration.expect("the request is well formed"));
        let cookies = with_cookies_of(&registered, &cookies);
        assert_eq!(self.app.call(request(Work::Read, &cookies)).status(), StatusCode::OK);
        cookies
    }
}

impl App for DeviceApp {
    fn log_in(&mut self) -> String {
        let answer = self.app.call(request(Work::Login, OTHER_COOKIES));
        let cookies = cookies_after(&answer);
        let offer = answer.headers()[OFFER].to_str().expect("the offer is text");
        if self.binds { self.bind(cookies, offer) } else { cookies }
    }

    fn answer(&mut self, work: Work, cookies: &[String]) -> Sample {
        self.app.answer(work, cookies)
    }

    fn count(&mut self, cookie: &str) -> u64 {
        self.app.count(cookie)
    }
}

/// Only sessions with a principal are bound.
async fn log_in(visitor: MaybeSession) -> Result<&'static str, SessionError> {
    visitor.start(NewSession::new().principal("ann").attr(COUNT, &0).attr(USER, "ann"))?;
    Ok("hello")
}
