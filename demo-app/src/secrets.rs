use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{self, Write};
use std::sync::Arc;

use percent_encoding::percent_decode_str;

/// What is shown in the place of a secret.
const HIDDEN: &str = "***";

/// The least length of a password that is hidden wherever it occurs. A shorter one is hidden as a part of its address
/// alone, because it may be a part of any word.
const LEAST_LENGTH: usize = 4;

/// The passwords in the addresses on the command line, which no message and no log line may show.
#[derive(Clone, Default)]
pub struct Secrets(Arc<[String]>);

impl Secrets {
    /// Finds them in the words of a command line.
    pub fn in_words(words: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut secrets = Vec::new();
        for word in words {
            if let Some((before, address)) = word.as_ref().split_once("://") {
                collect(before, address, &mut secrets);
            }
        }
        // A shorter one may be a part of a longer one.
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        Secrets(secrets.into())
    }

    /// The text without the secrets.
    pub fn hidden_in<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, secret| match text.contains(secret) {
            true => Cow::Owned(text.replace(secret, HIDDEN)),
            false => text,
        })
    }

    /// Standard error, for lines that show no secret.
    pub fn stderr(&self) -> impl Write + use<> {
        HidingStderr(self.clone())
    }
}

/// A user name, a password and an `@` may stand before the host, and a password among the parameters.
fn collect(before: &str, address: &str, secrets: &mut Vec<String>) {
    let (credentials, _) = address.rsplit_once('@').unwrap_or_default();
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    if !credentials.is_empty() {
        secrets.push(format!("{credentials}@"));
    }
    let (_, parameters) = address.split_once('?').unwrap_or_default();
    let parameters = parameters.split('&').filter_map(|parameter| parameter.split_once('='));
    let in_parameters =
        parameters.filter(|(name, _)| name.to_ascii_lowercase().contains("pass")).map(|(_, value)| value);
    for password in in_parameters.chain([password]) {
        // A message may show a part of a password with signs that should have been encoded, or show them otherwise.
        let parts = password.split(|sign: char| !sign.is_alphanumeric() && !"-._~%".contains(sign));
        let all = parts.chain([password]).map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned());
        let all = all.chain([password.to_owned()]);
        // A word that is shown anyway gives nothing away, and messages need it: postgres://postgres:postgres@….
        let user = user.split(['/', '?']).next().unwrap_or_default();
        let is_told = |word: &str| before.contains(word) || user.contains(word);
        secrets.extend(all.filter(|word| word.len() >= LEAST_LENGTH && !is_told(word)));
    }
}

struct HidingStderr(Secrets);

impl Write for HidingStderr {
    /// Log lines come whole, each in one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(self.0.hidden_in(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R52.
    #[test]
    fn no_form_of_a_password_is_shown() {
        for word in [
            "redis://:marker-1@host",
            "--store=redis://ann:marker-1@host:6379/0",
            "postgres://ann:marker-1@host/db?sslmode=require",
            "postgres://ann:mar%6Ber%2D1@host/db",
            "postgres://host/db?user=ann&password=marker-1",
            "postgres://host/db?password=marker-1@x",
            "redis+unix:///run/redis.sock?pass=marker-1",
            "redis://:abc/marker-1,x@host",
            "redis://:abc@marker-1@host",
            "redis://:a\"b marker-1@host",
        ] {
            let secrets = Secrets::in_words(["demo-app", word]);
            for text in [word, "marker-1", "\"abc/marker-1\"", "x:marker-1@y"] {
                assert!(!secrets.hidden_in(text).contains("marker-1"), "{text} of {word}");
            }
            assert_eq!(secrets.hidden_in("can't open --store: host"), "can't open --store: host", "{word}");
        }
    }

    #[test]
    fn a_short_password_is_hidden_in_its_address() {
        let secrets = Secrets::in_words(["redis://:a@host"]);
        assert_eq!(secrets.hidden_in("a bad address: redis://:a@host"), "a bad address: redis://***host");
    }

    #[test]
    fn what_the_address_shows_anyway_stays() {
        let secrets = Secrets::in_words(["postgres://postgres:postgres@host/postgres"]);
        assert_eq!(secrets.hidden_in("postgres: not available"), "postgres: not available");
        assert_eq!(secrets.hidden_in("postgres:postgres@host"), "***host");
    }

    #[test]
    fn without_an_address_nothing_is_hidden() {
        assert_eq!(Secrets::in_words(["--listen", "127.0.0.1:8080"]).hidden_in("127.0.0.1:8080"), "127.0.0.1:8080");
    }
}
