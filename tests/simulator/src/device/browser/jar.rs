//! The cookies that a browser keeps of one host.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

/// A cookie jar.
#[derive(Default)]
pub struct Jar(Vec<Cookie>);

struct Cookie {
    name: String,
    value: String,
    attributes: BTreeSet<String>,
    /// Without a time it stays for as long as the browser is open.
    ends: Option<Instant>,
}

impl Jar {
    /// The value of a cookie, if it is not over.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.live().find(|cookie| cookie.name == name).map(|cookie| cookie.value.as_str())
    }

    /// For how long a cookie with these attributes goes on. `None` if there is none.
    pub fn time_left(&self, name: &str, attributes: &BTreeSet<String>) -> Option<Duration> {
        let cookie = self.live().find(|cookie| cookie.name == name && cookie.attributes == *attributes)?;
        Some(cookie.ends.map_or(Duration::MAX, |ends| ends - Instant::now()))
    }

    /// The header of a request. Cookies with `SameSite=Lax` come with every request of a world: those that another site
    /// starts are navigations.
    pub fn header(&self) -> Option<String> {
        let pairs: Vec<String> = self.live().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        Some(pairs.join("; ")).filter(|header| !header.is_empty())
    }

    /// Keeps what a response sets.
    pub fn keep(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let all = attributes(set_cookie.split_once(';').map_or("", |(_, rest)| rest));
        let max_age = all.iter().find_map(|attribute| attribute.strip_prefix("max-age=")?.parse::<i64>().ok());
        self.0.retain(|cookie| cookie.name != name);
        let ends = match max_age {
            Some(..=0) => return,
            Some(seconds) => Some(Instant::now() + Duration::from_secs(seconds.unsigned_abs())),
            None => None,
        };
        let is_of_cookie =
            |attribute: &String| !attribute.starts_with("max-age=") && !attribute.starts_with("expires=");
        let attributes = all.into_iter().filter(is_of_cookie).collect();
        self.0.push(Cookie { name: name.to_owned(), value: value.to_owned(), attributes, ends });
    }

    /// Forgets one.
    pub fn forget(&mut self, name: &str) {
        self.0.retain(|cookie| cookie.name != name);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn live(&self) -> impl Iterator<Item = &Cookie> {
        let now = Instant::now();
        self.0.iter().filter(move |cookie| cookie.ends.is_none_or(|ends| now < ends))
    }
}

/// The attributes of a cookie in one way of writing.
pub fn attributes(text: &str) -> BTreeSet<String> {
    text.split(';').map(|part| part.trim().to_ascii_lowercase()).filter(|part| !part.is_empty()).collect()
}
