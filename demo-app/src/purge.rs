use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, debug_handler};
use serde_json::{Value, json};
use session_core::SessionManager;

/// How long one call may take, as a job of a scheduler ends soon after.
const TIME_LIMIT: Duration = Duration::from_secs(8 * 60);

/// Deletes expired sessions, for a cron job: `curl -H "Authorization: Bearer TOKEN" …/demo/purge`.
///
/// `completed` is false when the time was not enough or the store failed; `purged` counts in
/// either case.
#[debug_handler]
pub async fn purge(State(sessions): State<SessionManager>) -> (StatusCode, Json<Value>) {
    let (start, mut purged) = (sessions.now(), 0);
    loop {
        // One batch a call, so that what was purged before a failure is known.
        match sessions.purge_expired(Duration::ZERO).await {
            Ok(batch) => {
                purged += batch.expired;
                if !batch.more || sessions.now().since(start) >= TIME_LIMIT {
                    return (StatusCode::OK, Json(json!({ "completed": !batch.more, "purged": purged })));
                }
            }
            Err(error) => {
                tracing::error!(%error, "purging stopped");
                return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "completed": false, "purged": purged })));
            }
        }
    }
}
