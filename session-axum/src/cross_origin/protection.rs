use std::sync::Arc;
use std::task::{Context, Poll};

use axum_core::body::Body;
use axum_core::response::Response;
use http::Request;
use http::request::Parts;
use session_core::ConfigError;
use session_core::internals::LogThrottle;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::SessionError;
use crate::exempt_routes::ExemptRoutes;
use crate::extract::opened;
use crate::guard::{Guarded, call_if};
use crate::slot::Slot;
use crate::transport::header::asks_for_bearer;
use crate::turned_away::Refusal;

use super::form_field::{form_field, is_form};
use super::origin::Origin;
use super::token::CsrfToken;
use super::verdict::{Ours, Verdict, verdict};

/// Refuses what pages of other origins send in a visitor's name (cross-site request forgery, CSRF): requests that may
/// change something, and WebSockets.
///
/// Add it to a router after its routes, and before the [`SessionLayer`](crate::SessionLayer), which answers what is refused:
/// 403, or as [`answer_with`](crate::SessionLayerBuilder::answer_with) says.
///
/// Browsers since 2020 say where a request comes from, by `Sec-Fetch-Site` over HTTPS, and by `Origin`. A request is refused
/// if that is another origin: another scheme, host or port, also another host of the same site. What changes nothing (GET,
/// HEAD, OPTIONS) passes. What has neither header comes from a program, which no page can make act in a visitor's name,
/// or from an older browser: see [`require_token`](CrossOriginProtection::require_token). The rules are those of Go's
/// `http.CrossOriginProtection`.
///
/// A request passes from any origin if its session was opened by a bearer token: no page can make a browser send one that
/// the page does not know. Without a token that opens a session, such as at a sign-in, the rules above count.
///
/// Put it inside of the session layer. Outside, it does not know what that layer allows, and its refusals are a sentence.
///
/// The login needs this as well: otherwise another site signs visitors in to an account of its own. So does everything that
/// a session's cookie has no part in.
///
/// ```
/// use axum::{Router, routing::post};
/// use session_axum::{CrossOriginProtection, MemoryStore, SessionLayer};
///
/// # let app: Router =
/// Router::new()
///     .route("/login", post(async || "signed in"))
///     .route("/hooks/payment", post(async || "noted"))
///     .layer(CrossOriginProtection::new().trust("https://admin.example.com")?.except(["/hooks/payment"]))
///     .layer(SessionLayer::new(MemoryStore::new()));
/// # Ok::<_, session_axum::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CrossOriginProtection {
    settings: Arc<Settings>,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    trusted: Vec<Origin>,
    except: ExemptRoutes,
    requires_token: bool,
    allows_http: bool,
    outside: Arc<LogThrottle>,
}

impl CrossOriginProtection {
    /// Refuses what comes from any other origin.
    pub fn new() -> Self {
        CrossOriginProtection::default()
    }

    /// Takes what pages of this origin send, too. Scheme, host and port count. Default: none.
    ///
    /// [`ConfigError`] if it is not one origin, such as `https://admin.example.com`. There are no wildcards.
    pub fn trust(mut self, origin: &str) -> Result<Self, ConfigError> {
        let Some(parsed) = Origin::parse(origin) else {
            return Err(ConfigError::new(format!(
                "`trust` can't have {origin:?}; give an origin such as `https://admin.example.com`, with a port where it has \
                 one, without a path, and without `*`: name each origin"
            )));
        };
        Arc::make_mut(&mut self.settings).trusted.push(parsed);
        Ok(self)
    }

    /// Takes everything on these routes. Default: none. A route is named as it was given to the router, by its whole pattern;
    /// in a nested router, that includes the pattern of the nesting.
    ///
    /// For calls of other servers, which prove themselves in another way.
    pub fn except(mut self, routes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Arc::make_mut(&mut self.settings).except.add(routes);
        self
    }

    /// Takes what this site's own pages send that were loaded over HTTP, too. Default: as the session layer's cookie for
    /// this request travels; see [`allow_http`](crate::SessionLayerBuilder::allow_http) and
    /// `SessionCookie::secure_by_scheme` (feature `trusted-proxies`). Where there is no session layer, only HTTPS.
    pub fn allow_http(mut self) -> Self {
        Arc::make_mut(&mut self.settings).allows_http = true;
        self
    }

    /// Asks for a [`CsrfToken`] where nothing says where a request comes from. Default: such requests pass.
    ///
    /// For sites that serve browsers from before 2020. The token is the header `X-CSRF-Token`, or the field `csrf_token` of a
    /// form that is sent as `application/x-www-form-urlencoded`. Programs then need one, too, unless they come with a
    /// bearer token of a session. A sign-in has none yet: give such clients one of their own, in [`except`](Self::except).
    pub fn require_token(mut self) -> Self {
        Arc::make_mut(&mut self.settings).requires_token = true;
        self
    }
}

impl<S> Layer<S> for CrossOriginProtection {
    type Service = CrossOriginService<S>;

    fn layer(&self, inner: S) -> CrossOriginService<S> {
        CrossOriginService { inner, settings: Arc::clone(&self.settings) }
    }
}

/// A service that gets no requests from other origins: what [`CrossOriginProtection`] makes.
#[derive(Clone, Debug)]
pub struct CrossOriginService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl Settings {
    fn verdict(&self, request: &Request<Body>) -> Verdict {
        if self.except.include(request.extensions()) {
            return Verdict::Fine;
        }
        let slot: Option<&Slot> = request.extensions().get();
        let (uri, headers, extensions) = (request.uri(), request.headers(), request.extensions());
        let is_for_http = |slot: &Slot| slot.settings().transport.is_for_http(uri, headers, extensions);
        let ours =
            Ours { trusted: &self.trusted, is_http_allowed: &|| self.allows_http || slot.is_some_and(is_for_http) };
        match verdict(request.method(), uri, headers, &ours) {
            Verdict::Unknown if !self.requires_token => Verdict::Fine,
            verdict => verdict,
        }
    }

    /// Tells the developer why a request is refused that may be none of another site.
    fn explain(&self, parts: &Parts) {
        self.except.explain(parts);
        if Slot::of(parts).is_err()
            && let Some(times) = self.outside.due()
        {
            tracing::warn!(
                times,
                "`CrossOriginProtection` refused a request outside of a session layer, which then does not answer it; add it \
                 to the router before the `SessionLayer`, if there is one"
            );
        }
    }
}

impl<S> Service<Request<Body>> for CrossOriginService<S>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Guarded<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let verdict = self.settings.verdict(&request);
        if verdict == Verdict::Fine {
            return Box::pin(self.inner.call(request));
        }
        call_if(&mut self.inner, checked(request, verdict, Arc::clone(&self.settings)))
    }
}

async fn checked(
    request: Request<Body>,
    verdict: Verdict,
    settings: Arc<Settings>,
) -> Result<Request<Body>, SessionError> {
    let (parts, body) = request.into_parts();
    let body = admitted(&parts, body, verdict).await.inspect_err(|_| settings.explain(&parts))?;
    Ok(Request::from_parts(parts, body))
}

/// Lets a request pass that is no forgery although its headers don't say so. Returns its body as it was.
///
/// No page can make a browser send a token that it does not know. So a session that was loaded by one is exempt, and
/// whoever only says that it has one is not.
async fn admitted(parts: &Parts, body: Body, verdict: Verdict) -> Result<Body, SessionError> {
    let refused = || SessionError::refused(Refusal::CrossSite, parts);
    let is_by_bearer = asks_for_bearer(&parts.headers) && Slot::of(parts).is_ok();
    if verdict == Verdict::Refused && !is_by_bearer {
        return Err(refused());
    }
    let (_, session) = opened(parts).await?;
    let Some(session) = session else { return Err(refused()) };
    if is_by_bearer && session.is_by_bearer() {
        return Ok(body);
    }
    if verdict == Verdict::Refused {
        return Err(refused());
    }
    if let Some(token) = parts.headers.get(CsrfToken::HEADER) {
        let is_right = token.to_str().is_ok_and(|token| session.check_csrf(token));
        return if is_right { Ok(body) } else { Err(refused()) };
    }
    if !is_form(&parts.headers) {
        return Err(refused());
    }
    match form_field(body, CsrfToken::FIELD).await {
        Some((Some(token), body)) if session.check_csrf(&token) => Ok(body),
        _ => Err(refused()),
    }
}
