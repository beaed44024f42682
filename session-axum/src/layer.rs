use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use session_core::{ConfigError, IntoSessionManager, SessionManager};
use tower_layer::Layer;

use crate::SessionCookie;
use crate::service::SessionService;
use crate::settings::Settings;
use crate::transport::Transport;

/// Gives the handlers of a router their sessions.
///
/// Added to a router after its routes, or to any tower stack whose response bodies carry bytes.
/// `Clone` shares everything. Several with different cookies may be stacked: an extractor means
/// the innermost.
///
/// ```
/// # fn example() -> Result<axum::Router, session_axum::ConfigError> {
/// use std::time::Duration;
/// use axum::Router;
/// use session_axum::{SameSite, SessionCookie, SessionLayer, SessionManager};
/// use session_core::MemoryStore;
///
/// let sessions = SessionManager::builder(MemoryStore::with_max_sessions(100_000))
///     .idle_timeout(Duration::from_secs(15 * 60))
///     .build()?;
/// let layer = SessionLayer::builder(sessions)
///     .cookie(SessionCookie::new().name("shop").same_site(SameSite::Strict))
///     .redirect_to("/login")
///     .build()?;
/// let app = Router::new().layer(layer);
/// # Ok(app) }
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    settings: Arc<Settings>,
}

impl SessionLayer {
    /// A layer with every default, which always works, for a store or a shared manager.
    pub fn new(sessions: impl IntoSessionManager) -> Self {
        SessionLayer::builder(sessions).build().expect("the defaults work")
    }

    /// A layer with settings.
    pub fn builder(sessions: impl IntoSessionManager) -> SessionLayerBuilder {
        SessionLayerBuilder {
            manager: sessions.into_session_manager(),
            cookie: SessionCookie::new(),
            transport: None,
            redirect: None,
        }
    }

    /// The manager of the sessions, for what needs no request.
    pub fn manager(&self) -> &SessionManager {
        &self.settings.manager
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
#[must_use]
pub struct SessionLayerBuilder {
    manager: SessionManager,
    cookie: SessionCookie,
    transport: Option<Box<dyn Transport>>,
    redirect: Option<String>,
}

impl SessionLayerBuilder {
    /// Another cookie than the default one.
    pub fn cookie(mut self, cookie: SessionCookie) -> Self {
        self.cookie = cookie;
        self
    }

    /// For development: lets the cookie travel without encryption. See
    /// [`SessionCookie::allow_http`].
    pub fn allow_http(mut self) -> Self {
        self.cookie = self.cookie.allow_http();
        self
    }

    /// Another way for the id to travel than a cookie, such as a
    /// [`HeaderTransport`](crate::HeaderTransport).
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Box::new(transport));
        self
    }

    /// Sends a visitor without a session there, where a handler declares
    /// [`Session`](crate::Session); without this the answer is 401.
    pub fn redirect_to(mut self, location: impl Into<String>) -> Self {
        self.redirect = Some(location.into());
        self
    }

    /// The layer, if these settings can work.
    ///
    /// # Errors
    ///
    /// The message says which setting can't, and what to change.
    pub fn build(self) -> Result<SessionLayer, ConfigError> {
        let redirect = self.redirect.map(|location| {
            HeaderValue::from_str(&location).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
                ConfigError::new(format!("{location:?} is no redirect location; give a path like `/login`"))
            })
        });
        let transport = match self.transport {
            Some(transport) => transport,
            None => Box::new(self.cookie.build()?),
        };
        let vary = transport.request_header();
        let settings = Settings { manager: self.manager, transport, vary, redirect: redirect.transpose()? };
        Ok(SessionLayer { settings: Arc::new(settings) })
    }
}

impl fmt::Debug for SessionLayerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayerBuilder").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}
