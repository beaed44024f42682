use std::sync::Arc;

use crate::error::StoreError;
use crate::record::{Audience, RecordKey};

/// Something to report to observers, counters and the log as soon as the state's lock is free.
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
        /// Another session replaced it.
        started: bool,
    },
    Ended {
        key: RecordKey,
        /// Of the session that ended, if that was loaded.
        principal: Option<Arc<str>>,
    },
    RejectedId,
    /// A session was presented that is bound to a device, without a proof of it. With whether it was only reported.
    DeviceRefused {
        key: RecordKey,
        principal: Option<Arc<str>>,
        is_reported: bool,
    },
    /// Such a session was opened without a proof, because its browser had to skip that.
    DeviceSkipped {
        key: RecordKey,
        principal: Option<Arc<str>>,
    },
    /// A later release says that the session must not be used without something that this one does not know.
    BeyondUs {
        key: RecordKey,
    },
    /// An id was presented that is for this audience, and not for the manager's.
    OtherAudience(Audience),
    Conflict,
    /// Changes were dropped, because the session had ended when they were to be saved.
    LostChanges {
        key: RecordKey,
    },
    StoreFailed,
    /// A touch failed. That is no reason to fail the request.
    TouchFailed {
        key: RecordKey,
        error: StoreError,
    },
    /// The limit of sessions per principal could not be enforced. The login succeeds, and the next one tries again.
    LimitFailed(StoreError),
    /// A new id could not be offered. The session goes on under the old one, and another request tries again.
    OfferFailed(StoreError),
}
