use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use http::header::{ACCEPT, CACHE_CONTROL, COOKIE, HOST, ORIGIN, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use session_core::{Clock, ManualClock, NewSession, RecordKey};

use crate::cross_origin::{CsrfToken, Origin};
use crate::extract::{MaybeSession, Session};
use crate::layer::SessionLayer;
use crate::transport::header::HeaderTransport;

use super::kept_cookie::KeptCookie;
use super::test_request::TestRequest;

/// What one visitor's client keeps: the cookies of a browser, or the id of a client that carries it in a header. It has no
/// application, so it serves any test client.
///
/// [`TestSessions::sign_in`](super::TestSessions::sign_in) and [`TestSessions::jar`](super::TestSessions::jar) make one.
/// It keeps, sends and drops cookies as a browser does: by `Path`, `Domain`, `Secure`, `SameSite`, the prefixes `__Host-` and
/// `__Secure-`, and deletion. A cookie with a lifetime ends by the clock of the [`TestSessions`](super::TestSessions).
///
/// A clone has a copy of the cookies: another window, or a cookie from before to be sent again on purpose.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_axum::SessionError> {
/// use axum::http::Request;
/// use axum::{Router, body::Body, routing::get};
/// use session_axum::testing::TestSessions;
/// use session_axum::{NewSession, SignedIn};
/// use tower::ServiceExt;
///
/// let sessions = TestSessions::new();
/// let layer = sessions.layer().build()?;
/// let routes = Router::new().route("/", get(async |user: SignedIn| user.principal().to_owned()));
/// let app = routes.layer(layer.clone());
///
/// let ann = sessions.sign_in(&layer, NewSession::new().principal("ann")).await;
/// let request = ann.attach(Request::get("/").body(Body::empty()).unwrap());
/// assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Jar {
    clock: Arc<ManualClock>,
    /// As the header `Origin` has it.
    origin_text: String,
    origin: Origin,
    cookies: Vec<KeptCookie>,
    /// How the client carries the id, if not in a cookie.
    header: Option<HeaderTransport>,
    /// The id that is carried in a header.
    id: Option<HeaderValue>,
    says_where_from: bool,
    is_stolen: bool,
}

/// Whose page sends a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Ours,
    OtherSite,
}

const DEFAULT_ORIGIN: &str = "https://app.test";
const OTHER_SITE: &str = "https://other-site.example";

impl Jar {
    /// The jar of a stranger.
    pub(super) fn new(clock: Arc<ManualClock>) -> Self {
        Jar {
            clock,
            origin_text: DEFAULT_ORIGIN.to_owned(),
            origin: Origin::parse(DEFAULT_ORIGIN).expect("the default is an origin"),
            cookies: Vec::new(),
            header: None,
            id: None,
            says_where_from: true,
            is_stolen: false,
        }
    }

    /// Moves the browser to another origin, such as `https://shop.example:8443`. Its cookies stay. Default:
    /// `https://app.test`.
    ///
    /// Over `http://`, a browser neither keeps nor sends a cookie that is `Secure`.
    ///
    /// # Panics
    ///
    /// If `origin` is not `http://` or `https://` with a host and nothing after it but a port.
    #[must_use]
    #[track_caller]
    pub fn at(mut self, origin: &str) -> Self {
        let Some(parsed) = Origin::parse(origin) else {
            panic!("{origin:?} is no origin; give one such as `https://shop.example`, without a path")
        };
        self.origin = parsed;
        origin.clone_into(&mut self.origin_text);
        self
    }

    /// Makes this a client that is no browser and carries its id in a header: give what the layer's
    /// [`transport`](crate::SessionLayerBuilder::transport) is, or [`HeaderTransport::bearer`] for a layer with
    /// [`cookie_or_bearer`](crate::SessionLayerBuilder::cookie_or_bearer). Default: cookies.
    ///
    /// A client of bearer tokens that has none sends `Authorization: Bearer`, which asks for one.
    #[must_use]
    pub fn by_header(mut self, transport: HeaderTransport) -> Self {
        self.header = Some(transport);
        self.without_fetch_metadata()
    }

    /// Sends neither `Sec-Fetch-Site` nor `Origin`, as a program or a browser from before 2020. Default: as today's
    /// browsers.
    #[must_use]
    pub fn without_fetch_metadata(mut self) -> Self {
        self.says_where_from = false;
        self
    }

    /// A copy for a thief, who goes on sending what was stolen: nothing is dropped, whatever responses say and however late
    /// it is.
    #[must_use]
    pub fn stolen(&self) -> Jar {
        Jar { is_stolen: true, ..self.clone() }
    }

    /// Closes the browser: cookies without a lifetime are dropped.
    pub fn close_browser(&mut self) {
        self.cookies.retain(KeptCookie::outlives_the_browser);
    }

    /// Signs the visitor in at this layer: starts a session, stores it, and keeps what the layer's transport tells the client.
    ///
    /// It does what a login's handler does with [`MaybeSession::start`], so a session that the visitor has is replaced.
    ///
    /// # Panics
    ///
    /// If the session can't be started or stored, if a browser at this origin would not keep the cookie, or if the layer's
    /// clock is not that of the [`TestSessions`](super::TestSessions). The message says what to do.
    pub async fn sign_in(&mut self, layer: &SessionLayer, new: NewSession) {
        self.check_clock(layer);
        let mut request = TestRequest::at(layer, self.attach(page()));
        let visitor: MaybeSession = request.extracted().await;
        visitor.start(new).unwrap_or_else(|error| panic!("the session can't be started: {error}"));
        self.keep_of_layer(layer, request).await;
    }

    /// A token for a form of this visitor, as [`CrossOriginProtection::require_token`](crate::CrossOriginProtection) checks
    /// it: send it in the field [`CsrfToken::FIELD`] or the header [`CsrfToken::HEADER`].
    ///
    /// It is what [`CsrfToken::value`] gives the page of the form. A stranger gets an anonymous session with it.
    ///
    /// # Panics
    ///
    /// As [`sign_in`](Jar::sign_in).
    pub async fn csrf_token(&mut self, layer: &SessionLayer) -> String {
        self.check_clock(layer);
        let mut request = TestRequest::at(layer, self.attach(page()));
        let csrf: CsrfToken = request.extracted().await;
        let token = csrf.value().unwrap_or_else(|error| panic!("there is no token: {error}"));
        self.keep_of_layer(layer, request).await;
        token
    }

    /// The handle of this visitor's session, as [`Session::handle`](crate::Session) gives it: what a page of devices sends
    /// back for [`end_one_of`](session_core::SessionManager::end_one_of). This is no use of the session.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), session_axum::CoreError> {
    /// use session_axum::NewSession;
    /// use session_axum::testing::TestSessions;
    ///
    /// let sessions = TestSessions::new();
    /// let layer = sessions.layer().build().unwrap();
    /// let phone = sessions.sign_in(&layer, NewSession::new().principal("ann")).await;
    /// let handle = phone.handle(&layer).await.to_string();
    ///
    /// // A handler for a form with the field `handle` does this.
    /// assert!(layer.manager().end_one_of("ann", &handle.parse().unwrap()).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// If the visitor has no session, if the store fails, or if the layer's clock is not that of the
    /// [`TestSessions`](super::TestSessions).
    pub async fn handle(&self, layer: &SessionLayer) -> RecordKey {
        self.check_clock(layer);
        // A HEAD request looks only.
        let mut looking = page();
        *looking.method_mut() = Method::HEAD;
        let session: MaybeSession = TestRequest::at(layer, self.attach(looking)).extracted().await;
        let session = session.session().unwrap_or_else(|| {
            panic!("the visitor has no session at this layer: nobody has signed in, or it has ended; {self:?}")
        });
        session.handle()
    }

    /// The header that presents the session in a request for this path: `Cookie` with all cookies that go there, or the one
    /// that carries the id.
    ///
    /// For clients that take a name and a value. They are types of the crate `http`.
    ///
    /// # Panics
    ///
    /// If the visitor has nothing to send there.
    #[track_caller]
    pub fn header(&self, path: &str) -> (HeaderName, HeaderValue) {
        let is_asking = self.header.is_some() && self.id.is_none();
        self.presented(path, Sender::Ours, false).filter(|_| !is_asking).unwrap_or_else(|| {
            panic!(
                "the visitor has nothing to present for {path:?} at {}: nobody has signed in, or a cookie has another \
                 `Path`, needs https, or has ended; {self:?}",
                self.origin_text
            )
        })
    }

    /// The address of a path, for a browser that says from which page it comes.
    pub(super) fn address(&self, path: &str) -> Option<String> {
        self.header.is_none().then(|| format!("{}{path}", self.origin_text))
    }

    /// Adds what the client sends along: its cookies or its id, `Host`, and as browsers do `Origin` and `Sec-Fetch-Site`,
    /// `-Mode` and `-Dest` of a page of the same origin. Headers that the request has stay, except that cookies are added.
    ///
    /// A request that accepts `text/html` counts as a navigation, any other as sent by a script.
    pub fn attach<B>(&self, request: Request<B>) -> Request<B> {
        self.attached(request, Sender::Ours)
    }

    /// Adds what a browser sends along if a page of another site sends this request: only the cookies that go across sites,
    /// and headers that say where it comes from. [`CrossOriginProtection`](crate::CrossOriginProtection) refuses it.
    pub fn attach_cross_site<B>(&self, request: Request<B>) -> Request<B> {
        self.attached(request, Sender::OtherSite)
    }

    /// Keeps what the response to a request for this path tells the client: takes new cookies, drops those that are deleted.
    /// Cookies that a browser would refuse are ignored.
    pub fn keep(&mut self, path: &str, response: &HeaderMap) {
        let _refused = self.take(path, response);
    }

    /// The names of the cookies that are kept and have not ended.
    pub fn cookie_names(&self) -> Vec<&str> {
        self.live().map(KeptCookie::name).collect()
    }

    fn live(&self) -> impl Iterator<Item = &KeptCookie> {
        let now = self.clock.now();
        self.cookies.iter().filter(move |cookie| self.is_stolen || cookie.is_live(now))
    }

    /// Keeps what the response says. Returns why cookies were refused.
    fn take(&mut self, path: &str, response: &HeaderMap) -> Vec<String> {
        if self.is_stolen {
            return Vec::new();
        }
        if let Some(told) = self.header.as_ref().and_then(|header| header.told_in(response)) {
            self.id = (!told.is_empty()).then(|| told.clone());
        }
        let mut refused = Vec::new();
        for set_cookie in response.get_all(SET_COOKIE) {
            // The cookie itself is a secret, so the reason does not show it.
            let set_cookie = set_cookie.to_str().unwrap_or_default();
            match KeptCookie::take(set_cookie, &self.origin, path, self.clock.now()) {
                Ok(cookie) => self.put(cookie),
                Err(reason) => refused.push(reason),
            }
        }
        refused
    }

    fn put(&mut self, cookie: KeptCookie) {
        self.cookies.retain(|kept| !kept.is_replaced_by(&cookie));
        if cookie.is_live(self.clock.now()) {
            self.cookies.push(cookie);
        }
    }

    /// Ends a request of the kit's own, and keeps what the layer tells the client.
    async fn keep_of_layer(&mut self, layer: &SessionLayer, request: TestRequest) {
        let response = request.finish().await;
        assert!(
            response.status().is_success(),
            "the session can't be stored: the layer answers {}; if the store was told to fail, call `recover` before",
            response.status()
        );
        let refused = self.take("/", response.headers());
        assert!(
            refused.is_empty(),
            "a browser at {} does not keep the session's cookie: {}; give `Jar::at` an origin that fits the cookie, or \
             change the cookie",
            self.origin_text,
            refused.join("; ")
        );
        let is_by_cookie = response.headers().contains_key(SET_COOKIE);
        if !is_by_cookie && self.header.is_none() && !self.is_stolen {
            self.learn(layer, response.headers()).await;
        }
    }

    /// Finds out how a client of this layer carries its id: in which header, and whether as a bearer token.
    async fn learn(&mut self, layer: &SessionLayer, response: &HeaderMap) {
        let told: Vec<&HeaderName> = response.keys().filter(|name| is_of_transport(name)).collect();
        let asked = layer.settings().transport.request_headers();
        let pairs: Vec<_> = told.iter().flat_map(|told| asked.iter().map(move |asked| (*told, asked))).collect();
        for (told, asked) in &pairs {
            for transport in [HeaderTransport::bearer(), HeaderTransport::named((*asked).clone())] {
                let transport = transport.response_header((*told).clone());
                if opens(layer, &transport, response).await {
                    self.id = transport.told_in(response).cloned();
                    *self = self.clone().by_header(transport);
                    return;
                }
            }
        }
        assert!(
            told.is_empty(),
            "no header of the response opens the session when it is sent back, so the layer's transport is one of the \
             application's own; drive it by `TestRequest`, whose `finish` returns the response"
        );
    }

    fn check_clock(&self, layer: &SessionLayer) {
        assert!(
            layer.manager().now() == self.clock.now(),
            "the layer has another clock than the cookies; build it with `TestSessions::layer`, or give its builder \
             `.clock(sessions.clock())`"
        );
    }

    /// What carries the visitor's id to this path. `leads` says that the visitor follows a link.
    fn presented(&self, path: &str, sender: Sender, leads: bool) -> Option<(HeaderName, HeaderValue)> {
        if let Some(transport) = &self.header {
            // No page of another site knows it.
            let presented = transport.presenting(self.id.as_ref()).filter(|_| sender == Sender::Ours);
            return presented.map(|(name, value)| (name, secret(value)));
        }
        let goes = |cookie: &&KeptCookie| {
            cookie.goes_to(&self.origin, path) && (sender == Sender::Ours || cookie.goes_across_sites(leads))
        };
        let mut cookies: Vec<&KeptCookie> = self.live().filter(goes).collect();
        cookies.sort_by_key(|cookie| Reverse(cookie.path().len()));
        let pairs: Vec<String> = cookies.iter().map(|cookie| [cookie.name(), "=", cookie.value()].concat()).collect();
        let value = HeaderValue::try_from(pairs.join("; ")).ok().filter(|value| !value.is_empty())?;
        Some((COOKIE, secret(value)))
    }

    fn attached<B>(&self, mut request: Request<B>, sender: Sender) -> Request<B> {
        let is_safe = [Method::GET, Method::HEAD].contains(request.method());
        let navigates = accepts_pages(request.headers());
        let presented = self.presented(request.uri().path(), sender, is_safe && navigates);
        let headers = request.headers_mut();
        match presented {
            Some((name, ours)) if name == COOKIE => add_cookies(headers, ours),
            Some((name, value)) => put(headers, name, value),
            None => {}
        }
        let host = self.origin_text.split_once("://").map_or("", |(_, host)| host);
        put(headers, HOST, HeaderValue::from_str(host).expect("an origin was parsed"));
        if self.says_where_from {
            self.say_where_from(headers, sender, is_safe, navigates);
        }
        request
    }

    fn say_where_from(&self, headers: &mut HeaderMap, sender: Sender, is_safe: bool, navigates: bool) {
        let (site, origin) = match sender {
            Sender::Ours => ("same-origin", self.origin_text.as_str()),
            Sender::OtherSite => ("cross-site", OTHER_SITE),
        };
        if !is_safe || (sender == Sender::OtherSite && !navigates) {
            put(headers, ORIGIN, HeaderValue::from_str(origin).expect("an origin was parsed"));
        }
        // Browsers say more only over a connection that nobody listens to.
        if self.origin.is_https() {
            let (mode, goal) = if navigates { ("navigate", "document") } else { ("cors", "empty") };
            for (name, value) in [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", goal)] {
                put(headers, HeaderName::from_static(name), HeaderValue::from_static(value));
            }
        }
    }
}

fn is_of_transport(name: &HeaderName) -> bool {
    ![CACHE_CONTROL, VARY].contains(name)
}

fn page() -> Request<()> {
    Request::new(())
}

/// Whether what a response says opens a session when a client sends it back in this way.
async fn opens(layer: &SessionLayer, transport: &HeaderTransport, response: &HeaderMap) -> bool {
    let Some((name, value)) = transport.presenting(transport.told_in(response)) else { return false };
    let mut request = page();
    request.headers_mut().insert(name, value);
    let found = TestRequest::at(layer, request).extract::<Option<Session>>().await;
    found.is_ok_and(|session| session.is_some())
}

fn accepts_pages(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// Adds cookies behind those that the request has.
fn add_cookies(headers: &mut HeaderMap, ours: HeaderValue) {
    let joined = match headers.get(COOKIE) {
        Some(theirs) => HeaderValue::from_bytes(&[theirs.as_bytes(), b"; ", ours.as_bytes()].concat()),
        None => Ok(ours),
    };
    headers.insert(COOKIE, secret(joined.expect("both are header values")));
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

/// A value that is not printed.
fn secret(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Shows no id and no cookie's value.
impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jar")
            .field("origin", &self.origin_text)
            .field("cookies", &self.cookie_names())
            .field("has_id_for_header", &self.id.is_some())
            .finish_non_exhaustive()
    }
}
