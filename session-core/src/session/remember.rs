use std::time::Duration;

use crate::error::Error;
use crate::visit::Gains;

use super::session::Session;
use super::timeout::checked_timeout;

impl Session {
    /// Remembers the user on this browser for this time from now on: the session lives for as long, used or not, and its
    /// cookie survives closing the browser. At a login, use
    /// [`NewSession::remember`](super::NewSession::remember).
    ///
    /// The session gets a new id, as by [`renew_id`](Session::renew_id), and only that one has the later deadline: an id that
    /// was stolen before ends with the old one at the latest. It does not become [fresh](Session::is_fresh).
    ///
    /// # Errors
    ///
    /// As [`renew_id`](Session::renew_id); also [`Error::Config`] if the time is below 1 ms.
    pub fn remember(&self, time: Duration) -> Result<(), Error> {
        let time = checked_timeout(time, "remember")?;
        let environment = self.visit().environment();
        let (id, until) = (environment.draw_id()?, environment.now().saturating_add(time));
        let mut state = self.renewable()?;
        state.renew_with(id, Gains { absolute_deadline: Some(Some(until)), ..Gains::default() });
        state.change(|changes| {
            changes.idle_timeout = Some(time);
            changes.persistent = Some(true);
        });
        Ok(())
    }

    /// Ends [`remember`](Session::remember): from now on the session has the timeouts of the manager, as if it started
    /// now, and its cookie ends with the browser. Its absolute deadline is never later than before. It gets a new id, as by
    /// [`renew_id`](Session::renew_id), and fails as that does.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use session_core::{Error, MemoryStore, NewSession, SessionManager};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// # let sessions = SessionManager::new(MemoryStore::new());
    /// const MONTH: Duration = Duration::from_secs(30 * 86_400);
    ///
    /// let session = sessions.create(NewSession::new().principal("ann").remember(MONTH)).await?;
    /// assert_eq!(session.idle_timeout(), MONTH);
    ///
    /// session.stop_remembering()?;
    /// session.save().await?;
    /// assert_eq!((session.idle_timeout(), session.persistent()), (Duration::from_secs(1800), false));
    /// # Ok(()) }
    /// ```
    pub fn stop_remembering(&self) -> Result<(), Error> {
        let environment = self.visit().environment();
        let (id, lifetime) = (environment.draw_id()?, environment.lifetime);
        let from_now = lifetime.absolute_timeout.map(|timeout| environment.now().saturating_add(timeout));
        let mut state = self.renewable()?;
        let before = state.view().and_then(|record| record.absolute_deadline);
        let deadline = from_now.into_iter().chain(before).min();
        state.renew_with(id, Gains { absolute_deadline: Some(deadline), ..Gains::default() });
        state.change(|changes| {
            changes.idle_timeout = Some(lifetime.idle_timeout);
            changes.persistent = Some(false);
        });
        Ok(())
    }
}
