use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::clock::background;
use crate::error::StoreError;

/// Bounds how long an operation of a store may take. Without a tokio runtime there is no timer and so no bound.
pub(crate) async fn within<T>(
    limit: Duration,
    store: &'static str,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut operation = pin!(operation);
    // A store that answers at once needs no timer, and so no runtime.
    let first = poll_fn(|context| Poll::Ready(operation.as_mut().poll(context))).await;
    if let Poll::Ready(answer) = first {
        return answer;
    }
    let answer = background::timeout(limit, operation).await;
    answer.unwrap_or_else(|| Err(StoreError::timed_out(store, limit)))
}
