use std::cell::Cell;
use std::future::Future;
#[cfg(feature = "device-bound")]
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum_core::BoxError;
use axum_core::body::Body;
#[cfg(feature = "device-bound")]
use axum_core::response::IntoResponse;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use session_core::{Committed, Error, StoreError};
use tokio::task::JoinHandle;
use tower_service::Service;

#[cfg(feature = "device-bound")]
use crate::device_bound::{Place, serve};
use crate::error::HandlerFailed;
#[cfg(feature = "device-bound")]
use crate::error::SessionError;
use crate::noted::Noted;
use crate::save_on::SaveOn;
use crate::settings::Settings;
use crate::slot::Slot;

/// A service that gives the requests to another their sessions: what
/// [`SessionLayer`](crate::SessionLayer) makes.
#[derive(Clone)]
pub struct SessionService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> SessionService<S> {
    pub(crate) fn new(inner: S, settings: Arc<Settings>) -> Self {
        SessionService { inner, settings }
    }

    /// Makes the place for this request's session. `None` if the next layer outside is the same as this one.
    fn slot<B>(&self, request: &mut Request<B>) -> Option<Slot> {
        if let Some(outer) = request.extensions().get::<Slot>() {
            if outer.settings().is_same(&self.settings) {
                if let Some(mark) = self.settings.mark {
                    mark(request.extensions_mut());
                }
                return None;
            }
            self.settings.warn_of(outer.settings());
        }
        Some(Slot::put_into(request, &self.settings))
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if self.settings.needs_requests { self.call_and_note(request) } else { self.call_with(request, |_, _| None) }
    }
}

impl<S> SessionService<S> {
    /// Calls the next service, with a place for the session in the request. What `note` gives is kept for the response.
    #[inline(always)]
    fn call_with<B>(
        &mut self,
        mut request: Request<B>,
        note: impl FnOnce(&Request<B>, &Settings) -> Option<Box<Noted>>,
    ) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>>,
    {
        let slot = self.slot(&mut request);
        let noted = slot.as_ref().and_then(|_| note(&request, &self.settings));
        ResponseFuture { handler: Some(self.inner.call(request)), slot, noted, waiting: None }
    }

    /// A function of its own, so that other requests don't pay for it.
    #[inline(never)]
    fn call_and_note<B>(&mut self, request: Request<B>) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>>,
    {
        #[cfg(feature = "device-bound")]
        let request = match self.of_browser(request) {
            ControlFlow::Break(answer) => return ResponseFuture::answered_by_layer(answer),
            ControlFlow::Continue(request) => request,
        };
        self.call_with(request, |request, settings| Some(Box::new(Noted::of(request, settings))))
    }
}

#[cfg(feature = "device-bound")]
impl<S> SessionService<S> {
    /// The answer to what a browser asks of the layer itself, or else the request.
    fn of_browser<B>(&self, request: Request<B>) -> ControlFlow<Answering, Request<B>> {
        let binder = self.settings.binder.as_ref();
        let Some(endpoint) = binder.and_then(|binder| binder.endpoint(request.method(), request.uri().path())) else {
            return ControlFlow::Continue(request);
        };
        let place = Place::of(&request);
        let (parts, body) = request.into_parts();
        match serve(&self.settings, endpoint, &parts, place) {
            Some(answering) => ControlFlow::Break(Box::pin(answering)),
            None => ControlFlow::Continue(Request::from_parts(parts, body)),
        }
    }
}

#[cfg(feature = "device-bound")]
type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

#[cfg(feature = "device-bound")]
impl<F> ResponseFuture<F> {
    /// A response that the layer gives itself. What it does goes on if the client hangs up.
    fn answered_by_layer(answering: Answering) -> Self {
        let waiting = Some(Box::new(Waiting::Layer(tokio::spawn(answering))));
        ResponseFuture { handler: None, slot: None, noted: None, waiting }
    }
}

type Outcome = Result<Committed, Error>;

thread_local! {
    /// How many handlers are being polled on this thread, one inside the other.
    static POLLED: Cell<u32> = const { Cell::new(0) };
}

/// The time in which a handler is polled, also if it panics.
pub(crate) struct Polling;

impl Polling {
    fn begin() -> Self {
        POLLED.set(POLLED.get() + 1);
        Polling
    }

    /// Whether this thread is polling a handler.
    pub(crate) fn is_under_way() -> bool {
        POLLED.get() > 0
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        POLLED.set(POLLED.get() - 1);
    }
}

/// What a response waits for.
enum Waiting {
    /// The handler, which waits for something else. Meanwhile the use of its session is kept up. `None` if that is not
    /// needed any more.
    Handler(Option<Pin<Box<dyn Future<Output = ()> + Send>>>),
    Commit(Commit),
    /// The layer's own answer to a browser.
    #[cfg(feature = "device-bound")]
    Layer(JoinHandle<Response<Body>>),
}

/// A commit that waits for the store, and the response that waits for the commit.
struct Commit {
    slot: Slot,
    task: JoinHandle<Outcome>,
    response: Response<Body>,
}

/// Keeps the session of a handler that goes on waiting from expiring under it.
fn keep_in_use(waiting: &mut Option<Box<Waiting>>, slot: Option<&Slot>, context: &mut Context<'_>) {
    if waiting.is_none()
        && let Some(slot) = slot.filter(|slot| slot.visit().is_opened())
    {
        let keeping = slot.visit().keep_in_use().map(|keeping| Box::pin(keeping) as _);
        *waiting = Some(Box::new(Waiting::Handler(keeping)));
    }
    if let Some(Waiting::Handler(kept)) = waiting.as_deref_mut()
        && let Some(keeping) = kept
        && keeping.as_mut().poll(context).is_ready()
    {
        *kept = None;
    }
}

pin_project! {
    /// The future of a [`SessionService`]'s response.
    pub struct ResponseFuture<F> {
        // `None` where the layer itself answers.
        #[pin]
        handler: Option<F>,
        // Until the handler has returned.
        slot: Option<Slot>,
        noted: Option<Box<Noted>>,
        // On the heap, as most responses are there at once.
        waiting: Option<Box<Waiting>>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        /// The handler was cancelled, so nothing that it did counts.
        fn drop(this: Pin<&mut Self>) {
            if let Some(slot) = this.project().slot.take() {
                slot.visit().close();
            }
        }
    }
}

impl<F, ResBody, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResBody>, E>>,
    ResBody: http_body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(handler) = this.handler.as_pin_mut() else { return poll_layer(this.waiting, context).map(Ok) };
        if !matches!(this.waiting.as_deref(), Some(Waiting::Commit(_))) {
            let polled = {
                let _polling = Polling::begin();
                handler.poll(context)
            };
            let Poll::Ready(response) = polled else {
                keep_in_use(this.waiting, this.slot.as_ref(), context);
                return Poll::Pending;
            };
            *this.waiting = None;
            let mut response = response?.map(Body::new);
            let Some(mut slot) = this.slot.take() else { return Poll::Ready(Ok(response)) };
            slot.improve(&mut response, this.noted.as_deref());
            if !slot.visit().is_asked_for() {
                slot.visit().close();
                return Poll::Ready(Ok(response));
            }
            drop_what_failed(&slot, &mut response);
            match commit(&mut slot, &mut response, this.noted.as_deref(), context) {
                None => return Poll::Ready(Ok(response)),
                Some(task) => *this.waiting = Some(Box::new(Waiting::Commit(Commit { slot, task, response }))),
            }
        }
        let Some(Waiting::Commit(Commit { slot, task, response })) = this.waiting.as_deref_mut() else {
            unreachable!("there is a commit to wait for")
        };
        let outcome = ready!(Pin::new(task).poll(context));
        let outcome = outcome.unwrap_or_else(|panic| Err(StoreError::refused("commit", panic).into()));
        settle(slot, outcome, response, this.noted.as_deref());
        Poll::Ready(Ok(std::mem::take(response)))
    }
}

/// The layer's own answer.
#[cold]
fn poll_layer(waiting: &mut Option<Box<Waiting>>, context: &mut Context<'_>) -> Poll<Response<Body>> {
    #[cfg(feature = "device-bound")]
    if let Some(Waiting::Layer(answering)) = waiting.as_deref_mut() {
        let answer = ready!(Pin::new(answering).poll(context));
        return Poll::Ready(
            answer
                .unwrap_or_else(|panic| SessionError::from(StoreError::refused("device_bound", panic)).into_response()),
        );
    }
    let (_, _) = (waiting, context);
    unreachable!("without a handler, the layer answers")
}

/// Drops what a handler collected that did not do what it meant, and what no response can tell its client.
#[inline]
fn drop_what_failed(slot: &Slot, response: &mut Response<Body>) {
    if response.extensions().get::<HandlerFailed>().is_some() {
        slot.visit().discard();
    }
    let status = response.status();
    // A response that switches protocols is the last one of HTTP, so its headers count.
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        slot.visit().discard();
        *response = no_final_response(status);
    }
    if status.as_u16() >= 400 && slot.settings().save_on == SaveOn::Success {
        slot.visit().discard_changes();
    }
}

#[cold]
fn no_final_response(status: StatusCode) -> Response<Body> {
    tracing::error!(
        %status,
        "a handler answered with an informational status, which is no final response; what it changed in its session is \
         dropped"
    );
    let mut response = Response::new(Body::from("Internal server error."));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Commits what the handler did. A commit that has to wait becomes a task, so that it goes on when the
/// client hangs up and the response's future is dropped.
fn commit(
    slot: &mut Slot,
    response: &mut Response<Body>,
    noted: Option<&Noted>,
    context: &mut Context<'_>,
) -> Option<JoinHandle<Outcome>> {
    let mut commit: Pin<Box<dyn Future<Output = Outcome> + Send>> = match slot.commit_with_old() {
        Some(commit) => Box::pin(commit),
        None => {
            if let Some(outcome) = slot.visit_mut().commit_now() {
                settle(slot, outcome, response, noted);
                return None;
            }
            let visit = slot.visit().clone();
            Box::pin(async move { visit.commit().await })
        }
    };
    match commit.as_mut().poll(context) {
        Poll::Ready(outcome) => settle(slot, outcome, response, noted),
        Poll::Pending => return Some(tokio::spawn(commit)),
    }
    None
}

#[inline(always)]
fn settle(slot: &mut Slot, outcome: Outcome, response: &mut Response<Body>, noted: Option<&Noted>) {
    match outcome {
        Ok(ref committed) => {
            if matches!(committed, Committed::Unchanged) {
                slot.tell_of_lost_changes(response, noted);
            }
            slot.tell(response, committed, noted);
        }
        Err(error) => *response = slot.failed(error, noted),
    }
}
