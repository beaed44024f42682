use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::StoreError;

/// Bounds an operation of a store.
pub(super) async fn within<T>(
    limit: Duration,
    store: &'static str,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut operation = std::pin::pin!(operation);
    // A store that answers at once needs no timer, and without a runtime there is none.
    let first = std::future::poll_fn(|context| Poll::Ready(operation.as_mut().poll(context))).await;
    if let Poll::Ready(answer) = first {
        return answer;
    }
    if Handle::try_current().is_err() {
        return operation.await;
    }
    match tokio::time::timeout(limit, operation).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::timed_out(store, limit)),
    }
}
