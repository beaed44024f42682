use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

/// Marks requests that are no use of the session, such as polls: loading the session then leaves its idle deadline where
/// it is, so a page that polls keeps nobody signed in.
///
/// As a layer it marks the requests of a route. As an extension of a request it marks that one. Either has to be there
/// before the session is loaded: by an extractor, by [`RequireSignedIn`](crate::RequireSignedIn), or by
/// [`CrossOriginProtection`](crate::CrossOriginProtection) for a request with a bearer token. So the layer goes around
/// those, and a middleware inserts the extension outside of them. A mark that comes too late changes nothing, and the log
/// says so.
///
/// What the handler changes is saved as ever, without moving the deadline. Starting a session and
/// [`renew_id`](session_core::Session::renew_id) are uses in any case, and `renew_every` waits for another request. It counts
/// for the sessions of all layers around the route.
///
/// ```
/// use axum::{Router, routing::get};
/// use session_axum::{MemoryStore, NoUse, Session, SessionLayer};
///
/// async fn news(_sess: Session) -> &'static str { "none" }
///
/// # fn app() -> Router {
/// Router::new().route("/news", get(news).layer(NoUse)).layer(SessionLayer::new(MemoryStore::new()))
/// # }
/// ```
///
/// Where everybody has to be signed in, the route that polls has a guard of its own inside of the mark:
///
/// ```
/// use axum::{Router, routing::get};
/// use session_axum::{MemoryStore, NoUse, RequireSignedIn, Session, SessionLayer};
///
/// # async fn news(_sess: Session) -> &'static str { "none" }
/// # async fn home(_sess: Session) {}
/// # fn app() -> Router {
/// let polls = Router::new().route("/news", get(news)).layer(RequireSignedIn::new()).layer(NoUse);
/// let pages = Router::new().route("/", get(home)).layer(RequireSignedIn::new());
/// pages.merge(polls).layer(SessionLayer::new(MemoryStore::new()))
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoUse;

/// The service that [`NoUse`] makes.
#[derive(Clone, Debug)]
pub struct NoUseService<S>(S);

impl<S> Layer<S> for NoUse {
    type Service = NoUseService<S>;

    fn layer(&self, inner: S) -> NoUseService<S> {
        NoUseService(inner)
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for NoUseService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(NoUse);
        self.0.call(request)
    }
}
