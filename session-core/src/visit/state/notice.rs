use std::sync::Arc;

use crate::error::StoreError;
use crate::record::RecordKey;

/// Something to be reported once the state's lock is free: to observers, counters and the log.
#[derive(Debug)]
pub(crate) enum Notice {
    Created {
        key: RecordKey,
        principal: Option<Arc<str>>,
    },
    Renewed {
        from: RecordKey,
        to: RecordKey,
        principal: Option<Arc<str>>,
    },
    Ended {
        key: RecordKey,
    },
    RejectedId,
    /// A later release says that the session must not be used without something that this one does not know.
    BeyondUs {
        key: RecordKey,
    },
    Conflict,
    StoreFailed,
    /// Activity that can't be noted is no reason to fail a request.
    TouchFailed {
        key: RecordKey,
        error: StoreError,
    },
    /// The login stands; the next one tries again.
    LimitFailed(StoreError),
}
