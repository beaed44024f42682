use crate::error::Error;
use crate::event::Event;
use crate::record::RecordKey;
use crate::store::Renewed;
use crate::time::Time;
use crate::visit::{Environment, Visit};

use super::adopt::end_of;
use super::notes::{Attempts, Notes, SERVES_FOR, note};
use super::old_session::{EndOld, LoadOld, OLD_STORE, OldSession};

impl Visit {
    /// Ends an old session: the one that it has become, and itself in the old store. From then on it becomes none, whoever
    /// has asked the old store for it already. Returns whether there was any of both.
    ///
    /// Writes nothing for an id that the old store does not have.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the old store or the store failed; calling it again is safe. [`Error::Conflict`] if others were
    /// faster at each of 30 attempts.
    pub async fn end_old(&self, old: &OldSession, load: &LoadOld<'_>, end: &EndOld<'_>) -> Result<bool, Error> {
        let environment = self.environment();
        let notes = Notes { environment, old };
        let loaded = environment.store.elsewhere(OLD_STORE, load).await?;
        let was_loaded = loaded.is_some();
        if let Some(new) = loaded.filter(|new| !new.is_over(environment.now())) {
            let record = new.started(environment)?.record;
            notes.close(end_of(&record, environment.now())).await?;
        }
        let has_ended = notes.end_what_it_became().await?;
        if was_loaded {
            self.end_in_old_store(end).await?;
        }
        Ok(was_loaded || has_ended)
    }

    /// Ends an old session in the old store alone, with the time limit and the retries of our own.
    pub async fn end_in_old_store(&self, end: &EndOld<'_>) -> Result<(), Error> {
        Ok(self.environment().store.elsewhere(OLD_STORE, end).await?)
    }
}

impl Notes<'_> {
    /// Ends the session to which the note at the place leads. Not by ending the place itself: a request that comes too late
    /// may have reserved it for a moment, and that reservation would end instead.
    async fn end_what_it_became(&self) -> Result<bool, Error> {
        let (Environment { store, events, .. }, mut attempts) = (self.environment, Attempts::new());
        let mut has_ended = false;
        while let Some(record) = store.follow(&self.old.place(), self.environment.now()).await? {
            attempts.next().await?;
            if let Some(handle) = store.end(&record.key).await? {
                events.emit(Event::Ended { handle: &handle, principal: record.principal.as_deref() });
                has_ended = true;
            }
        }
        Ok(has_ended)
    }

    /// Leaves a moved note at the place that leads nowhere, unless there is one.
    async fn close(&self, until: Time) -> Result<(), Error> {
        let (store, mut attempts) = (&self.environment.store, Attempts::new());
        loop {
            let attempt = attempts.next().await?;
            if self.is_over().await? {
                return Ok(());
            }
            let Some(reserved) = self.reserve(attempt).await? else { continue };
            let mut nowhere = [0; 32];
            self.environment.random.fill(&mut nowhere)?;
            let record = note(self.environment, RecordKey::from_bytes(nowhere), SERVES_FOR)?;
            if store.renew(&self.old.place(), reserved, &record, Some(until)).await? == Renewed::Done {
                store.delete(&record.key).await?;
                return Ok(());
            }
        }
    }
}
