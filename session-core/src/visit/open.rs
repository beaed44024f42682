use crate::error::Error;
use crate::id::PresentedIds;

use super::drive::{drive, drive_now};
use super::state::Operation;
use super::visit::Visit;

impl Visit {
    /// Loads the session of the first presented id that has one; only once, however often called.
    pub(crate) async fn load(&self, presented: &PresentedIds) -> Result<(), Error> {
        if let Some(loaded) = self.load_now(presented) {
            return loaded;
        }
        let _turn = self.turn().await;
        if self.is_opened() {
            return Ok(());
        }
        drive(self, &mut Operation::open(presented), &mut None).await?;
        self.note_opened();
        Ok(())
    }

    /// [`load`](Visit::load) where that needs no waiting: `None` if it does.
    pub(crate) fn load_now(&self, presented: &PresentedIds) -> Option<Result<(), Error>> {
        self.note_asked_for();
        let mut state = self.0.state.lock();
        if self.is_opened() {
            return Some(Ok(()));
        }
        if state.turn_is_taken {
            return None;
        }
        let loaded = drive_now(self.environment(), &mut state, &mut Operation::open(presented))?;
        if loaded.is_ok() {
            self.note_opened();
        }
        let notices = state.take_notices();
        drop(state);
        self.environment().report(notices);
        Some(loaded.map(drop))
    }
}
