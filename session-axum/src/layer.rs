use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use session_core::{ConfigError, IntoSessionManager, SessionManager};
use tower_layer::Layer;

use crate::service::SessionService;
use crate::settings::Settings;
use crate::transport::Transport;
use crate::transport::cookie::SessionCookie;

/// Gives the handlers of a router their sessions.
///
/// Added to a router after its routes, or to any tower stack whose response bodies carry bytes.
/// Layers that turn panics into responses, or give up on slow handlers, go outside of it: see the
/// [crate's documentation](crate#other-layers).
///
/// Clone it to have it in several places: clones share everything. Two layers made of one store
/// are two, which purge, count and queue each for itself; give them one [`SessionManager`], or
/// clone the layer.
///
/// Several with different cookies may be stacked: an extractor means the innermost. The same
/// manager and cookie again is one layer, but only if no other session layer is between the two:
/// of A around B around A each has a session of its own.
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
            cookie: None,
            allow_http: false,
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
    cookie: Option<SessionCookie>,
    allow_http: bool,
    transport: Option<Box<dyn Transport>>,
    redirect: Option<String>,
}

impl SessionLayerBuilder {
    /// Another cookie than the default one.
    pub fn cookie(mut self, cookie: SessionCookie) -> Self {
        self.cookie = Some(cookie);
        self
    }

    /// For development: lets the cookie travel without encryption, whichever it is. See
    /// [`SessionCookie::allow_http`].
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Another way for the id to travel than a cookie, such as a
    /// [`HeaderTransport`](crate::HeaderTransport). It has no use for settings of a cookie.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Box::new(transport));
        self
    }

    /// Sends a visitor without a session there, where a handler declares
    /// [`Session`](crate::Session); without this the answer is 401. A path, or an address with
    /// `https://`; what answers there must declare no `Session` itself.
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
            // Relative to the page, it would lead elsewhere from each.
            let is_absolute = ["/", "https://", "http://"].iter().any(|start| location.starts_with(start));
            HeaderValue::from_str(&location).ok().filter(|_| is_absolute).ok_or_else(|| {
                ConfigError::new(format!("{location:?} is no redirect location; give a path like `/login`"))
            })
        });
        let transport = match (self.transport, self.cookie) {
            (Some(_), Some(_)) => {
                return Err(ConfigError::new("`transport` takes the cookie's place; drop one of them"));
            }
            (Some(_), None) if self.allow_http => {
                return Err(ConfigError::new(
                    "`allow_http` is for cookies, and there is a `transport`; drop one of them",
                ));
            }
            (Some(transport), None) => transport,
            (None, cookie) => {
                let cookie = cookie.unwrap_or_default();
                let cookie = if self.allow_http { cookie.allow_http() } else { cookie };
                Box::new(cookie.build()?)
            }
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

#[cfg(test)]
mod tests {
    use session_core::MemoryStore;

    use super::*;
    use crate::transport::header::HeaderTransport;

    fn builder() -> SessionLayerBuilder {
        SessionLayer::builder(MemoryStore::new())
    }

    #[track_caller]
    fn refusal(builder: SessionLayerBuilder) -> String {
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
        assert!(refusal(bearer().cookie(SessionCookie::new())).contains("drop one"));
        assert!(refusal(bearer().allow_http()).contains("`allow_http`"));
    }

    #[test]
    fn a_redirect_that_is_no_header_value_is_refused() {
        for location in ["", "login", "/login\r\nSet-Cookie: a=b", "/login\n"] {
            assert!(refusal(builder().redirect_to(location)).contains("no redirect location"), "{location:?}");
        }
    }
}
