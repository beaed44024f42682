use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use session_core::{ConfigError, Session};

use crate::transport::Transport;
use crate::transport::cookie::without_prefix;

use super::binder::{Asks, Binder};
use super::endpoint::not_served;

/// The settings of device bound sessions (DBSC): a copied session cookie is worth nothing after minutes.
///
/// After a login, a browser that can do so makes a key that can't leave the device, and registers it. From then on the
/// session needs a second cookie, which lives for minutes and is given only to whoever signs with that key. Browsers that
/// can't do so see one header more, and nothing else changes. The guide "Device bound sessions" says what this protects
/// from, and from what not.
///
/// ```
/// # fn example() -> Result<axum::Router, session_axum::ConfigError> {
/// use axum::Router;
/// use session_axum::{DeviceBound, MemoryStore, SessionLayer};
///
/// let layer = SessionLayer::builder(MemoryStore::new())
///     .device_bound(DeviceBound::new().out_of_scope(["/assets"]))
///     .build()?;
/// let app = Router::new().layer(layer);
/// # Ok(app) }
/// ```
///
/// The layer serves the requests of the browser itself, where it sees all paths of its host: as the outermost layer of an
/// application. In a router that is nested or merged into another, or that gets its fallback after the layer, they are
/// answered 404; add [`routes`](DeviceBound::routes) there.
#[derive(Clone)]
#[must_use]
pub struct DeviceBound {
    lifetime: Duration,
    /// The least that `lifetime` may be.
    shortest: Duration,
    paths: Option<[String; 2]>,
    out_of_scope: Vec<String>,
    skip_grace: Option<Duration>,
    asks: Asks,
    only_reports: bool,
    has_routes: Arc<AtomicBool>,
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

impl Default for DeviceBound {
    fn default() -> Self {
        DeviceBound::new()
    }
}

impl DeviceBound {
    /// Device bound sessions with every default.
    pub fn new() -> Self {
        DeviceBound {
            lifetime: 10 * MINUTE,
            shortest: MINUTE,
            paths: None,
            out_of_scope: Vec::new(),
            skip_grace: None,
            asks: Asks(None),
            only_reports: false,
            has_routes: Arc::default(),
        }
    }

    /// How long the bound cookie lives. The browser gets the next one when a request needs it.
    ///
    /// Default: 10 minutes, which is what we recommend. Allowed: 1 minute to 1 day, cut to whole seconds. With a long one, a
    /// cookie that was copied together with it is of use for that long, and a minute more.
    ///
    /// A lifetime of about 2 minutes or less uses up the browser's quota of signatures. Chromium refreshes beside every
    /// request while less than 2 minutes are left, and allows five or six signatures within some minutes. After that its
    /// requests come with `Secure-Session-Skipped: quota_exceeded` and without the bound cookie, so they have no session
    /// unless there is a [`skip_grace`](DeviceBound::skip_grace).
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        (self.lifetime, self.shortest) = (lifetime, MINUTE);
        self
    }

    /// Sets a [`lifetime`](DeviceBound::lifetime) that may be below 1 minute, for a test with a real browser, which can't
    /// wait for minutes.
    ///
    /// It exists only with the feature `testing`. Allowed: 1 s to 1 day.
    #[cfg(feature = "testing")]
    pub fn lifetime_for_tests(mut self, lifetime: Duration) -> Self {
        (self.lifetime, self.shortest) = (lifetime, Duration::from_secs(1));
        self
    }

    /// The paths at which the layer serves registration and refresh. Default: `/dbsc/<cookie>/register` and
    /// `/dbsc/<cookie>/refresh`, with the name of the session's cookie without its prefix.
    ///
    /// They are below the path under which the layer is nested, and below the `Path` of the cookie. Allowed: different
    /// paths that start with one `/`, of visible ASCII characters without `"`, `\`, `%`, `?` and `#`.
    pub fn paths(mut self, register: impl Into<String>, refresh: impl Into<String>) -> Self {
        self.paths = Some([register.into(), refresh.into()]);
        self
    }

    /// Paths for which the browser needs no bound cookie, with everything below them: what needs no session, such as
    /// images. Default: none. Call it once with all of them.
    ///
    /// A request there is not held up for a refresh, so a handler there may find no session. Allowed: as for
    /// [`paths`](DeviceBound::paths).
    pub fn out_of_scope(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.out_of_scope = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Lets requests in without proof for this time, where the browser says that it had to skip it: its refresh could not
    /// be answered, or its key was used too often. Default: they are refused.
    ///
    /// Anybody can say so, and a copied session cookie is then of use for this time. The grace starts with the first skip,
    /// and only a proof of the key, 24 hours after that skip at the earliest, lets another one start. Allowed: 1 s to 1 day.
    /// With 1 day, one grace can follow the other; choose minutes.
    pub fn skip_grace(mut self, grace: Duration) -> Self {
        self.skip_grace = Some(grace);
        self
    }

    /// Which sessions are asked to register a key, when they start or their user has authenticated again. Default: all
    /// that have a principal. Sessions without one are never asked.
    ///
    /// ```
    /// use session_axum::DeviceBound;
    ///
    /// let device_bound = DeviceBound::new().ask_if(|sess| sess.principal().as_deref() == Some("admin"));
    /// ```
    pub fn ask_if(mut self, asks: impl Fn(&Session) -> bool + Send + Sync + 'static) -> Self {
        self.asks = Asks(Some(Arc::new(asks)));
        self
    }

    /// Refuses nothing, and only reports what would be refused, by
    /// [`Event::DeviceRefused`](crate::Event::DeviceRefused): for the first weeks. Default: refused.
    ///
    /// Requests that can't bring a bound cookie, such as those with a bearer token or over plain HTTP, are treated as without
    /// this setting: they open no session that is enforced already.
    ///
    /// Browsers register keys as ever. When the setting is left out again, each session is enforced from its next proof on.
    pub fn only_report(mut self) -> Self {
        self.only_reports = true;
        self
    }

    /// Routes for registration and refresh, for a router with this layer that is nested or merged into another: merge them
    /// into it before adding the layer. The layer answers at these routes; they only let requests come there.
    ///
    /// If two routers with such routes are merged, give each its own [`paths`](DeviceBound::paths). The routes of the
    /// default paths are the same for every layer, and axum panics with "Overlapping method route" where two meet.
    ///
    /// ```
    /// # fn example() -> Result<axum::Router, session_axum::ConfigError> {
    /// use axum::Router;
    /// use axum::routing::get;
    /// use session_axum::{DeviceBound, MemoryStore, SessionLayer};
    ///
    /// let device_bound = DeviceBound::new();
    /// let layer = SessionLayer::builder(MemoryStore::new()).device_bound(device_bound.clone()).build()?;
    /// let shop = Router::new().route("/", get(async || "shop")).merge(device_bound.routes()).layer(layer);
    /// let app = Router::new().nest("/shop", shop);
    /// # Ok(app) }
    /// ```
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.has_routes.store(true, Ordering::Relaxed);
        match &self.paths {
            Some([register, refresh]) => {
                Router::new().route(register, post(not_served)).route(refresh, post(not_served))
            }
            None => Router::new()
                .route("/dbsc/{layer}/register", post(not_served))
                .route("/dbsc/{layer}/refresh", post(not_served)),
        }
    }

    /// Checks the settings, for a layer whose ids are carried so.
    pub(crate) fn checked(self, transport: &dyn Transport) -> Result<Binder, ConfigError> {
        if transport.bound_cookie(0).is_none() {
            return Err(ConfigError::new(
                "`device_bound` needs ids in a cookie, and HTTPS, as browsers bind `Secure` cookies alone; leave out \
                 `transport` or `allow_http`, or `device_bound` in development",
            ));
        }
        let (lifetime, shortest) = (self.lifetime, self.shortest);
        if !(shortest..=DAY).contains(&lifetime) {
            return Err(ConfigError::new(format!(
                "`DeviceBound::lifetime` is {lifetime:?}; it must be from {shortest:?} to {DAY:?}"
            )));
        }
        if let Some(grace) = self.skip_grace.filter(|grace| !(Duration::from_secs(1)..=DAY).contains(grace)) {
            return Err(ConfigError::new(format!(
                "`DeviceBound::skip_grace` is {grace:?}; it must be from 1 s to {DAY:?}; leave it out to let nobody in \
                 without proof"
            )));
        }
        let [register, refresh] = self.paths.unwrap_or_else(|| default_paths(transport.name()));
        for path in [&register, &refresh].into_iter().chain(&self.out_of_scope) {
            check_path(path)?;
        }
        if register == refresh {
            return Err(ConfigError::new(format!(
                "`DeviceBound::paths` are both {register:?}; registration and refresh need different paths"
            )));
        }
        Ok(Binder {
            lifetime: Duration::from_secs(lifetime.as_secs()),
            register,
            refresh,
            out_of_scope: self.out_of_scope,
            skip_grace: self.skip_grace,
            asks: self.asks,
            only_reports: self.only_reports,
            has_routes: self.has_routes,
            has_warned: AtomicBool::new(false),
        })
    }
}

fn default_paths(cookie: &str) -> [String; 2] {
    let name = without_prefix(cookie);
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.~".contains(char);
    let name: String = name.chars().map(|char| if is_plain(char) { char } else { '_' }).collect();
    ["register", "refresh"].map(|what| format!("/dbsc/{name}/{what}"))
}

fn check_path(path: &str) -> Result<(), ConfigError> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\%?#{}".contains(&byte);
    if path.len() > 1 && path.starts_with('/') && !path.starts_with("//") && path.bytes().all(is_plain) {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "`DeviceBound` can't have the path {path:?}; give one that starts with one `/`, such as `/dbsc/register`, of visible \
         ASCII characters without `\"`, `\\`, `%`, `?`, `#`, `{{` and `}}`"
    )))
}

impl fmt::Debug for DeviceBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBound")
            .field("lifetime", &self.lifetime)
            .field("paths", &self.paths)
            .field("out_of_scope", &self.out_of_scope)
            .field("skip_grace", &self.skip_grace)
            .field("only_reports", &self.only_reports)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use session_core::MemoryStore;

    use super::*;
    use crate::transport::cookie::SessionCookie;
    use crate::transport::header::HeaderTransport;
    use crate::{SessionLayer, SessionLayerBuilder};

    fn builder(device_bound: DeviceBound) -> SessionLayerBuilder<MemoryStore> {
        SessionLayer::builder(MemoryStore::new()).device_bound(device_bound)
    }

    #[track_caller]
    fn assert_refused(builder: SessionLayerBuilder<MemoryStore>, named: &str) {
        let message = builder.build().expect_err("these settings can't work").to_string();
        assert!(message.contains(named), "{message}");
    }

    /// D24
    #[test]
    fn what_can_not_work_is_refused_with_the_fix() {
        let new = DeviceBound::new;
        assert!(builder(new()).build().is_ok());
        for lifetime in [Duration::ZERO, Duration::from_secs(59), DAY + MINUTE] {
            assert_refused(builder(new().lifetime(lifetime)), "`DeviceBound::lifetime`");
        }
        assert_refused(builder(new().skip_grace(Duration::ZERO)), "`DeviceBound::skip_grace`");
        for path in ["", "/", "register", "//host/register", "/re gister", "/a?b", "/a#b", "/a\"b", "/%61", "/{a}"] {
            assert_refused(builder(new().paths(path, "/refresh")), "`DeviceBound` can't have the path");
            assert_refused(builder(new().out_of_scope([path])), "`DeviceBound` can't have the path");
        }
        assert_refused(builder(new().paths("/a", "/a")), "different paths");
        assert_refused(builder(new()).allow_http(), "and HTTPS");
        assert_refused(builder(new()).cookie(SessionCookie::new().allow_http()), "and HTTPS");
        assert_refused(builder(new()).transport(HeaderTransport::bearer()), "in a cookie, and HTTPS");
        let cookie = SessionCookie::new().name("shop").build().unwrap();
        assert!(builder(new()).transport(cookie).build().is_ok());
        assert!(builder(new()).cookie_or_bearer().build().is_ok());
    }

    #[cfg(feature = "testing")]
    #[test]
    fn a_lifetime_below_a_minute_is_for_tests_alone() {
        let (new, second) = (DeviceBound::new, Duration::from_secs(1));
        assert!(builder(new().lifetime_for_tests(second)).build().is_ok());
        for lifetime in [Duration::from_millis(999), DAY + MINUTE] {
            assert_refused(builder(new().lifetime_for_tests(lifetime)), "`DeviceBound::lifetime`");
        }
        assert_refused(builder(new().lifetime_for_tests(second).lifetime(second)), "`DeviceBound::lifetime`");
    }

    #[test]
    fn the_paths_are_named_after_the_cookie() {
        assert_eq!(default_paths("__Host-shop"), ["/dbsc/shop/register", "/dbsc/shop/refresh"]);
        assert_eq!(default_paths("a%#b"), ["/dbsc/a__b/register", "/dbsc/a__b/refresh"]);
    }
}
