//! Tokens of forms, against cross-site request forgery (CSRF).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::error::Error;
use crate::record::FormSecret;

use super::session::Session;

impl Session {
    /// A token for the hidden field of a form, against cross-site request forgery (CSRF). When the form is
    /// sent, give the field's value to [`check_csrf`](Session::check_csrf).
    ///
    /// Each session has a secret of its own, from which each call makes another token. All of them are good, so a
    /// compressed page may repeat text from the request beside one (BREACH). They stay good when a session with a
    /// principal is [renewed](Session::renew_id), and end with the session, at a login, and at
    /// [`reauthenticate`](Session::reauthenticate). Nothing is stored for them. A token does not work as an id or a
    /// handle. Put it only into pages for this visitor, and not into addresses.
    ///
    /// The cookie's `SameSite=Lax` already refuses forms of other *sites*. The token also refuses forms of
    /// other hosts of your own site, which browsers treat as the same site. With `SameSite=None` the token is
    /// needed. It does not protect a handler that changes something on GET.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if no random bytes could be made; [`Error::Gone`] if another session was started in this request
    /// and has replaced this one.
    ///
    /// ```
    /// # use session_core::{Error, Session};
    /// # struct Transfer { csrf: String }
    /// fn page(sess: &Session) -> Result<String, Error> {
    ///     Ok(format!("<form method=post><input type=hidden name=csrf value={}>…", sess.csrf_token()?))
    /// }
    /// fn is_from_our_page(sess: &Session, form: &Transfer) -> bool {
    ///     sess.check_csrf(&form.csrf)
    /// }
    /// ```
    pub fn csrf_token(&self) -> Result<String, Error> {
        let mut mask = [0; FormSecret::BYTES];
        self.visit().environment().random.fill(&mut mask)?;
        self.note_id_is_known();
        let secret = self.form_secret().ok_or(Error::Gone)?;
        let masked = combined(secret.as_bytes(), &mask);
        Ok(URL_SAFE_NO_PAD.encode([mask, masked].concat()))
    }

    /// Whether `presented` is a [`csrf_token`](Session::csrf_token) of the session. Compares in constant time.
    ///
    /// Call it before [`reauthenticate`](Session::reauthenticate), which changes the session's secret.
    #[must_use]
    pub fn check_csrf(&self, presented: &str) -> bool {
        let Some(secret) = self.form_secret() else { return false };
        let Some((mask, masked)) = parts(presented) else { return false };
        combined(&masked, &mask).ct_eq(secret.as_bytes()).into()
    }
}

fn combined(one: &[u8; FormSecret::BYTES], other: &[u8; FormSecret::BYTES]) -> [u8; FormSecret::BYTES] {
    std::array::from_fn(|at| one[at] ^ other[at])
}

/// The mask of a token, and what it hides.
fn parts(token: &str) -> Option<([u8; FormSecret::BYTES], [u8; FormSecret::BYTES])> {
    let bytes: [u8; 2 * FormSecret::BYTES] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
    let (mask, masked) = bytes.split_at(FormSecret::BYTES);
    Some((mask.try_into().ok()?, masked.try_into().ok()?))
}
