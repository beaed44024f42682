//! What browsers and servers say to each other, and the fields of it that concern device bound sessions.

use http::header::{AsHeaderName, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// A request as it is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, with what follows it.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
}

/// A response as it was received.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// Nothing came back: the connection was closed.
#[derive(Clone, Copy, Debug)]
pub struct Closed {
    /// The connection had been used before. The server may have closed it because it was idle, so the browser sends the
    /// request again.
    pub was_reused: bool,
}

/// `Secure-Session-Registration`: the wish that the browser registers a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Where to.
    pub path: String,
    /// What the key is to sign.
    pub challenge: String,
}

/// `Secure-Session-Challenge`: what a refresh is to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The text to sign.
    pub text: String,
    /// The session that it is for. Without it, the challenge is for none.
    pub identifier: Option<String>,
}

/// Where a browser puts its proof.
pub const PROOF: HeaderName = HeaderName::from_static("secure-session-response");
/// Where it names the session that it refreshes.
pub const IDENTIFIER: HeaderName = HeaderName::from_static("sec-secure-session-id");
/// Where it says that it has left out a refresh.
pub const SKIPPED: HeaderName = HeaderName::from_static("secure-session-skipped");

impl Request {
    /// A request without headers.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Request { method, path: path.into(), headers: HeaderMap::new() }
    }

    /// The request with one header more.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.insert(name, HeaderValue::from_str(value).expect("a header's value"));
        self
    }

    /// A header's value.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The path without its query.
    pub fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The value of a cookie that it presents.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.header(http::header::COOKIE)?.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The challenge that its proof signs. Nothing is verified.
    pub fn signed_challenge(&self) -> Option<String> {
        super::keys::signed_challenge(self.header(PROOF)?)
    }
}

impl Response {
    /// An empty one.
    pub fn new(status: u16) -> Self {
        Response { status, headers: HeaderMap::new(), body: String::new() }
    }

    /// The response with one header line more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, HeaderValue::from_str(value).expect("a header's value"));
        self
    }

    /// The response with this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Each line of a header.
    pub fn lines(&self, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// The value that a cookie gets by it.
    pub fn sets(&self, name: &str) -> Option<&str> {
        let pairs = self.lines(SET_COOKIE).filter_map(|line| line.split(';').next()?.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// What it asks to register.
    pub fn offer(&self) -> Option<Offer> {
        let line = self.lines("secure-session-registration").next()?;
        Some(Offer { path: parameter(line, "path")?, challenge: parameter(line, "challenge")? })
    }

    /// What it gives to sign.
    pub fn challenges(&self) -> impl Iterator<Item = Challenge> {
        self.lines("secure-session-challenge").filter_map(|line| {
            let (text, parameters) = line.split_once(';').unwrap_or((line, ""));
            Some(Challenge { text: quoted(text)?.to_owned(), identifier: parameter(parameters, "id") })
        })
    }

    /// The challenge for a session: the last one.
    pub fn challenge_for(&self, identifier: &str) -> Option<String> {
        let ours = self.challenges().filter(|next| next.identifier.as_deref() == Some(identifier));
        ours.last().map(|next| next.text)
    }

    /// Where a redirect leads.
    pub fn leads_to(&self) -> Option<&str> {
        if (300..400).contains(&self.status) { self.lines(http::header::LOCATION).next() } else { None }
    }

    /// Whether `Clear-Site-Data` has one of these kinds.
    pub fn clears(&self, kinds: &[&str]) -> bool {
        let cleared = self.lines("clear-site-data").flat_map(|line| line.split(',')).filter_map(quoted);
        cleared.into_iter().any(|kind| kinds.contains(&kind))
    }
}

fn parameter(line: &str, name: &str) -> Option<String> {
    let mut pairs = line.split(';').filter_map(|part| part.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).and_then(|(_, value)| quoted(value)).map(str::to_owned)
}

fn quoted(text: &str) -> Option<&str> {
    text.trim().strip_prefix('"')?.strip_suffix('"')
}
