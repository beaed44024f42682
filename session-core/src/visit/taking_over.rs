//! A session of another library is taken over: the visit finds it as if the client had presented its id.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::error::Error;
use crate::id::SessionId;
use crate::record::Record;
use crate::time::Time;

use super::drive::drive;
use super::state::Operation;
use super::visit::Visit;

/// Until when sessions of other libraries may be taken over. A layer that does so says it, after the manager was made.
pub(crate) struct OldSessions(AtomicI64);

impl OldSessions {
    const NONE: i64 = i64::MIN;

    /// Notes that old sessions are taken over until then, perhaps beside others.
    pub(crate) fn expect_until(&self, until: Time) {
        self.0.fetch_max(until.unix_millis(), Ordering::Relaxed);
    }

    /// `None` if none are. [`Time::MAX`] if nobody has set an end.
    pub(crate) fn until(&self) -> Option<Time> {
        match self.0.load(Ordering::Relaxed) {
            OldSessions::NONE => None,
            until => Some(Time::from_unix_millis(until)),
        }
    }
}

impl Default for OldSessions {
    fn default() -> Self {
        OldSessions(AtomicI64::new(OldSessions::NONE))
    }
}

impl Visit {
    /// Gives the visit a session that is in the store, and whose id the client is to be told. One that `is_new` counts for
    /// the limit of its principal, so others may have to end, or this one.
    pub(crate) async fn take_over(&self, id: &SessionId, record: Record, is_new: bool) -> Result<(), Error> {
        let environment = self.environment();
        let _turn = self.turn().await;
        self.0.state.lock().taken_over(id, record, environment.now());
        if let Some(limit) = environment.max_sessions_per_principal.filter(|_| is_new) {
            drive(self, &mut Operation::enforce(limit), &mut None).await?;
        }
        Ok(())
    }
}
