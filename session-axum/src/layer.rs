use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http::header::COOKIE;
use http::{Extensions, HeaderValue, StatusCode};
use session_core::internals::LogThrottle;
use session_core::{ConfigError, IntoSessionManager, SessionManager, SessionManagerBuilder, Store};
use tower_layer::Layer;

use crate::adopt::adoption::Adoption;
#[cfg(feature = "device-bound")]
use crate::device_bound::DeviceBound;
use crate::http_headers::{NO_STORE, PRIVATE_NO_CACHE, Vary};
use crate::of_layer::Marked;
use crate::save_on::SaveOn;
use crate::service::SessionService;
use crate::settings::Settings;
use crate::transport::Transport;
use crate::transport::by_host::CookiesByHost;
use crate::transport::cookie::{SessionCookie, without_prefix};
use crate::transport::cookie_or_bearer::CookieOrBearer;
use crate::turned_away::{AskedAnswers, Refusal};

/// Middleware that gives the handlers of a router their sessions.
///
/// Add it to a router after its routes, or to any tower stack whose response bodies carry
/// [`Bytes`](bytes::Bytes). Layers that turn panics into responses, or limit a handler's time, go
/// outside of it: see the [crate's documentation](crate#other-layers).
///
/// To have one layer in several places, clone it: clones share everything. Two layers that are made of
/// one store are independent: each purges, counts and queues for itself. Give both a clone of one
/// [`SessionManager`] if they are to share that.
///
/// Layers whose cookies have different names don't open each other's sessions: see
/// [`audience`](SessionLayerBuilder::audience). Two applications that share a store and call their cookies by
/// the same name need different audiences. Layers that share a manager open the same sessions; if their
/// cookies have different names, the manager must have an audience that says so.
///
/// Layers may be stacked, each with its own cookie name; an extractor means the innermost, and
/// [`OfLayer`](crate::OfLayer) another one. A layer
/// directly inside another of the same manager and cookie changes nothing. Stacking layers A, B, A
/// gives three independent sessions.
///
/// ```
/// # fn example() -> Result<axum::Router, session_axum::ConfigError> {
/// use std::time::Duration;
/// use axum::Router;
/// use session_axum::{MemoryStore, SameSite, SessionCookie, SessionLayer};
///
/// let layer = SessionLayer::builder(MemoryStore::new())
///     .idle_timeout(Duration::from_secs(15 * 60))
///     .max_sessions_per_principal(5)
///     .cookie(SessionCookie::new().name("shop").same_site(SameSite::Strict))
///     .sign_in_page("/login")
///     .build()?;
/// let sessions = layer.manager().clone(); // For what needs no request: lists, purging, ending.
/// let app = Router::new().layer(layer);
/// # Ok(app) }
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    settings: Arc<Settings>,
}

impl SessionLayer {
    /// A layer with every default, for a store or for a manager that is shared.
    ///
    /// # Panics
    ///
    /// If the manager was made for a layer whose cookie has another name than `sessid`, and has no
    /// [`audience`](session_core::SessionManagerBuilder::audience) of its own.
    pub fn new(sessions: impl IntoSessionManager) -> Self {
        SessionLayer::builder(sessions).build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Begins a layer with settings: for a store its manager's too, for a manager that is shared the
    /// layer's own only.
    pub fn builder<S: IntoSessionManager>(sessions: S) -> SessionLayerBuilder<S> {
        SessionLayerBuilder {
            sessions: sessions.into_builder(),
            cookie: None,
            hosts: Vec::new(),
            allow_http: false,
            takes_bearer: false,
            transport: None,
            answers: AskedAnswers::default(),
            clear_site_data: None,
            mark: None,
            lost_changes: None,
            save_on: SaveOn::Always,
            signed_in: PRIVATE_NO_CACHE,
            adoption: None,
            #[cfg(feature = "device-bound")]
            device_bound: None,
        }
    }

    /// The manager of the sessions: lists, ends and purges them without a request.
    pub fn manager(&self) -> &SessionManager {
        &self.settings.manager
    }

    #[cfg(feature = "testing")]
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("manager", &self.settings.manager)
            .field("transport", &self.settings.transport.name())
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, Arc::clone(&self.settings))
    }
}

/// The settings of a [`SessionLayer`].
///
/// For a store they include the settings of its [`SessionManager`], such as
/// [`idle_timeout`](SessionLayerBuilder::idle_timeout). A manager that is shared was built with its
/// settings, so they can't be given again:
///
/// ```compile_fail,E0599
/// # use std::time::Duration;
/// # use session_axum::{MemoryStore, SessionLayer, SessionManager};
/// let shared = SessionManager::new(MemoryStore::new());
/// SessionLayer::builder(shared).idle_timeout(Duration::from_secs(60));
/// ```
#[must_use]
pub struct SessionLayerBuilder<S: IntoSessionManager> {
    sessions: S::Builder,
    cookie: Option<SessionCookie>,
    hosts: Vec<(String, SessionCookie)>,
    allow_http: bool,
    takes_bearer: bool,
    transport: Option<Box<dyn Transport>>,
    pub(crate) answers: AskedAnswers,
    clear_site_data: Option<Vec<String>>,
    mark: Option<fn(&mut Extensions)>,
    lost_changes: Option<StatusCode>,
    save_on: SaveOn,
    signed_in: HeaderValue,
    adoption: Option<Adoption>,
    #[cfg(feature = "device-bound")]
    device_bound: Option<DeviceBound>,
}

impl<S: Store> SessionLayerBuilder<S> {
    /// Gives the manager a setting.
    pub(crate) fn with(mut self, setting: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder) -> Self {
        self.sessions = setting(self.sessions);
        self
    }
}

impl<S: IntoSessionManager> SessionLayerBuilder<S> {
    /// The cookie that carries the id. Default: [`SessionCookie::new()`].
    pub fn cookie(mut self, cookie: SessionCookie) -> Self {
        self.cookie = Some(cookie);
        self
    }

    /// The cookie of one host, for an application that serves several. Default: all hosts have the layer's own
    /// [`cookie`](Self::cookie). Call it once for each host.
    ///
    /// The host is that of the request: `:authority` in HTTP/2, `Host` before. Case and port don't count, and
    /// `X-Forwarded-Host` is not looked at, so a proxy has to pass `Host` on. A host that is not listed has the layer's own
    /// cookie. A session belongs to the layer, not to a host.
    ///
    /// ```
    /// # fn example() -> Result<session_axum::SessionLayer, session_axum::ConfigError> {
    /// use session_axum::{MemoryStore, SessionCookie, SessionLayer};
    ///
    /// SessionLayer::builder(MemoryStore::new())
    ///     .cookie_for_host("shop.example", SessionCookie::new().domain("shop.example"))
    ///     .build()
    /// # }
    /// ```
    pub fn cookie_for_host(mut self, host: impl Into<String>, cookie: SessionCookie) -> Self {
        self.hosts.push((host.into(), cookie));
        self
    }

    /// Takes ids as bearer tokens too (RFC 6750), for applications that serve browsers and other clients. Default: in
    /// the cookie only.
    ///
    /// Where a request has `Authorization: Bearer`, with a token or without, the cookie is not looked at, and the response
    /// tells a new id in the header `Session-Id`. All other requests use the cookie. A client that wants a token sends
    /// `Authorization: Bearer` without one to the login.
    ///
    /// A session knows by which of both it was started, and its id opens and ends it only in that way: a token in a cookie
    /// opens nothing, nor does a cookie's id as a token. Whoever sends `Authorization: Bearer` and has no session is
    /// answered 401, never redirected. [`is_by_bearer`](session_core::Session::is_by_bearer) tells a handler.
    ///
    /// The record of a session that a bearer token started has a field that
    /// [`RecordFormat::V1`](crate::RecordFormat::V1) lacks, so processes that read only that format don't open it.
    pub fn cookie_or_bearer(mut self) -> Self {
        self.takes_bearer = true;
        self
    }

    /// Marks the layer with a type, by which [`OfLayer`](crate::OfLayer) finds it where another layer is inside. Default:
    /// not marked. A later call replaces an earlier one.
    pub fn marked<M: 'static>(mut self) -> Self {
        self.mark = Some(Marked::<M>::put);
        self
    }

    /// Lets the cookie travel over HTTP without encryption: for development. Default: HTTPS only.
    ///
    /// It applies to every cookie that the layer has; see [`SessionCookie::allow_http`]. Whoever listens
    /// on the network can then read the cookie and take the session over.
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Carries the id in another way than a cookie, such as a
    /// [`HeaderTransport`](crate::HeaderTransport). Default: a cookie.
    ///
    /// A layer with a transport can't have [`cookie`](Self::cookie), [`cookie_for_host`](Self::cookie_for_host),
    /// [`cookie_or_bearer`](Self::cookie_or_bearer) or [`allow_http`](Self::allow_http).
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Box::new(transport));
        self
    }

    /// The status of a response whose changes to the session were dropped, because the session had ended when they were to
    /// be saved. Default: the response leaves as the handler made it; the log, [`Event::LostChanges`](crate::Event) and a
    /// counter tell.
    ///
    /// Allowed: 401, or 409 for clients that repeat a request then. The request is turned away like any other, as
    /// [`Refusal::Ended`] or [`Refusal::ChangesLost`]: a page is led to the sign-in page where there is one, and a script gets
    /// JSON. What the handler did elsewhere is done all the same.
    ///
    /// ```
    /// # fn example() -> Result<session_axum::SessionLayer, session_axum::ConfigError> {
    /// use axum::http::StatusCode;
    /// use session_axum::{MemoryStore, SessionLayer};
    ///
    /// let layer = SessionLayer::builder(MemoryStore::new()).lost_changes_status(StatusCode::CONFLICT).build()?;
    /// # Ok(layer) }
    /// # example().unwrap();
    /// ```
    pub fn lost_changes_status(mut self, status: StatusCode) -> Self {
        self.lost_changes = Some(status);
        self
    }

    /// After which responses the collected changes of attributes and settings are saved. Default:
    /// [`SaveOn::Always`]; the handler calls [`discard`](session_core::Session::discard) to drop them.
    ///
    /// With [`SaveOn::Success`] they are dropped where the response's status is 400 or above: the handler refused the
    /// request or failed. Redirects count as success. A start (with what the session was started with), a renewal and a
    /// removal happen in any case, and what the handler saved itself stays.
    ///
    /// ```
    /// # fn example() -> Result<session_axum::SessionLayer, session_axum::ConfigError> {
    /// use session_axum::{MemoryStore, SaveOn, SessionLayer};
    ///
    /// let layer = SessionLayer::builder(MemoryStore::new()).save_on(SaveOn::Success).build()?;
    /// # Ok(layer) }
    /// # example().unwrap();
    /// ```
    pub fn save_on(mut self, save_on: SaveOn) -> Self {
        self.save_on = save_on;
        self
    }

    /// Sends `Cache-Control: no-store` to whoever is signed in, where the handler says nothing. Default:
    /// `private, no-cache`.
    ///
    /// With the default, the visitor's browser keeps a page and asks the server each time before it shows it; after a
    /// logout, the back button may show what was seen before. With `no-store`, nothing is kept, and going back loads
    /// every page anew. Shared caches store nothing that depends on a session in either case: see
    /// [`PublicResponse`](crate::PublicResponse).
    pub fn no_store_when_signed_in(mut self) -> Self {
        self.signed_in = NO_STORE;
        self
    }

    /// Binds sessions to the devices of their browsers, so that a copied cookie is worth nothing after minutes. Default:
    /// they are not bound. See [`DeviceBound`].
    #[cfg(feature = "device-bound")]
    pub fn device_bound(mut self, device_bound: DeviceBound) -> Self {
        self.device_bound = Some(device_bound);
        self
    }

    /// Tells the browser at a logout to delete what it keeps of this site (`Clear-Site-Data`): `cache`, `storage`,
    /// `cookies`, `executionContexts` or `*`. Default: nothing but the session's cookie.
    ///
    /// `cookies` deletes those of the whole registrable domain, other applications' too. Browsers obey over HTTPS only, and
    /// some take seconds for `cache`.
    pub fn clear_site_data(mut self, kinds: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.clear_site_data = Some(kinds.into_iter().map(Into::into).collect());
        self
    }

    /// Takes over the sessions of another library, so that nobody is signed out by the change to this one. Default: none.
    ///
    /// Where a handler declares a session and the visitor has none of ours, one is made of the old one that the visitor's
    /// other cookie leads to: see [`Adoption`]. A later call replaces an earlier one.
    pub fn adopt(mut self, adoption: Adoption) -> Self {
        self.adoption = Some(adoption);
        self
    }

    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if settings can't work, alone or together. Its message names the setting, and
    /// says what to write instead.
    pub fn build(mut self) -> Result<SessionLayer, ConfigError> {
        let transport = match self.transport.take() {
            Some(transport) => {
                self.check_beside_transport()?;
                transport
            }
            None => self.take_cookies()?,
        };
        let answers = self.answers.checked()?;
        let lost_changes = self.lost_changes.map(lost_changes).transpose()?;
        let clear_site_data = self.clear_site_data.map(|kinds| clear_site_data(&kinds)).transpose()?;
        let adoption = self.adoption.map(|adoption| adoption.checked(transport.name())).transpose()?;
        let manager = S::build(self.sessions, without_prefix(transport.name()))?;
        let mut depends_on = transport.request_headers();
        if let Some(adoption) = &adoption {
            adoption.warn_if_over(manager.now());
            manager.expect_old_sessions(adoption.ends());
            depends_on.push(COOKIE);
        }
        #[cfg(feature = "device-bound")]
        let binder = self.device_bound.map(|asked| asked.checked(&*transport)).transpose()?;
        let needs_requests = answers.need_requests() || adoption.is_some();
        #[cfg(feature = "device-bound")]
        let needs_requests = needs_requests || binder.is_some();
        let settings = Settings {
            manager,
            vary: Vary::on(depends_on),
            transport,
            mark: self.mark,
            answers,
            needs_requests,
            clear_site_data,
            lost_changes,
            save_on: self.save_on,
            adoption,
            signed_in: self.signed_in,
            #[cfg(feature = "device-bound")]
            binder,
            is_warned: AtomicBool::new(false),
            late_marks: LogThrottle::new(),
        };
        Ok(SessionLayer { settings: Arc::new(settings) })
    }

    fn check_beside_transport(&self) -> Result<(), ConfigError> {
        let problem = if self.cookie.is_some() {
            "`transport` and `cookie` can't both be given; leave one of them out"
        } else if !self.hosts.is_empty() {
            "`cookie_for_host` is for cookies, not for a `transport`; leave one of them out"
        } else if self.takes_bearer {
            "`cookie_or_bearer` is for a cookie, not for a `transport`; leave one of them out"
        } else if self.allow_http {
            "`allow_http` is for a cookie, not for a `transport`; leave it out"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(problem))
    }

    /// Makes the transport of the cookies that the layer was given.
    fn take_cookies(&mut self) -> Result<Box<dyn Transport>, ConfigError> {
        let allow_http = self.allow_http;
        let allowed = |cookie: SessionCookie| if allow_http { cookie.allow_http() } else { cookie };
        let cookie = allowed(self.cookie.take().unwrap_or_default()).build()?;
        let hosts: Vec<_> = self.hosts.drain(..).map(|(host, cookie)| (host, allowed(cookie))).collect();
        let cookies: Box<dyn Transport> =
            if hosts.is_empty() { Box::new(cookie) } else { Box::new(CookiesByHost::new(cookie, hosts)?) };
        Ok(if self.takes_bearer { Box::new(CookieOrBearer::beside(cookies)) } else { cookies })
    }
}

fn clear_site_data(kinds: &[String]) -> Result<HeaderValue, ConfigError> {
    const KINDS: [&str; 5] = ["cache", "storage", "cookies", "executionContexts", "*"];
    if kinds.is_empty() || kinds.iter().any(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(ConfigError::new(format!("`clear_site_data` can't be {kinds:?}; give some of {KINDS:?}")));
    }
    let quoted: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
    Ok(HeaderValue::try_from(quoted.join(", ")).expect("the names are ASCII"))
}

fn lost_changes(status: StatusCode) -> Result<Refusal, ConfigError> {
    match status {
        StatusCode::UNAUTHORIZED => Ok(Refusal::Ended),
        StatusCode::CONFLICT => Ok(Refusal::ChangesLost),
        other => Err(ConfigError::new(format!("`lost_changes_status` can't be {}; give 401 or 409", other.as_u16()))),
    }
}

impl<S: IntoSessionManager> fmt::Debug for SessionLayerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayerBuilder").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use session_core::MemoryStore;

    use super::*;
    use crate::transport::header::HeaderTransport;

    fn builder() -> SessionLayerBuilder<MemoryStore> {
        SessionLayer::builder(MemoryStore::new())
    }

    #[track_caller]
    fn refusal(builder: SessionLayerBuilder<MemoryStore>) -> String {
        builder.build().expect_err("these settings can't work together").to_string()
    }

    #[test]
    fn allow_http_holds_for_the_cookie_that_comes_after_it_too() {
        let cookie = || SessionCookie::new().name("shop");
        for builder in [builder().allow_http().cookie(cookie()), builder().cookie(cookie()).allow_http()] {
            assert_eq!(builder.build().unwrap().settings.transport.name(), "shop");
        }
        assert_eq!(builder().cookie(cookie()).build().unwrap().settings.transport.name(), "__Host-shop");
    }

    #[test]
    fn a_cookie_beside_a_transport_is_refused() {
        let bearer = || builder().transport(HeaderTransport::bearer());
        assert!(bearer().build().is_ok());
        assert!(refusal(bearer().cookie(SessionCookie::new())).contains("leave one of them out"));
        assert!(refusal(bearer().allow_http()).contains("`allow_http`"));
        assert!(refusal(bearer().cookie_or_bearer()).contains("`cookie_or_bearer`"));
        assert!(refusal(bearer().cookie_for_host("a.example", SessionCookie::new())).contains("`cookie_for_host`"));
    }

    #[test]
    fn a_redirect_that_is_no_header_value_is_refused() {
        let no_path = ["", "login", "/login\r\nSet-Cookie: a=b", "/log in", "/l\u{f6}gin", "/login\u{200b}"];
        let padded = ["/login\n", " /login", "/login ", "\t/login"];
        for location in no_path.into_iter().chain(padded).chain(["//example.com", "/\\example.com"]) {
            assert!(refusal(builder().sign_in_page(location)).contains("`sign_in_page`"), "{location:?}");
            assert!(refusal(builder().confirm_page(location)).contains("`confirm_page`"), "{location:?}");
        }
    }

    #[test]
    fn answers_that_can_not_work_are_refused() {
        assert!(refusal(builder().never_return_to(["/logout", "logout"])).contains("\"logout\""));
        assert!(refusal(builder().fresh_within(Duration::ZERO)).contains("`fresh_within`"));
        for kinds in [vec![], vec!["Cache"], vec!["cache", "\"storage\""]] {
            assert!(refusal(builder().clear_site_data(kinds)).contains("`clear_site_data`"));
        }
    }

    #[test]
    fn lost_changes_are_told_by_401_or_409() {
        for (status, is_allowed) in [(401, true), (409, true), (200, false), (500, false)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(builder().lost_changes_status(status).build().is_ok(), is_allowed, "{status}");
        }
    }

    #[test]
    fn settings_of_the_manager_reach_it() {
        let layer = builder().idle_timeout(Duration::from_secs(90)).without_absolute_timeout().build().unwrap();
        let shown = format!("{:?}", layer.manager());
        assert!(shown.contains("idle_timeout: 90s, absolute_timeout: None"), "{shown}");
        assert!(refusal(builder().attempts(0)).contains("attempt"));
    }

    #[test]
    fn the_audience_is_the_name_of_the_cookie_without_its_prefix_unless_it_is_set() {
        let audience =
            |builder: SessionLayerBuilder<MemoryStore>| builder.build().unwrap().manager().audience().to_owned();
        let cookie = || SessionCookie::new().name("shop");
        assert_eq!(audience(builder()), "sessid");
        assert_eq!(audience(builder().cookie(cookie())), "shop");
        assert_eq!(audience(builder().cookie(cookie().domain("example.com"))), "shop");
        assert_eq!(audience(builder().cookie(cookie()).allow_http()), "shop");
        assert_eq!(audience(builder().cookie(cookie().name("__HOST-shop"))), "shop");
        assert_eq!(audience(builder().transport(HeaderTransport::bearer())), "authorization");
        assert_eq!(audience(builder().transport(cookie().build().unwrap())), "shop");
        assert_eq!(audience(builder().cookie(cookie()).audience("both")), "both");
        assert!(refusal(builder().audience("shop\n")).contains("`audience`"));
    }

    #[test]
    fn a_shared_manager_needs_an_audience_if_the_cookie_has_another_name() {
        let layer = |shared: SessionManager| SessionLayer::builder(shared).cookie(SessionCookie::new().name("shop"));
        let message = layer(SessionManager::new(MemoryStore::new())).build().unwrap_err().to_string();
        assert!(
            message.contains("`shop`") && message.contains("`sessid`") && message.contains("`audience`"),
            "{message}"
        );
        let shared = SessionManager::builder(MemoryStore::new()).audience("any").build().unwrap();
        assert!(layer(shared.clone()).build().is_ok());
        assert_eq!(SessionLayer::new(shared).manager().audience(), "any");
        let first = builder().cookie(SessionCookie::new().name("shop")).build().unwrap();
        assert!(layer(first.manager().clone()).build().is_ok());
        assert!(SessionLayer::builder(first.manager().clone()).build().is_err());
    }

    #[test]
    fn a_manager_that_is_shared_stays_the_same() {
        let shared = SessionManager::new(MemoryStore::new());
        let layer = SessionLayer::builder(shared.clone()).sign_in_page("/login").build().unwrap();
        assert!(layer.manager().is_same(&shared));
        assert!(SessionLayer::new(shared.clone()).manager().is_same(&shared));
    }
}
