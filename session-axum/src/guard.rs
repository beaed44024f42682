use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_core::response::{IntoResponse, Response};
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::error::SessionError;
use crate::exempt_routes::ExemptRoutes;
use crate::extract::opened;
use crate::signed_in::SignedIn;

/// Demands a signed-in session for all of a router, so that a handler that declares none is no hole.
///
/// Add it to a router after its routes, and before the [`SessionLayer`](crate::SessionLayer). What is asked for without a
/// signed-in session is turned away as by [`SignedIn`], also what matches no route. Routes that are open to everybody are
/// named as they were given to the router, each by its whole pattern: what a path merely begins with counts for nothing.
/// In a nested router, the pattern includes that of the nesting.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use session_axum::{MemoryStore, RequireSignedIn, SessionLayer};
///
/// # let app: Router =
/// Router::new()
///     .route("/", get(async || "for users"))
///     .route("/login", get(async || "a form"))
///     .route("/assets/{*file}", get(async || "a picture"))
///     .layer(RequireSignedIn::new().except(["/login", "/assets/{*file}"]))
///     .layer(SessionLayer::builder(MemoryStore::new()).sign_in_page("/login").build()?);
/// # Ok::<_, session_axum::ConfigError>(())
/// ```
///
/// For a part that needs the password again, give it a time, and add it to the routes of that part:
///
/// ```
/// # use std::time::Duration;
/// # use axum::{Router, routing::post};
/// # use session_axum::RequireSignedIn;
/// # let part: Router =
/// Router::new()
///     .route("/account/delete", post(async || "deleted"))
///     .route_layer(RequireSignedIn::new().fresh_within(Duration::from_secs(300)));
/// ```
///
/// Put a layer for cross-origin requests (CORS) outside: its preflights come without a session.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RequireSignedIn {
    except: Arc<ExemptRoutes>,
    within: Option<Duration>,
}

impl RequireSignedIn {
    /// Demands a signed-in session on every route.
    pub fn new() -> Self {
        RequireSignedIn::default()
    }

    /// Leaves these routes open to everybody. Default: none. A route that the router does not have changes nothing.
    pub fn except(mut self, routes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Arc::make_mut(&mut self.except).add(routes);
        self
    }

    /// Demands also that the user has proven who they are within this time: see [`Fresh`](crate::Fresh). Default: any
    /// signed-in session is enough.
    pub fn fresh_within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }
}

impl<S> Layer<S> for RequireSignedIn {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, demand: self.clone() }
    }
}

/// A service whose requests need a signed-in session: what [`RequireSignedIn`] makes.
#[derive(Clone, Debug)]
pub struct Guard<S> {
    inner: S,
    demand: RequireSignedIn,
}

impl<S, B> Service<Request<B>> for Guard<S>
where
    S: Service<Request<B>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Guarded<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.demand.except.include(request.extensions()) {
            return Box::pin(self.inner.call(request));
        }
        call_if(&mut self.inner, checked(request, self.demand.clone()))
    }
}

async fn checked<B>(request: Request<B>, demand: RequireSignedIn) -> Result<Request<B>, SessionError> {
    let (parts, body) = request.into_parts();
    let (_, session) = opened(&parts).await?;
    match SignedIn::check(session, demand.within) {
        Ok(_) => Ok(Request::from_parts(parts, body)),
        Err(refusal) => {
            demand.except.explain(&parts);
            Err(SessionError::refused(refusal, &parts))
        }
    }
}

/// The future of a service that lets some requests pass.
pub(crate) type Guarded<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

/// Calls a service with the request that a check lets pass. Otherwise the error is the response.
pub(crate) fn call_if<S, B>(
    service: &mut S,
    checked: impl Future<Output = Result<Request<B>, SessionError>> + Send + 'static,
) -> Guarded<S::Error>
where
    S: Service<Request<B>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    // The one that was polled to be ready is the one to call.
    let clone = service.clone();
    let mut ready = mem::replace(service, clone);
    Box::pin(async move {
        match checked.await {
            Ok(request) => ready.call(request).await,
            Err(error) => Ok(error.into_response()),
        }
    })
}
