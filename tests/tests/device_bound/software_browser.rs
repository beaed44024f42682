use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use session_axum::{Clock, ManualClock, Time};
use workspace_tests::Device;
use workspace_tests::client::{Answer, answer};

/// A browser that binds sessions, as far as a server sees it: it registers when it is asked, refreshes before a request
/// that needs the bound cookie, and ends its side at any answer that it does not expect.
pub struct SoftwareBrowser {
    app: Router,
    clock: Arc<ManualClock>,
    origin: &'static str,
    jar: Vec<Cookie>,
    pub binding: Option<Binding>,
    /// Each request that it has sent, and the status of the answer.
    pub sent: Vec<(String, StatusCode)>,
    /// The same requests with all that they have shown.
    pub shown: Vec<Request<String>>,
    /// Registers nothing, as most browsers.
    pub is_old: bool,
}

#[derive(Clone)]
struct Cookie {
    name: String,
    value: String,
    ends: Option<Time>,
}

/// The browser's side of a bound session.
pub struct Binding {
    pub identifier: String,
    refresh_url: String,
    pub cookie: String,
    excluded: Vec<String>,
    pub device: Device,
    pub challenge: Option<String>,
}

/// What the header of a login asks for.
pub struct Offer {
    pub path: String,
    pub challenge: String,
}

impl Offer {
    pub fn of(answer: &Answer) -> Option<Self> {
        let text = answer.headers.get("secure-session-registration")?.to_str().unwrap();
        let mut parts = text.split(';');
        assert_eq!(parts.next(), Some("(ES256 RS256)"), "{text}");
        let mut parameter = |name: &str| {
            let part = parts.next().and_then(|part| part.strip_prefix(name)).expect("path and challenge");
            part.strip_prefix("=\"").and_then(|value| value.strip_suffix('"')).expect("it is quoted").to_owned()
        };
        Some(Offer { path: parameter("path"), challenge: parameter("challenge") })
    }
}

/// The challenge of an answer, and the identifier of the session that it is for.
pub fn challenge_of(answer: &Answer) -> Option<(String, String)> {
    let text = answer.headers.get("secure-session-challenge")?.to_str().unwrap();
    let (challenge, id) = text.split_once(";id=").expect("browsers refuse a challenge without an id");
    Some((challenge.trim_matches('"').to_owned(), id.trim_matches('"').to_owned()))
}

impl SoftwareBrowser {
    pub fn new(app: &Router, clock: &Arc<ManualClock>) -> Self {
        SoftwareBrowser {
            app: app.clone(),
            clock: Arc::clone(clock),
            origin: "https://app.test",
            jar: Vec::new(),
            binding: None,
            sent: Vec::new(),
            shown: Vec::new(),
            is_old: false,
        }
    }

    /// Another client with the cookies of this one, and without its key.
    pub fn stolen(&self) -> Self {
        let mut thief = SoftwareBrowser::new(&self.app, &self.clock);
        // A thief keeps a cookie for as long as it likes.
        thief.jar = self.jar.iter().map(|cookie| Cookie { ends: None, ..cookie.clone() }).collect();
        thief
    }

    pub fn moved_to(&mut self, app: &Router) {
        self.app = app.clone();
    }

    pub fn goes_to(&mut self, origin: &'static str) {
        self.origin = origin;
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookie = self.jar.iter().find(|cookie| cookie.name == name && !self.is_over(cookie))?;
        Some(&cookie.value)
    }

    pub fn cookies(&self) -> Vec<&str> {
        self.jar.iter().filter(|cookie| !self.is_over(cookie)).map(|cookie| cookie.name.as_str()).collect()
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.jar.retain(|cookie| cookie.name != name);
        self.jar.push(Cookie { name: name.to_owned(), value: value.to_owned(), ends: None });
    }

    fn is_over(&self, cookie: &Cookie) -> bool {
        cookie.ends.is_some_and(|ends| ends <= self.clock.now())
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.request(Method::GET, path, &[]).await
    }

    pub async fn post(&mut self, path: &str) -> Answer {
        self.request(Method::POST, path, &[]).await
    }

    /// A request of a page: it waits for a refresh if it needs one.
    pub async fn request(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        if self.needs_refresh(path) {
            self.refresh().await;
        }
        let answer = self.send(method, path, headers).await;
        if let Some(offer) = Offer::of(&answer).filter(|_| !self.is_old) {
            self.register(&offer, Device::p256()).await;
        }
        answer
    }

    pub fn needs_refresh(&self, path: &str) -> bool {
        let lacks = |binding: &Binding| {
            let is_excluded = binding.excluded.iter().any(|excluded| path.starts_with(excluded));
            !is_excluded && self.cookie(&binding.cookie).is_none()
        };
        self.binding.as_ref().is_some_and(lacks)
    }

    /// Sends it as it is, and keeps the cookies that come back.
    pub async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send_text(method, path, headers, "").await
    }

    /// As [`send`](SoftwareBrowser::send), with a text in its body.
    pub async fn send_text(&mut self, method: Method, path: &str, headers: &[(&str, &str)], text: &str) -> Answer {
        let path = path.strip_prefix(self.origin).unwrap_or(path);
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::HOST, self.origin.strip_prefix("https://").unwrap());
        if let Some(cookies) = self.cookie_header() {
            request = request.header(header::COOKIE, cookies);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send_again(request.body(text.to_owned()).unwrap()).await
    }

    /// Sends a request as somebody has sent it before, and keeps the cookies that come back.
    pub async fn send_again(&mut self, request: Request<String>) -> Answer {
        let answer = answer(&self.app, request.clone().map(Body::from)).await;
        self.sent.push((format!("{} {}", request.method(), request.uri()), answer.status));
        self.shown.push(request);
        for set_cookie in answer.set_cookies() {
            self.keep(set_cookie);
        }
        answer
    }

    /// What it sends of its jar.
    pub fn cookie_header(&self) -> Option<String> {
        let jar = self.jar.iter().filter(|cookie| !self.is_over(cookie));
        let cookies: Vec<String> = jar.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!cookies.is_empty()).then(|| cookies.join("; "))
    }

    fn keep(&mut self, set_cookie: &str) {
        let (name, value) = set_cookie.split(';').next().and_then(|pair| pair.split_once('=')).unwrap();
        let max_age = set_cookie.split("; ").find_map(|part| part.strip_prefix("Max-Age="));
        let ends =
            max_age.map(|seconds| self.clock.now().saturating_add(Duration::from_secs(seconds.parse().unwrap())));
        self.jar.retain(|cookie| cookie.name != name);
        self.jar.push(Cookie { name: name.to_owned(), value: value.to_owned(), ends });
    }

    /// Answers an offer with the key of this device.
    pub async fn register(&mut self, offer: &Offer, device: Device) -> Answer {
        let proof = format!("\"{}\"", device.registration(&offer.challenge));
        let answer = self.send(Method::POST, &offer.path, &[("secure-session-response", &proof)]).await;
        self.begin(&answer, device);
        answer
    }

    /// Takes the answer to a registration.
    pub fn begin(&mut self, answer: &Answer, device: Device) {
        if answer.status != StatusCode::OK {
            return;
        }
        let json: serde_json::Value = serde_json::from_str(&answer.body).expect("instructions");
        if json["continue"] == false {
            return;
        }
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let credential = &json["credentials"][0];
        let (name, attributes) = (text(&credential["name"]), text(&credential["attributes"]));
        assert!(!attributes.contains("Max-Age"), "browsers refuse it");
        let set_cookie = answer.set_cookies().into_iter().find(|cookie| cookie.starts_with(&format!("{name}=")));
        let set_cookie = set_cookie.expect("the cookie comes with its description");
        assert!(attributes.split("; ").all(|attribute| set_cookie.contains(attribute)), "{attributes} {set_cookie}");
        let rules = json["scope"]["scope_specification"].as_array().unwrap();
        self.binding = Some(Binding {
            identifier: text(&json["session_identifier"]),
            refresh_url: text(&json["refresh_url"]),
            cookie: name,
            excluded: rules.iter().map(|rule| text(&rule["path"])).collect(),
            device,
            challenge: challenge_of(answer).map(|(challenge, _)| challenge),
        });
    }

    /// Refreshes as a browser does. Its side ends with any answer that it does not expect.
    pub async fn refresh(&mut self) -> Option<Answer> {
        for _ in 0..5 {
            let answer = self.ask_to_refresh().await;
            let binding = self.binding.as_mut().expect("there is a session to refresh");
            match answer.status {
                StatusCode::OK => {
                    let json: serde_json::Value = serde_json::from_str(&answer.body).expect("instructions");
                    assert_eq!(json["session_identifier"], binding.identifier);
                    if json["continue"] == false {
                        self.binding = None;
                    } else {
                        binding.challenge = challenge_of(&answer).map(|(challenge, _)| challenge);
                    }
                    return Some(answer);
                }
                StatusCode::FORBIDDEN => match challenge_of(&answer) {
                    Some((challenge, id)) if id == binding.identifier => binding.challenge = Some(challenge),
                    other => panic!("a browser ends its session at {other:?}"),
                },
                StatusCode::SERVICE_UNAVAILABLE => return Some(answer),
                other => panic!("a browser ends its session at {other}"),
            }
        }
        panic!("a browser ends its session after five challenges")
    }

    /// One request of a refresh.
    pub async fn ask_to_refresh(&mut self) -> Answer {
        let binding = self.binding.as_ref().expect("there is a session to refresh");
        let (url, id) = (binding.refresh_url.clone(), format!("\"{}\"", binding.identifier));
        let proof = binding.challenge.as_ref().map(|challenge| format!("\"{}\"", binding.device.refresh(challenge)));
        let mut headers = vec![("sec-secure-session-id", id.as_str())];
        headers.extend(proof.as_deref().map(|proof| ("secure-session-response", proof)));
        self.send(Method::POST, &url, &headers).await
    }
}
