use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;

use crate::error::{ConfigError, Error};
use crate::record::Authenticated;
use crate::time::Time;
use crate::visit::Gains;

use super::session::Session;

/// How a user has proven who they are: what a login tells about itself, and what an authentication in the middle of a
/// session does ([`Session::reauthenticate`]).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_core::Error> {
/// use std::time::Duration;
///
/// use session_core::{Authentication, MemoryStore, NewSession, SessionManager};
///
/// # let password_changes = 7_u64;
/// let proof = Authentication::by(["pwd", "otp"]).credentials(password_changes.to_be_bytes());
/// let sessions = SessionManager::new(MemoryStore::new());
/// let session = sessions.create(NewSession::new().principal("ann").authenticated(proof)).await?;
///
/// assert_eq!(session.authentication_methods(), ["pwd", "otp"]);
/// assert!(session.is_fresh(Duration::from_secs(600)));
/// assert!(session.has_credentials(7_u64.to_be_bytes()));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Authentication {
    at: Option<Time>,
    methods: Vec<String>,
    credentials: Option<String>,
}

impl Authentication {
    /// The most bytes that the names of all methods may have together: 256.
    pub const MAX_METHOD_BYTES: usize = 256;

    /// By these methods, now. The names are the application's; RFC 8176 has some that others know as well: `pwd` for a
    /// password, `otp` for a one-time password, `hwk` for a key in hardware, `mfa` for several together.
    ///
    /// Allowed: names that are not empty, of 256 bytes together.
    pub fn by<M: Into<String>>(methods: impl IntoIterator<Item = M>) -> Self {
        let methods = methods.into_iter().map(Into::into).collect();
        Authentication { methods, ..Authentication::default() }
    }

    /// The version of the user's credentials: a counter that changes with the password, or a hash of the password's hash.
    /// Only a hash of it is stored. [`Session::has_credentials`] compares it. Default: none, or the one that the session
    /// has.
    pub fn credentials(mut self, version: impl AsRef<[u8]>) -> Self {
        self.credentials = Some(hash(version.as_ref()));
        self
    }

    /// When it was. Default: now. A later time counts as now. For sessions that are taken over from elsewhere.
    pub fn at(mut self, time: Time) -> Self {
        self.at = Some(time);
        self
    }

    /// As it is stored.
    pub(super) fn checked(self) -> Result<Authenticated, ConfigError> {
        let bytes: usize = self.methods.iter().map(String::len).sum();
        if bytes > Authentication::MAX_METHOD_BYTES || self.methods.iter().any(String::is_empty) {
            return Err(ConfigError::new(
                "the names of methods in `Authentication::by` must not be empty, and have 256 bytes together at most; give \
                 short ones such as `pwd`",
            ));
        }
        let at = self.at.map(Time::unix_millis);
        Ok(Authenticated { at, methods: self.methods, credentials: self.credentials })
    }
}

fn hash(version: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::new().chain_update("credentials:").chain_update(version).finalize())
}

impl Session {
    /// Notes that the user has just proven again who they are, and gives the session a new id. Call it after checking a
    /// password or a second factor within a session ("sudo mode", step-up).
    ///
    /// The methods replace those of the login. The old id ends at once, also with a
    /// [`renewal_grace`](crate::manager::SessionManagerBuilder::renewal_grace). What another request changes that had
    /// loaded the session before is dropped, and tokens of forms that were shown before are refused: whoever held the
    /// session before has nothing of the new authentication.
    ///
    /// # Errors
    ///
    /// As [`renew_id`](Session::renew_id); also [`Error::Config`] for a session without a principal, which has nobody to
    /// authenticate, and for names of methods that are not allowed.
    pub fn reauthenticate(&self, authentication: Authentication) -> Result<(), Error> {
        let mut authenticated = authentication.checked()?;
        let (id, now) = (self.visit().environment().draw_id()?, self.visit().environment().now());
        authenticated.at = Some(authenticated.at.unwrap_or(i64::MAX).min(now.unix_millis()));
        let binding = self.visit().device_secret()?.map(|secret| (secret, now));
        let mut state = self.renewable()?;
        let Some(record) = state.view().filter(|record| record.principal.is_some()) else {
            return Err(ConfigError::new(
                "a session without a principal can't be authenticated again; start a new one with `NewSession::principal`",
            )
            .into());
        };
        if authenticated.credentials.is_none() {
            authenticated.credentials = Authenticated::of(&record).and_then(|before| before.credentials);
        }
        state.renew_with(id, Gains { authenticated: Some(authenticated), binding, ..Gains::default() });
        Ok(())
    }

    /// When the user last proved who they are: at the login, or by [`reauthenticate`](Session::reauthenticate). Renewing
    /// the id, using the session and remembering it do not change this. `None` for an anonymous session.
    pub fn authenticated_at(&self) -> Option<Time> {
        Authenticated::time(&self.view())
    }

    /// The methods of the last authentication, as [`Authentication::by`] has named them. Empty if none were named.
    pub fn authentication_methods(&self) -> Vec<String> {
        Authenticated::of(&self.view()).map(|authenticated| authenticated.methods).unwrap_or_default()
    }

    /// Whether the user has proven who they are within this time. Exactly at its end they have not.
    ///
    /// Never, if the session is anonymous, or if the client came with an id that was replaced.
    pub fn is_fresh(&self, within: Duration) -> bool {
        let now = self.visit().environment().now();
        let is_recent = |at: Time| now < at.saturating_add(within);
        self.authenticated_at().is_some_and(is_recent) && self.check_current_id("fresh").is_ok()
    }

    /// Whether the session was authenticated with credentials of this version. Compares in constant time.
    ///
    /// Compare where your application loads its user: if the version there has changed since, end the session. A changed
    /// password then ends all other sessions of the user, without a list of them. In the session that changes the
    /// password, call [`reauthenticate`](Session::reauthenticate) with the new version.
    ///
    /// `false` if the session has no version.
    ///
    /// ```
    /// # use session_core::Session;
    /// fn is_still_valid(sess: &Session, password_hash: &str) -> bool {
    ///     sess.has_credentials(password_hash) || {
    ///         sess.remove();
    ///         false
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn has_credentials(&self, version: impl AsRef<[u8]>) -> bool {
        let has = Authenticated::of(&self.view()).and_then(|authenticated| authenticated.credentials);
        has.is_some_and(|has| has.as_bytes().ct_eq(hash(version.as_ref()).as_bytes()).into())
    }
}
