//! The browser's side of a bound session: what the server's instructions have made of it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::jar::{Jar, attributes};
use crate::device::keys::Key;

/// A session that the browser keeps bound.
#[derive(Clone)]
pub struct Binding {
    /// The server's name for it.
    pub identifier: String,
    /// Where it is refreshed.
    pub refresh_path: String,
    /// The key that signs.
    pub key: &'static Key,
    /// What the next refresh signs. Without one it asks first.
    pub challenge: Option<String>,
    credentials: Vec<Credential>,
    rules: Vec<Rule>,
}

#[derive(Clone)]
struct Credential {
    name: String,
    attributes: BTreeSet<String>,
}

#[derive(Clone)]
struct Rule {
    includes: bool,
    path: String,
}

/// Why the browser's side of a bound session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The server said so.
    ServerRequestedTermination,
    /// An answer of 4xx.
    PersistentHttpError,
    /// A 403 without a challenge for this session, where there is none to sign again.
    InvalidChallenge,
    /// Too many 403 in a row.
    TooManyChallenges,
    /// Instructions that are none, or of another session.
    InvalidInstructions,
    /// `Clear-Site-Data`.
    SiteDataCleared,
}

impl Binding {
    /// Reads the instructions in the answer to a request of this path.
    pub fn read(instructions: &str, asked: &str, key: &'static Key) -> Result<Self, Ending> {
        let read: Value = serde_json::from_str(instructions).map_err(|_| Ending::InvalidInstructions)?;
        if read["continue"] == false {
            // Without its name it is of no session.
            let is_named = read["session_identifier"].is_string();
            return Err(if is_named { Ending::ServerRequestedTermination } else { Ending::InvalidInstructions });
        }
        let identifier = text(&read["session_identifier"])?;
        let refresh_path = read["refresh_url"].as_str().map_or(asked.to_owned(), |path| resolved(asked, path));
        let credentials = read["credentials"].as_array().map_or(&[][..], Vec::as_slice).iter().map(Credential::read);
        let credentials: Vec<Credential> = credentials.collect::<Result<_, _>>()?;
        if credentials.is_empty() {
            return Err(Ending::InvalidInstructions);
        }
        let rules = read["scope"]["scope_specification"].as_array().map_or(&[][..], Vec::as_slice);
        let rules = rules.iter().map(Rule::read).collect::<Result<_, _>>()?;
        Ok(Binding { identifier, refresh_path, key, challenge: None, credentials, rules })
    }

    /// Whether a request of this path needs the bound cookies. The last rule that fits decides.
    pub fn includes(&self, path: &str) -> bool {
        let rule = self.rules.iter().rev().find(|rule| rule.fits(path));
        path != self.refresh_path && rule.is_none_or(|rule| rule.includes)
    }

    /// For how long the first of the bound cookies goes on that ends. Zero if one is not there.
    pub fn time_left(&self, jar: &Jar) -> Duration {
        let left = self.credentials.iter().map(|cookie| jar.time_left(&cookie.name, &cookie.attributes));
        left.map(Option::unwrap_or_default).min().unwrap_or_default()
    }
}

impl Credential {
    fn read(credential: &Value) -> Result<Self, Ending> {
        let (name, attributes) = (text(&credential["name"])?, attributes(&text(&credential["attributes"])?));
        let has = |attribute: &str| attributes.iter().any(|other| other.starts_with(attribute));
        let breaks_prefix = name.starts_with("__Host-") && (has("domain=") || !has("secure"));
        if breaks_prefix || has("max-age=") {
            return Err(Ending::InvalidInstructions);
        }
        Ok(Credential { name, attributes })
    }
}

impl Rule {
    fn read(rule: &Value) -> Result<Self, Ending> {
        Ok(Rule { includes: rule["type"] == "include", path: text(&rule["path"])? })
    }

    fn fits(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A path as it is relative to another.
fn resolved(base: &str, path: &str) -> String {
    match (path.starts_with('/'), base.rfind('/')) {
        (false, Some(slash)) => format!("{}/{path}", &base[..slash]),
        _ => path.to_owned(),
    }
}

fn text(value: &Value) -> Result<String, Ending> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned).ok_or(Ending::InvalidInstructions)
}
