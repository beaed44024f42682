//! A client that calls a router in process and keeps cookies as a browser does.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// A visitor with a cookie jar. `Clone` is another window with a copy of the jar.
#[derive(Clone)]
pub struct Client {
    app: Router,
    /// Names and values of the cookies.
    pub jar: BTreeMap<String, String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
}

impl Client {
    /// A visitor without cookies.
    pub fn new(app: &Router) -> Self {
        Client { app: app.clone(), jar: BTreeMap::new() }
    }

    /// The same visitor at another application.
    pub fn moved_to(&self, app: &Router) -> Self {
        Client { app: app.clone(), jar: self.jar.clone() }
    }

    /// Gets a path, and keeps the cookies that come back.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    /// Posts to a path without a body.
    pub async fn post(&mut self, path: &str) -> Answer {
        self.send(Method::POST, path, &[]).await
    }

    /// Sends a request with further headers.
    pub async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let request = request.body(Body::empty()).expect("the test's request is well formed");
        let answer = answer(&self.app, request).await;
        for cookie in answer.set_cookies() {
            self.keep(cookie);
        }
        answer
    }

    fn keep(&mut self, set_cookie: &str) {
        let pair = set_cookie.split(';').next().unwrap_or_default();
        let (name, value) = pair.split_once('=').expect("a cookie has a name and a value");
        if set_cookie.contains("Max-Age=0") {
            self.jar.remove(name);
        } else {
            self.jar.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// Calls a router and reads its answer.
pub async fn answer(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.expect("a router is infallible");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the body arrives").to_bytes();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
}

impl Answer {
    /// All Set-Cookie headers.
    pub fn set_cookies(&self) -> Vec<&str> {
        self.all(header::SET_COOKIE.as_str())
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("a header in ASCII")).collect()
    }
}
