//! A session of another library is taken over: the visit finds it as if the client had presented its id.

use crate::error::Error;
use crate::id::SessionId;
use crate::record::Record;

use super::drive::drive;
use super::state::Operation;
use super::visit::Visit;

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
