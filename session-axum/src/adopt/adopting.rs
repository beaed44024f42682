use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use http::request::Parts;
use session_core::internals::{OldSession, causes};
use session_core::{Committed, Error, Session, SessionManager, Visit};
use tokio::sync::OnceCell;
use tower_cookies::Cookie;

use super::adoption::Adoption;

/// What one request does about the old sessions that it presents.
#[derive(Default)]
pub(crate) struct Adopting {
    /// Read once, by the first extractor.
    presented: OnceLock<Vec<OldSession>>,
    /// Set when it is known whether there is anything to be taken over. Not after a failure, so that no extractor takes a
    /// visitor for a stranger because another one could not ask the old store.
    is_done: OnceCell<()>,
    has_adopted: AtomicBool,
    removes_cookie: AtomicBool,
}

impl Adopting {
    /// Reads the old cookies of the request.
    pub(crate) fn read(&self, parts: &Parts, adoption: &Adoption, sessions: &SessionManager) {
        self.presented.get_or_init(|| adoption.presented(&parts.headers, sessions.audience(), sessions.now()));
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_done.initialized()
    }

    /// Whether the request presents old sessions, in a way in which they count.
    pub(crate) fn has_old(&self, visit: &Visit) -> bool {
        !self.old().is_empty() && !visit.is_by_bearer()
    }

    fn old(&self) -> &[OldSession] {
        self.presented.get().map_or(&[], Vec::as_slice)
    }

    /// Whether something is to be done at a store after the visit was opened with this outcome.
    pub(crate) fn is_due(&self, visit: &Visit, opened: Option<&Session>) -> bool {
        !self.is_done()
            && match opened {
                Some(_) => visit.is_new_id_to_be_noted(),
                None => self.has_old(visit),
            }
    }

    /// The session of an opened visit: its own, or that of an old one.
    pub(crate) async fn opened(
        &self,
        visit: &Visit,
        adoption: &Adoption,
        opened: Option<Session>,
    ) -> Result<Option<Session>, Error> {
        let done = self.is_done.get_or_try_init(|| async {
            match &opened {
                Some(_) => note_new_id_is_known(visit).await,
                None if self.has_old(visit) => self.adopt(visit, adoption).await?,
                None => {}
            }
            Ok::<_, Error>(())
        });
        done.await?;
        Ok(visit.session())
    }

    async fn adopt(&self, visit: &Visit, adoption: &Adoption) -> Result<(), Error> {
        for old in self.old() {
            if visit.adopt(old, &|| adoption.load(old)).await?.is_some() {
                self.has_adopted.store(true, Ordering::Relaxed);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Commits the visit, and then ends the old sessions that are to end.
    pub(crate) async fn commit(&self, visit: &Visit, adoption: &Adoption) -> Result<Committed, Error> {
        let is_ending = visit.is_ending();
        let committed = visit.commit().await?;
        let is_told = matches!(committed, Committed::Issue(_));
        if is_ending {
            return self.end_all(visit, adoption, committed).await;
        }
        if is_told && visit.has_started() {
            // A login has replaced the session that an old one had become.
            let ended = self.end_each(visit, adoption).await;
            self.note_ended(adoption, ended);
        } else if is_told && self.has_adopted() && !adoption.is_rolling() {
            self.removes_cookie.store(true, Ordering::Relaxed);
            for old in self.old() {
                let ended = visit.end_in_old_store(&|| adoption.end(old)).await;
                self.note_ended(adoption, ended.map(|()| true));
            }
        }
        Ok(committed)
    }

    /// A logout. If it fails, the client is told, and tries again.
    async fn end_all(&self, visit: &Visit, adoption: &Adoption, committed: Committed) -> Result<Committed, Error> {
        if !self.end_each(visit, adoption).await? {
            return Ok(committed);
        }
        self.removes_cookie.store(true, Ordering::Relaxed);
        Ok(match committed {
            // The session that the old one had become was known by the old id alone.
            Committed::Unchanged => Committed::Forget,
            other => other,
        })
    }

    /// Whether there was one.
    async fn end_each(&self, visit: &Visit, adoption: &Adoption) -> Result<bool, Error> {
        let mut was_there = false;
        for old in self.old() {
            was_there |= visit.end_old(old, &|| adoption.load(old), &|| adoption.end(old)).await?;
        }
        Ok(was_there)
    }

    /// The response is right without it.
    fn note_ended(&self, adoption: &Adoption, ended: Result<bool, Error>) {
        match ended {
            Ok(was_there) => {
                self.removes_cookie.fetch_or(was_there, Ordering::Relaxed);
            }
            Err(error) => {
                let Some(times) = adoption.end_failed.due() else { return };
                let causes = causes(&error);
                tracing::warn!(
                    times,
                    %error,
                    causes,
                    "a session of another library was taken over and could not be ended there; until it expires there, its \
                     old cookie still opens the session"
                );
            }
        }
    }

    /// Whether this request has made a session of an old one, or found the one that another has made.
    pub(crate) fn has_adopted(&self) -> bool {
        self.has_adopted.load(Ordering::Relaxed)
    }

    /// The cookie that removes the old one, if that is over.
    pub(crate) fn removal(&self, adoption: &Adoption) -> Option<Cookie<'static>> {
        self.removes_cookie.load(Ordering::Relaxed).then(|| adoption.removal())
    }
}

/// If that fails, the old id leads to the session for the rest of its 60 s.
async fn note_new_id_is_known(visit: &Visit) {
    if let Err(error) = visit.note_new_id_is_known().await {
        let causes = causes(&error);
        tracing::debug!(%error, causes, "it could not be noted that a client has presented its new session id");
    }
}
