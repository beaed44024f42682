use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use hmac::{Hmac, KeyInit, Mac};
use session_core::{ConfigError, PresentedIds};
use sha2::Sha512;
use tower_cookies::cookie::CookieJar;
use tower_cookies::{Cookie, Key};

/// How the ids of a cookie are sealed, as an application asks for it.
#[derive(Clone)]
pub(crate) struct AskedSeal {
    kind: Kind,
    keys: Vec<Key>,
}

/// What becomes of ids that are not sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PlainIds {
    #[default]
    Refused,
    /// Accepted, and sent again sealed.
    Accepted,
    /// Accepted, and the only ones that are sent. Sealed ones are still accepted.
    Sent,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    #[cfg(feature = "signed")]
    Signed,
    #[cfg(feature = "private")]
    Private,
}

impl AskedSeal {
    #[cfg(feature = "signed")]
    pub(crate) fn signed(keys: impl IntoIterator<Item = Key>) -> Self {
        AskedSeal { kind: Kind::Signed, keys: keys.into_iter().collect() }
    }

    #[cfg(feature = "private")]
    pub(crate) fn private(keys: impl IntoIterator<Item = Key>) -> Self {
        AskedSeal { kind: Kind::Private, keys: keys.into_iter().collect() }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.keys.is_empty() {
            return Err(ConfigError::new(
                "the list of keys of the `signed` or `private` cookie is empty; give at least one",
            ));
        }
        for (at, key) in self.keys.iter().enumerate() {
            if is_padded_text(key.master()) {
                return Err(ConfigError::new(format!(
                    "key {} of the `signed` or `private` cookie begins or ends with a blank or a line break; trim the text \
                     that it is made of",
                    at + 1
                )));
            }
        }
        Ok(())
    }

    /// The seal of a cookie of this name.
    pub(crate) fn of(&self, cookie: &str, plain_ids: PlainIds) -> Seal {
        let AskedSeal { kind, keys } = self;
        let keys = keys.iter().map(|key| derived(key, *kind, cookie)).collect();
        Seal { kind: *kind, cookie: cookie.to_owned(), keys, plain_ids }
    }
}

/// Whether it is text with a blank or a line break around it, which another process that trims it would not have.
/// Random bytes are never such text.
fn is_padded_text(key: &[u8]) -> bool {
    let is_text = key.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    is_text && key.trim_ascii().len() < key.len()
}

/// A key for one purpose and one cookie. What an application signs with the key itself, or another session cookie
/// has, is no seal of this cookie.
fn derived(key: &Key, kind: Kind, cookie: &str) -> Key {
    let mac = Hmac::<Sha512>::new_from_slice(key.master()).expect("a key of any length is a key of HMAC");
    let mac = mac.chain_update(format!("session-axum, {kind:?} cookie: {cookie}"));
    Key::from(&mac.finalize().into_bytes())
}

/// Signs or encrypts the ids of one cookie with the first of several keys, and opens them with any of the keys.
pub(crate) struct Seal {
    kind: Kind,
    cookie: String,
    keys: Vec<Key>,
    plain_ids: PlainIds,
}

impl Seal {
    /// The largest number of values that are opened for one request. Each costs a computation with each key.
    pub(crate) const MAX_OPENED: usize = 16;

    /// Presents the id in a cookie's value. `opened` counts the values that were opened for this request.
    pub(crate) fn present(&self, value: &[u8], presented: &mut PresentedIds, opened: &mut usize) {
        if is_as_long_as_sealed(value) && *opened < Seal::MAX_OPENED {
            *opened += 1;
            match self.open(value) {
                Some((id, 0)) if self.plain_ids != PlainIds::Sent => presented.push(id),
                Some((id, _)) => presented.push_outdated(id),
                None => presented.reject(),
            }
            return;
        }
        match self.plain_ids {
            PlainIds::Refused => presented.reject(),
            PlainIds::Accepted => presented.push_outdated(value),
            PlainIds::Sent => presented.push(value),
        }
    }

    /// Seals the id in the cookie's value, if sealed ones are to be sent.
    pub(crate) fn close(&self, cookie: Cookie<'static>) -> Cookie<'static> {
        if self.plain_ids == PlainIds::Sent {
            return cookie;
        }
        let mut jar = CookieJar::new();
        match self.kind {
            #[cfg(feature = "signed")]
            Kind::Signed => jar.signed_mut(&self.keys[0]).add(cookie),
            #[cfg(feature = "private")]
            Kind::Private => jar.private_mut(&self.keys[0]).add(cookie),
        }
        jar.get(&self.cookie).expect("the cookie was just added").clone()
    }

    /// The id in a cookie's value, and the place of the key that sealed it. `None` if none of the keys did.
    fn open(&self, value: &[u8]) -> Option<(String, usize)> {
        let value = str::from_utf8(value).ok()?;
        let mut jar = CookieJar::new();
        jar.add_original(Cookie::new(self.cookie.clone(), value.to_owned()));
        self.keys.iter().enumerate().find_map(|(at, key)| {
            let opened = match self.kind {
                #[cfg(feature = "signed")]
                Kind::Signed => jar.signed(key).get(&self.cookie),
                #[cfg(feature = "private")]
                Kind::Private => jar.private(key).get(&self.cookie),
            };
            opened.map(|cookie| (cookie.value().to_owned(), at))
        })
    }

    /// A number that differs between seals of other kinds or keys. It stays in memory.
    pub(crate) fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(self.plain_ids as u8);
        for key in &self.keys {
            // Keys of another kind are derived for another purpose.
            hasher.write(key.master());
        }
        hasher.finish()
    }
}

/// Whether a value is as long as a sealed id. Anything else is known to be none without a computation.
fn is_as_long_as_sealed(value: &[u8]) -> bool {
    // Signed: 44 characters before an id of 22 to 43. Encrypted: base64 of 28 bytes more than the id.
    (66..=96).contains(&value.len())
}

impl fmt::Debug for AskedSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {} keys", self.kind, self.keys.len())
    }
}
