//! The use of a session counts from the moment at which a request loads it. A touch that is due runs beside the
//! handler, and a long request repeats it.

use crate::time::Time;
use crate::time::background;

use super::drive::ready;
use super::state::{NewId, State};
use super::visit::Visit;

impl Visit {
    /// Notes the use of the session that was just loaded, without waiting for it.
    #[cold]
    pub(super) fn start_noting_use(&self, now: Time) {
        let visit = self.clone();
        let noting = async move { visit.note_use(now).await };
        let is_under_way = match self.environment().store.never_waits() {
            true => ready(noting).is_some(),
            false => background::spawn(noting).is_some(),
        };
        if !is_under_way {
            self.0.state.lock().put_back_due_use();
        }
    }

    async fn note_use(&self, now: Time) {
        let environment = self.environment();
        // Closing waits for it, as for a commit.
        let _under_way = environment.commits.read().await;
        let Some(key) = self.0.state.lock().stored_key().copied() else { return };
        let noted = environment.store.touch(&key, now).await;
        let mut state = self.0.state.lock();
        state.use_noted(now, noted);
        self.unlock(state);
    }

    /// Keeps the session of a long request from expiring under it, while the future is polled: notes its use once more
    /// shortly before its idle timeout is over. So the session lives for one more idle timeout at most, and never past
    /// its absolute deadline.
    ///
    /// `None` if that is not needed, because no session is open.
    pub fn keep_in_use(&self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let pause = self.0.state.lock().next_use(self.environment().now())?;
        let visit = self.clone();
        Some(async move {
            background::pause(pause).await;
            visit.note_use(visit.environment().now()).await;
        })
    }

    /// Whether changes were dropped because the session had ended when they were to be saved.
    pub fn has_lost_changes(&mut self) -> bool {
        self.look(State::has_lost_changes)
    }

    /// Whether the client gets the id of a session that was started and stored in this visit.
    pub fn has_started(&self) -> bool {
        self.0.state.lock().new_id() == Some(NewId::Started)
    }

    /// Whether the session of this visit has a new id that is stored: by [`Session::renew_id`](crate::session::Session::renew_id),
    /// by a new authentication, or because a periodic renewal was due.
    pub fn has_renewed(&self) -> bool {
        self.0.state.lock().new_id() == Some(NewId::Renewed)
    }
}
