use std::convert::Infallible;
use std::fmt;
use std::future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum_core::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use session_core::{ConfigError, SessionManager};
use subtle::ConstantTimeEq;
use tower_service::Service;

use crate::error::SessionError;
use crate::http_headers::forbid_storing;
use crate::transport::header::bearer_token;

/// A service that purges expired sessions when a cron job asks for it.
///
/// It is for servers that sleep between requests, and so purge nothing in the background.
///
/// ```
/// # use axum::Router;
/// # use session_axum::{ConfigError, PurgeService, SessionManager};
/// fn jobs(sessions: SessionManager, secret: &str) -> Result<Router, ConfigError> {
///     Ok(Router::new().route_service("/purge", PurgeService::new(sessions, secret)?))
/// }
/// ```
///
/// The job sends a request of any method with `Authorization: Bearer SECRET`. Expired sessions are
/// deleted in batches until none are left, or until the [time limit](PurgeService::time_limit) is over.
/// The answer is `{"completed":true,"purged":3}`. `purged` counts the deleted sessions; `completed` is
/// false if some may be left. The status is 503 if the store failed, and 401 if the secret is wrong.
#[derive(Clone)]
pub struct PurgeService {
    sessions: SessionManager,
    secret: Arc<[u8]>,
    time_limit: Duration,
}

impl PurgeService {
    /// The default of [`time_limit`](PurgeService::time_limit): 8 minutes.
    pub const TIME_LIMIT: Duration = Duration::from_secs(8 * 60);

    /// A service for jobs that know this secret.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the secret is empty, as it is if a variable of the environment was forgotten. Also if it
    /// has blanks or a line break around it, as a file has at its end, or characters other than visible ASCII: no job
    /// could send it.
    pub fn new(sessions: SessionManager, secret: &str) -> Result<Self, ConfigError> {
        if secret.is_empty() {
            return Err(ConfigError::new(
                "the `secret` of the purge service is empty; give at least 16 random characters",
            ));
        }
        if secret.trim() != secret || !secret.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(ConfigError::new(
                "the `secret` of the purge service has blanks or line breaks around it, or a character that is not \
                 visible ASCII, which no job can send in a header; trim it",
            ));
        }
        Ok(PurgeService { sessions, secret: secret.as_bytes().into(), time_limit: PurgeService::TIME_LIMIT })
    }

    /// How long one request goes on to begin batches. Default: 8 minutes.
    ///
    /// Give less than the time after which the job gives up. With zero one batch is deleted.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    fn is_presented(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        value.and_then(bearer_token).is_some_and(|token| self.secret.ct_eq(token).into())
    }

    async fn purge(self) -> Response {
        let (start, mut purged) = (Instant::now(), 0);
        loop {
            // One batch a call, so that what was purged before a failure is known.
            match self.sessions.purge_expired(Duration::ZERO).await {
                Ok(batch) => {
                    purged += batch.expired;
                    if !batch.more || start.elapsed() >= self.time_limit {
                        return report(StatusCode::OK, !batch.more, purged);
                    }
                }
                Err(error) => {
                    SessionError::from(error).log();
                    return report(StatusCode::SERVICE_UNAVAILABLE, false, purged);
                }
            }
        }
    }
}

fn report(status: StatusCode, completed: bool, purged: u64) -> Response {
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (status, json, format!("{{\"completed\":{completed},\"purged\":{purged}}}")).into_response();
    forbid_storing(response.headers_mut());
    response
}

impl<B> Service<Request<B>> for PurgeService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.is_presented(request.headers()) {
            let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
            let refused = (StatusCode::UNAUTHORIZED, challenge, "The secret is needed.").into_response();
            return Box::pin(future::ready(Ok(refused)));
        }
        let service = self.clone();
        Box::pin(async move { Ok(service.purge().await) })
    }
}

impl fmt::Debug for PurgeService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PurgeService").field("time_limit", &self.time_limit).finish_non_exhaustive()
    }
}
