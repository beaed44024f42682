use std::fmt;
use std::process;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Parser};
use session_axum::MemoryStore;

use crate::access::AdminToken;
use crate::address::{FastAddress, StoreAddress};
use crate::secrets::Secrets;

/// Log in, count your visits, fill a cart, see your devices: a demonstration of sessions in axum.
///
/// Any user name will do; the password is the letter a.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Address and port to listen on. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// How long a session lives after its last visit, such as 90s, 30m or 1h.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = humantime::parse_duration)]
    pub idle_timeout: Duration,

    /// How long a session lives after its login, used or not, such as 24h. `off` sets no such limit.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub absolute_timeout: AbsoluteTimeout,

    /// How many signed-in sessions are kept in memory, and how many anonymous ones. Beyond that the least
    /// recently used one of its kind is evicted.
    #[arg(long, value_name = "NUMBER", default_value_t = MemoryStore::DEFAULT_MAX_SESSIONS, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_sessions: u64,

    /// For how long the settings can be changed after the password was given. Later it is asked for again.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    pub fresh_within: Duration,

    /// Serve over HTTPS, with a certificate that is made at the start. Browsers warn of it, because nobody has
    /// signed it; its fingerprint is printed. Cookies then need HTTPS, as on a real site.
    #[arg(long)]
    pub https: bool,

    /// Send the cookie over plain HTTP too: for trying things out, never for a real site. With --https it never is.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub allow_http: bool,

    /// Where sessions are kept: memory, sqlite:FILE, postgres://…, redis://…, memcached://… or
    /// firestore:PROJECT. All but memory need a demo that was built with `--features stores`.
    #[arg(long, value_name = "STORE", default_value = "memory")]
    pub store: StoreAddress,

    /// A fast store before --store: memory, redis://… or memcached://…. Choose memory only for a single
    /// demo, or before Redis.
    #[arg(long, value_name = "STORE")]
    pub fast: Option<FastAddress>,

    /// Answer changes from --fast, and write them to --store 1 s later. A crash loses the changes of that
    /// second.
    #[arg(long, requires = "fast")]
    pub write_behind: bool,

    /// Serve /demo/admin to whoever gives this token as a password, and /demo/purge to a cron job that
    /// sends `Authorization: Bearer TOKEN`. Default: neither is served.
    #[arg(long, value_name = "TOKEN", env = "DEMO_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<AdminToken>,
}

impl Options {
    /// Whether cookies travel over plain HTTP.
    pub fn allows_http(&self) -> bool {
        self.allow_http && !self.https
    }

    /// The options on the command line. If they are wrong, the process ends with one line and exit code 2.
    ///
    /// That line shows none of the secrets.
    pub fn from_command_line(secrets: &Secrets) -> Self {
        Options::try_parse().unwrap_or_else(|problem| {
            if !problem.use_stderr() {
                problem.exit();
            }
            eprintln!("demo-app: {}", secrets.hidden_in(&one_line(&problem)));
            process::exit(2);
        })
    }
}

/// What clap says before its advice on usage.
fn one_line(problem: &clap::Error) -> String {
    let text = problem.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    format!("{} (see --help)", words.join(" ").trim_start_matches("error: "))
}

/// How long a session lives after its login, used or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsoluteTimeout {
    /// That long.
    After(Duration),
    /// For as long as it is used.
    Off,
}

impl FromStr for AbsoluteTimeout {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(AbsoluteTimeout::Off),
            _ => humantime::parse_duration(text).map(AbsoluteTimeout::After),
        }
    }
}

impl fmt::Display for AbsoluteTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AbsoluteTimeout::After(timeout) => humantime::format_duration(*timeout).fmt(f),
            AbsoluteTimeout::Off => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments = ["demo-app"].iter().chain(arguments);
        Options::try_parse_from(arguments).map_err(|problem| one_line(&problem))
    }

    #[test]
    fn no_option_is_needed() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.listen, "127.0.0.1:8080");
        assert_eq!(options.idle_timeout, Duration::from_secs(30 * 60));
        assert_eq!(options.absolute_timeout, AbsoluteTimeout::After(Duration::from_secs(24 * 60 * 60)));
        assert!(options.allow_http);
    }

    #[test]
    fn http_can_be_forbidden() {
        assert!(!parse(&["--allow-http=false"]).unwrap().allow_http);
        assert!(parse(&["--allow-http"]).unwrap().allow_http);
    }

    /// P59.
    #[test]
    fn https_needs_no_http() {
        assert!(!parse(&["--https"]).unwrap().allows_http());
        assert!(!parse(&["--https", "--allow-http"]).unwrap().allows_http());
        assert!(parse(&[]).unwrap().allows_http());
    }

    #[test]
    fn the_absolute_timeout_can_be_switched_off() {
        assert_eq!(parse(&["--absolute-timeout", "off"]).unwrap().absolute_timeout, AbsoluteTimeout::Off);
    }

    #[test]
    fn a_wrong_option_is_one_line_that_names_it() {
        for (arguments, culprit) in [
            (&["--idle-timeout", "soon"][..], "--idle-timeout"),
            (&["--absolute-timeout", "never"], "--absolute-timeout"),
            (&["--fresh-within", "later"], "--fresh-within"),
            (&["--max-sessions", "0"], "--max-sessions"),
            (&["--allow-http=maybe"], "--allow-http"),
            (&["--store", "mongodb://localhost"], "mongodb"),
            (&["--fast", "sqlite:demo.db"], "--fast"),
            (&["--write-behind"], "--fast"),
            (&["--admin-token", ""], "--admin-token"),
            (&["--nonsense"], "--nonsense"),
        ] {
            let line = parse(arguments).unwrap_err();
            assert!(line.contains(culprit), "{line}");
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }
}
