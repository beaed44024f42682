use std::fmt;

use tower_cookies::cookie::CookieJar;
use tower_cookies::{Cookie, Key};

/// Signs or encrypts cookies with the first of several keys, and opens them with any of the keys.
#[derive(Clone)]
pub(crate) struct Seal {
    kind: Kind,
    keys: Vec<Key>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    #[cfg(feature = "signed")]
    Signed,
    #[cfg(feature = "private")]
    Private,
}

impl Seal {
    #[cfg(feature = "signed")]
    pub(crate) fn signed(keys: impl IntoIterator<Item = Key>) -> Self {
        Seal { kind: Kind::Signed, keys: keys.into_iter().collect() }
    }

    #[cfg(feature = "private")]
    pub(crate) fn private(keys: impl IntoIterator<Item = Key>) -> Self {
        Seal { kind: Kind::Private, keys: keys.into_iter().collect() }
    }

    pub(crate) fn has_no_key(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn close(&self, cookie: Cookie<'static>) -> Cookie<'static> {
        let name = cookie.name().to_owned();
        let mut jar = CookieJar::new();
        match self.kind {
            #[cfg(feature = "signed")]
            Kind::Signed => jar.signed_mut(&self.keys[0]).add(cookie),
            #[cfg(feature = "private")]
            Kind::Private => jar.private_mut(&self.keys[0]).add(cookie),
        }
        jar.get(&name).expect("the cookie was just added").clone()
    }

    /// The id in a cookie's value, if one of the keys made it.
    pub(crate) fn open(&self, name: &str, value: &str) -> Option<String> {
        let mut jar = CookieJar::new();
        jar.add_original(Cookie::new(name.to_owned(), value.to_owned()));
        self.keys.iter().find_map(|key| {
            let opened = match self.kind {
                #[cfg(feature = "signed")]
                Kind::Signed => jar.signed(key).get(name),
                #[cfg(feature = "private")]
                Kind::Private => jar.private(key).get(name),
            };
            opened.map(|cookie| cookie.value().to_owned())
        })
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {} keys", self.kind, self.keys.len())
    }
}
