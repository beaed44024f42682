//! The demo over HTTP, page by page.

mod admin;
mod confirm;
mod demo;
mod device_bound;
mod devices;
mod every_page;
mod problems;
mod session_json;
mod shop;
mod sign_in;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use clap::Parser;
use http_body_util::BodyExt;
use session_axum::{ManualClock, MemoryStore, SessionLayer};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use tower::ServiceExt;

use super::MAX_FORM_BYTES;
use crate::options::Options;
use crate::sessions;
use crate::site::Site;

const TOKEN: &str = "open sesame";
const LOGIN: &str = "UserName=ann&Password=a&Login=Login";
const BEARER: (&str, &str) = ("authorization", "Bearer open sesame");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What a browser of today says with each request that a page of the demo leads to.
const BROWSER: [(&str, &str); 5] = [
    ("host", "demo.example"),
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
];

/// The demo, with what tests turn.
struct Demo {
    app: Router,
    clock: Arc<ManualClock>,
    store: FaultyStore,
}

impl Demo {
    fn new() -> Self {
        Demo::with(&[])
    }

    fn with(options: &[&str]) -> Self {
        let options = Options::parse_from([&["demo-app", "--admin-token", TOKEN], options].concat());
        let (clock, store) = (Arc::new(ManualClock::default()), FaultyStore::new(MemoryStore::new()));
        let site = Arc::new(Site::new(&options));
        let layer = SessionLayer::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
        let layer = sessions::with_settings(layer, &options, &site).build().unwrap();
        Demo { app: super::all(layer, site, options.admin_token).unwrap(), clock, store }
    }

    /// A program that says nothing of itself.
    fn visitor(&self) -> Visitor {
        Visitor { app: self.app.clone(), cookies: BTreeMap::new(), says: &[] }
    }

    /// Somebody with a browser.
    fn browser(&self) -> Visitor {
        Visitor { says: &BROWSER, ..self.visitor() }
    }

    async fn signed_in(&self) -> Visitor {
        self.visitor().logged_in("ann").await
    }

    async fn signed_in_browser(&self) -> Visitor {
        self.browser().logged_in("ann").await
    }
}

/// Somebody with a cookie jar.
#[derive(Clone)]
struct Visitor {
    app: Router,
    cookies: BTreeMap<String, String>,
    says: &'static [(&'static str, &'static str)],
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Visitor {
    async fn logged_in(mut self, user: &str) -> Visitor {
        let answer = self.post("/demo", &LOGIN.replace("ann", user)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        self
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, "", &[]).await
    }

    async fn post(&mut self, path: &str, form: &str) -> Answer {
        self.send(Method::POST, path, form, &[FORM]).await
    }

    /// Sends a form and follows to where the answer leads, as browsers do.
    async fn submit(&mut self, path: &str, form: &str) -> Answer {
        let answer = self.post(path, form).await;
        self.follow(answer).await
    }

    async fn follow(&mut self, answer: Answer) -> Answer {
        match answer.headers.get(header::LOCATION) {
            Some(location) => self.get(location.to_str().unwrap()).await,
            None => answer,
        }
    }

    async fn send(&mut self, method: Method, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.cookies {
            request = request.header(header::COOKIE, format!("{name}={value}"));
        }
        for (name, value) in headers.iter().chain(self.says) {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, flags) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
            self.cookies.retain(|kept, _| kept != name || !flags.contains("Max-Age=0"));
        }
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    fn says(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    fn leads_to(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// The values that the fields or buttons of this name have on the page.
    fn values_of(&self, name: &str) -> Vec<&str> {
        let start = format!(r#"name="{name}" value=""#);
        self.body.split(start.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    #[track_caller]
    fn assert_says(&self, text: &str) {
        assert!(self.says(text), "{text:?} is missing: {} {}", self.status, self.body);
    }

    #[track_caller]
    fn assert_count(&self, visits: u32) {
        let times = if visits == 1 { "time" } else { "times" };
        self.assert_says(&format!("Since login you visited {visits} {times}!"));
    }

    #[track_caller]
    fn assert_login_form(&self) {
        assert_eq!(self.status, StatusCode::OK);
        assert!(self.says(r#"name="UserName""#) && self.says(r#"name="Password""#), "{}", self.body);
        assert!(!self.says("Hello"), "{}", self.body);
    }
}
