use std::fmt;
use std::future::Future;
use std::pin::Pin;

use axum_core::BoxError;
use http::HeaderMap;
use session_core::internals::{LogThrottle, OldSession};
use session_core::{ConfigError, NewSession, StoreError, Time};
use tower_cookies::Cookie;

use super::old_cookies::OldCookies;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Sessions of another library that visitors still have, and how they become sessions of ours: for
/// [`SessionLayerBuilder::adopt`](crate::SessionLayerBuilder::adopt).
///
/// Where a request presents no session of ours and has the other library's cookie, `load` is called with its value. What
/// it returns is stored as a session under a fresh id, before the handler runs. The response tells the client the id and
/// removes the old cookie, and `end` is called, which ends the session at the other library. Whoever is signed in stays
/// signed in.
///
/// - It happens only where a handler declares an extractor of a session. A request that has a session of ours is not
///   looked at any further.
/// - If `load` fails, the response is 503, nothing is stored, `end` is not called, and the client keeps its cookies. So return
///   an error for an old session that you do not understand. `Ok(None)` means that there is no such session.
/// - Requests at the same moment get one session, under one id. An old cookie that is presented again leads to that session
///   for 60 s, or until the client presents its new id. Then it leads to nothing.
/// - A logout ends the session, and the old one whose cookie the request carries. So does a login that replaces the session.
/// - Ending all sessions of a user ([`end_all_of`](session_core::SessionManager::end_all_of)) also refuses those that
///   were not taken over yet.
/// - A session that was taken over is not [`Fresh`](crate::Fresh), unless `load` says when the user was authenticated:
///   [`Authentication::at`](crate::Authentication::at).
///
/// `load` and `end` have the time limit and the attempts of the store, so each may be called several times. If `end` fails
/// after a session was taken over, the response leaves as it is and a warning is logged: the old session then lasts until
/// its own end. At a logout the response is 503, and the next attempt ends both.
///
/// ```
/// # async fn old_row(id: &str) -> Result<Option<(String, session_axum::Time)>, std::io::Error> { Ok(None) }
/// # async fn delete_old_row(id: &str) -> Result<(), std::io::Error> { Ok(()) }
/// # fn example() -> Result<session_axum::SessionLayer, session_axum::ConfigError> {
/// use session_axum::{Adoption, MemoryStore, NewSession, SessionLayer};
///
/// let adoption = Adoption::of_cookie(
///     "id",
///     async |id: String| {
///         let row = old_row(&id).await?;
///         Ok::<_, std::io::Error>(row.map(|(user, expires)| NewSession::new().principal(user).ends_at(expires)))
///     },
///     async |id: String| delete_old_row(&id).await,
/// );
/// SessionLayer::builder(MemoryStore::new()).adopt(adoption).build()
/// # }
/// ```
///
/// The repository has the code for tower-sessions and axum_session: `docs/guides/from-tower-sessions.md` and
/// `docs/guides/from-axum-session.md`.
#[must_use]
pub struct Adoption {
    cookies: OldCookies,
    load: Box<dyn Fn(String) -> Answer<Option<NewSession>> + Send + Sync>,
    end: Box<dyn Fn(String) -> Answer<()> + Send + Sync>,
    rolling_until: Option<Time>,
    pub(super) end_failed: LogThrottle,
}

impl Adoption {
    /// Takes over the sessions whose ids are in the cookie of this name.
    ///
    /// `load` gets the percent-decoded value, and returns what the session is to have. `end` gets the same value, and ends
    /// the session at the other library; it must not fail if there is none.
    pub fn of_cookie<L, E, Loading, Ending, LoadError, EndError>(name: impl Into<String>, load: L, end: E) -> Self
    where
        L: Fn(String) -> Loading + Send + Sync + 'static,
        E: Fn(String) -> Ending + Send + Sync + 'static,
        Loading: Future<Output = Result<Option<NewSession>, LoadError>> + Send + 'static,
        Ending: Future<Output = Result<(), EndError>> + Send + 'static,
        LoadError: Into<BoxError>,
        EndError: Into<BoxError>,
    {
        Adoption {
            cookies: OldCookies::new(name.into()),
            load: Box::new(move |id| {
                let loading = load(id);
                Box::pin(async move { loading.await.map_err(|error| failed(error.into())) })
            }),
            end: Box::new(move |id| {
                let ending = end(id);
                Box::pin(async move { ending.await.map_err(|error| failed(error.into())) })
            }),
            rolling_until: None,
            end_failed: LogThrottle::default(),
        }
    }

    /// The `Path` of the old cookie, without which it is not removed. Default: `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.cookies.set_path(path.into());
        self
    }

    /// The `Domain` of the old cookie, without which it is not removed. Default: none.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.cookies.set_domain(domain.into());
        self
    }

    /// How the old id is read from the cookie's percent-decoded value. Default: it is the value. `None` means that the value
    /// is no id, such as one whose signature is wrong; then nothing else is called.
    ///
    /// One old session must have one id, also if its cookie has another value each time, as an encrypted one does.
    pub fn opened_by(mut self, open: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.cookies.set_open(Box::new(open));
        self
    }

    /// The old cookie is signed with this key by the crate `cookie`, as those of tower-sessions and of tower-cookies are.
    /// Others are ignored.
    #[cfg(feature = "signed")]
    #[cfg_attr(docsrs, doc(cfg(feature = "signed")))]
    pub fn signed(self, key: tower_cookies::Key) -> Self {
        let name = self.cookies.name().to_owned();
        self.opened_by(move |value| {
            let jar = tower_cookies::cookie::CookieJar::new();
            let opened = jar.signed(&key).verify(Cookie::new(name.clone(), value.to_owned()));
            opened.map(|cookie| cookie.value().to_owned())
        })
    }

    /// The old cookie is encrypted with this key by the crate `cookie`, as those of tower-sessions and of tower-cookies are.
    /// Others are ignored.
    #[cfg(feature = "private")]
    #[cfg_attr(docsrs, doc(cfg(feature = "private")))]
    pub fn private(self, key: tower_cookies::Key) -> Self {
        let name = self.cookies.name().to_owned();
        self.opened_by(move |value| {
            let jar = tower_cookies::cookie::CookieJar::new();
            let opened = jar.private(&key).decrypt(Cookie::new(name.clone(), value.to_owned()));
            opened.map(|cookie| cookie.value().to_owned())
        })
    }

    /// Lets the old version of the application run beside the new one until this time ("rolling"). Default: old sessions
    /// end when they are taken over.
    ///
    /// Until then the old cookie stays, and the old session lasts: it is not ended when it is taken over, and can be
    /// presented again where the client has lost its new cookie. Within 60 s, and before the client presents its new id, that
    /// leads to the session under the same id. Later it gives the session another id, and the id before ends at once, before
    /// the other one is presented.
    ///
    /// A logout or a login here ends the old session whose cookie the request carries. An old session whose cookie is not in
    /// the request, such as that of another device, lasts until its end. A logout at the old version does not end the session
    /// here: it lives until its deadline, so keep an absolute timeout, such as [`NewSession::ends_at`].
    ///
    /// From this time on, old cookies are ignored. Choose one at which no old session lives any more: the day on which the
    /// last process of the old version stops, plus the longest lifetime of an old session.
    pub fn rolling_until(mut self, end: Time) -> Self {
        self.rolling_until = Some(end);
        self
    }

    pub(crate) fn checked(self, own_cookie: &str) -> Result<Self, ConfigError> {
        self.cookies.check()?;
        if self.rolling_until.is_some() && self.cookies.name() == own_cookie {
            return Err(ConfigError::new(format!(
                "`rolling_until` needs two cookies, but the old one and the layer's are both called `{own_cookie}`; give the \
                 layer another `SessionCookie::name`"
            )));
        }
        Ok(self)
    }

    /// Warns if no old session is taken over any more.
    pub(crate) fn warn_if_over(&self, now: Time) {
        if self.ends() <= now {
            tracing::warn!(
                end = %self.ends(),
                "`rolling_until` is over, so old sessions are not taken over, and their visitors have to sign in; give a \
                 later time, or remove `adopt` if the move is complete"
            );
        }
    }

    /// Until when old sessions may be taken over. [`Time::MAX`] without an end.
    pub(crate) fn ends(&self) -> Time {
        self.rolling_until.unwrap_or(Time::MAX)
    }

    pub(super) fn is_rolling(&self) -> bool {
        self.rolling_until.is_some()
    }

    /// The old sessions that a request presents.
    pub(super) fn presented(&self, headers: &HeaderMap, audience: &str, now: Time) -> Vec<OldSession> {
        if self.ends() <= now {
            return Vec::new();
        }
        let ids = self.cookies.ids(headers);
        ids.iter().map(|id| OldSession::new(audience, self.cookies.name(), id)).collect()
    }

    pub(super) fn load(&self, old: &OldSession) -> Answer<Option<NewSession>> {
        (self.load)(old.id().to_owned())
    }

    pub(super) fn end(&self, old: &OldSession) -> Answer<()> {
        (self.end)(old.id().to_owned())
    }

    pub(super) fn removal(&self) -> Cookie<'static> {
        self.cookies.removal()
    }
}

fn failed(error: BoxError) -> StoreError {
    StoreError::unavailable("old sessions", error)
}

/// Shows no value of a cookie.
impl fmt::Debug for Adoption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adoption")
            .field("cookie", &self.cookies.name())
            .field("rolling_until", &self.rolling_until)
            .finish_non_exhaustive()
    }
}
