use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use http::request::Parts;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::extract::Session;
use crate::layer::SessionLayer;
use crate::service::ResponseFuture;

/// A request that is under way at a session layer, with the test in the place of the handler.
///
/// For unit tests of functions that take what a handler gets: a [`Session`], a [`MaybeSession`](crate::MaybeSession), or
/// any other extractor. [`finish`](TestRequest::finish) does what the layer does once a handler has returned. A request that
/// is dropped before is one that was cancelled: nothing is stored.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_axum::SessionError> {
/// use session_axum::testing::{SessionEffect, TestSessions};
/// use session_axum::{AttrKey, CoreError, NewSession, Session};
///
/// const ADMIN: AttrKey<bool> = AttrKey::new("Admin");
///
/// /// The function under test.
/// fn promote(sess: &Session) -> Result<(), CoreError> {
///     sess.set_attr(ADMIN, &true)?;
///     sess.renew_id()
/// }
///
/// let sessions = TestSessions::new();
/// let mut request = sessions.request(NewSession::new().principal("ann")).await;
/// let sess = request.session().await;
/// promote(&sess)?;
///
/// let response = request.finish().await;
/// assert_eq!(SessionEffect::of(&response), SessionEffect::Renewed);
/// let stored = sessions.stored(&sess).expect("it goes on");
/// assert_eq!(stored.attr(ADMIN)?, Some(true));
/// # Ok(()) }
/// ```
pub struct TestRequest {
    parts: Parts,
    seat: Arc<Seat>,
    response: ResponseFuture<Handling>,
}

/// What the layer's inner service leaves for the test.
#[derive(Default)]
struct Seat {
    /// What a handler would get.
    parts: Mutex<Option<Parts>>,
    /// What the test answers.
    response: Mutex<Option<Response<Body>>>,
}

/// The inner service, which leaves its request to the test.
struct Handler(Arc<Seat>);

struct Handling(Arc<Seat>);

impl TestRequest {
    /// Begins a request at this layer. [`Jar::attach`](super::Jar::attach) gives it a visitor.
    pub fn at<B>(layer: &SessionLayer, request: Request<B>) -> Self {
        let seat = Arc::new(Seat::default());
        let response = layer.layer(Handler(Arc::clone(&seat))).call(request);
        let parts = taken(&seat.parts).expect("the layer calls its inner service at once");
        TestRequest { parts, seat, response }
    }

    /// Extracts what a handler can declare, such as [`MaybeSession`](crate::MaybeSession) or
    /// [`SignedIn`](crate::SignedIn). The error is the rejection that the visitor would be answered with.
    pub async fn extract<E: FromRequestParts<()>>(&mut self) -> Result<E, E::Rejection> {
        self.extract_with(&()).await
    }

    /// Extracts what needs the application's state.
    pub async fn extract_with<E: FromRequestParts<S>, S>(&mut self, state: &S) -> Result<E, E::Rejection> {
        E::from_request_parts(&mut self.parts, state).await
    }

    /// The visitor's session.
    ///
    /// # Panics
    ///
    /// If there is none, or if the store fails.
    pub async fn session(&mut self) -> Session {
        self.extracted().await
    }

    pub(super) async fn extracted<E: FromRequestParts<(), Rejection: fmt::Display>>(&mut self) -> E {
        self.extract().await.unwrap_or_else(|rejection| panic!("the layer turns the request away: {rejection}"))
    }

    /// Ends the request as if the handler had returned an empty response: the session is saved, and the response tells the
    /// client what became of it. [`SessionEffect::of`](super::SessionEffect::of) reads what it did.
    ///
    /// If the store fails, the response is the one that a visitor gets: 503.
    pub async fn finish(self) -> Response<Body> {
        self.answer(Response::default()).await
    }

    /// As [`finish`](TestRequest::finish), with the response that the handler returns.
    pub async fn answer(self, response: Response<Body>) -> Response<Body> {
        *self.seat.response.lock().unwrap_or_else(PoisonError::into_inner) = Some(response);
        // As when a handler has returned: it holds the request no more.
        drop(self.parts);
        let Ok(response) = self.response.await;
        response
    }
}

fn taken<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl<B> Service<Request<B>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Handling;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Handling {
        *self.0.parts.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.into_parts().0);
        Handling(Arc::clone(&self.0))
    }
}

/// Is polled only when the test has answered.
impl Future for Handling {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(taken(&self.0.response).expect("the test has answered")))
    }
}

/// Shows no id.
impl fmt::Debug for TestRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRequest").field("uri", &self.parts.uri).finish_non_exhaustive()
    }
}
