use crate::error::Error;
use crate::id::PresentedIds;

use super::drive::{drive, drive_now};
use super::state::Operation;
use super::visit::Visit;

impl Visit {
    /// Looks up the session of the first presented id that has one. Only the first call asks the store. Returns the
    /// generation of the session that the visit has then.
    pub(crate) async fn load(&self, presented: &PresentedIds) -> Result<Option<u32>, Error> {
        if let Some(loaded) = self.load_now(presented) {
            return loaded;
        }
        let _turn = self.turn().await;
        if !self.is_opened() {
            let mut operation = Operation::open(presented);
            drive(self, &mut operation, &mut None).await?;
            self.note_opened();
            let is_use_due = self.0.state.lock().take_due_use();
            if is_use_due {
                self.start_noting_use(operation.now());
            }
        }
        Ok(self.0.state.lock().present())
    }

    /// [`load`](Visit::load) where that needs no waiting: `None` if it does.
    pub(crate) fn load_now(&self, presented: &PresentedIds) -> Option<Result<Option<u32>, Error>> {
        self.note_asked_for();
        let mut state = self.0.state.lock();
        if self.is_opened() {
            return Some(Ok(state.present()));
        }
        state.carried = presented.carried();
        if state.turn_is_taken {
            return None;
        }
        let mut operation = Operation::open(presented);
        match drive_now(self.environment(), &mut state, &mut operation)? {
            Ok(_) => {
                self.note_opened();
                let (present, is_use_due) = (state.present(), state.take_due_use());
                self.unlock(state);
                if is_use_due {
                    self.start_noting_use(operation.now());
                }
                Some(Ok(present))
            }
            Err(error) => {
                self.unlock(state);
                Some(Err(error))
            }
        }
    }
}
