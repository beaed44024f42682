use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::error::StoreError;
use crate::time::background;

/// Fails an operation of a store that takes longer than `limit`, and drops its future. Without a tokio runtime
/// there is no timer and so no limit.
pub(crate) async fn within<T>(
    limit: Duration,
    store: &'static str,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut operation = pin!(operation);
    // Polled once before a timer is made: a store that answers at once needs no runtime.
    let first = poll_fn(|context| Poll::Ready(operation.as_mut().poll(context))).await;
    if let Poll::Ready(answer) = first {
        return answer;
    }
    let answer = background::timeout(limit, operation).await;
    answer.unwrap_or_else(|| Err(StoreError::timed_out(store, limit)))
}
