//! Clients that call a router in process and keep its cookies: one whose jar a test can change at
//! will, and one with a browser's rules.

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

    /// Sends a form, such as `user=ann&password=a`.
    pub async fn submit(&mut self, path: &str, form: &str) -> Answer {
        let headers = [(header::CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
        self.request(Method::POST, path, &headers, form).await
    }

    /// Sends a request with further headers.
    pub async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(method, path, headers, "").await
    }

    /// Sends a request with these headers and this body.
    pub async fn request(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let request = request.body(Body::from(body.to_owned())).expect("the test's request is well formed");
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

/// A visitor whose jar has the rules of RFC 6265bis: which cookies are taken, where they go, and
/// which one another replaces.
pub struct Browser {
    app: Router,
    origin: Origin,
    jar: Vec<Cookie>,
}

struct Origin {
    is_encrypted: bool,
    host: String,
}

struct Cookie {
    name: String,
    value: String,
    domain: String,
    /// Goes to `domain` alone, and to no host below it.
    host_only: bool,
    path: String,
    secure: bool,
}

impl Origin {
    fn of(origin: &str) -> Self {
        let (scheme, host) = origin.split_once("://").expect("a scheme and a host");
        Origin { is_encrypted: scheme == "https", host: host.to_owned() }
    }
}

impl Browser {
    /// A visitor without cookies, at an origin such as `https://www.example.com`.
    pub fn new(app: &Router, origin: &str) -> Self {
        Browser { app: app.clone(), origin: Origin::of(origin), jar: Vec::new() }
    }

    /// Goes to another origin, which the same application serves.
    pub fn goes_to(&mut self, origin: &str) {
        self.origin = Origin::of(origin);
    }

    /// The names of the cookies.
    pub fn cookies(&self) -> Vec<&str> {
        self.jar.iter().map(|cookie| cookie.name.as_str()).collect()
    }

    /// Sends a request with the cookies that belong to this place, and keeps those that come back.
    pub async fn send(&mut self, method: Method, path: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        let cookies = self.jar.iter().filter(|cookie| cookie.goes_to(&self.origin, path));
        let cookies: Vec<String> = cookies.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let answer = answer(&self.app, request.body(Body::empty()).expect("the test's request is well formed")).await;
        for set_cookie in answer.set_cookies() {
            self.keep(set_cookie, path);
        }
        answer
    }

    fn keep(&mut self, set_cookie: &str, requested: &str) {
        let mut parts = set_cookie.split("; ");
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a name and a value");
        let attributes: BTreeMap<String, &str> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let has = |name: &str| attributes.contains_key(name);
        let domain = attributes.get("domain").map(|domain| domain.trim_start_matches('.'));
        let cookie = Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            domain: domain.unwrap_or(&self.origin.host).to_owned(),
            host_only: domain.is_none(),
            path: attributes.get("path").map_or_else(|| default_path(requested), |path| (*path).to_owned()),
            secure: has("secure"),
        };
        let needs_secure = has("partitioned") || attributes.get("samesite") == Some(&"None");
        if (cookie.secure && !self.origin.is_encrypted)
            || (needs_secure && !cookie.secure)
            || !cookie.keeps_to_its_prefix(has("path"))
            || !cookie.covers_host(&self.origin.host)
        {
            return;
        }
        self.jar.retain(|kept| !kept.is_replaced_by(&cookie));
        if attributes.get("max-age") != Some(&"0") {
            self.jar.push(cookie);
        }
    }
}

impl Cookie {
    fn covers_host(&self, host: &str) -> bool {
        let is_below = || host.strip_suffix(&self.domain).is_some_and(|rest| rest.ends_with('.'));
        host == self.domain || (!self.host_only && is_below())
    }

    fn covers_path(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&self.path);
        rest.is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'))
    }

    fn goes_to(&self, origin: &Origin, path: &str) -> bool {
        self.covers_host(&origin.host) && self.covers_path(path) && (origin.is_encrypted || !self.secure)
    }

    fn is_replaced_by(&self, other: &Cookie) -> bool {
        let place =
            |cookie: &Cookie| (cookie.name.clone(), cookie.domain.clone(), cookie.host_only, cookie.path.clone());
        place(self) == place(other)
    }

    fn keeps_to_its_prefix(&self, has_path: bool) -> bool {
        let name = self.name.to_ascii_lowercase();
        let is_for_host = self.secure && self.host_only && has_path && self.path == "/";
        (!name.starts_with("__host-") || is_for_host) && (!name.starts_with("__secure-") || self.secure)
    }
}

/// The folder of the requested path, where a cookie names none.
fn default_path(requested: &str) -> String {
    match requested.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => requested[..end].to_owned(),
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
