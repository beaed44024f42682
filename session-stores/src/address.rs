//! What operators write into the configuration of a store: addresses and names.
//!
//! Text from an environment variable or a file often ends with a line break that nobody sees. It is refused before a
//! driver can take it for a part of a host, a password or a key. No error shows a password.

use session_core::ConfigError;

/// Fails if an address has a character that nobody sees, or an `@` that a password has put after the host.
#[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
pub(crate) fn check_address(address: &str) -> Result<(), ConfigError> {
    if let Some(hidden) = address.chars().find(|character| *character == ' ' || !is_visible(*character)) {
        return Err(ConfigError::new(format!(
            "the address {:?} has a character that nobody sees ({hidden:?}); remove it",
            shown(address)
        )));
    }
    let (_, rest) = address.split_once("://").unwrap_or(("", address));
    let path = rest.split_once('/').map_or("", |(_, path)| path.split(['?', '#']).next().unwrap_or_default());
    if path.contains('@') {
        return Err(ConfigError::new(format!(
            "the address {:?} has an `@` after its host; if a user name or a password has `/`, `?`, `#`, `@`, `:` or \
             `%`, write it as %2F, %3F, %23, %40, %3A or %25",
            shown(address)
        )));
    }
    Ok(())
}

/// Fails if a name has a character that nobody sees, or a blank at either end. `what` begins the message.
#[cfg(any(feature = "firestore", feature = "redis", feature = "sqlite"))]
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), ConfigError> {
    let ends_well = name.trim().len() == name.len();
    if ends_well && name.chars().all(is_visible) {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "{what} can't be {name:?}: it has characters that nobody sees, or blanks at an end; remove them"
    )))
}

/// An address as it may be printed: without user, password, path and parameters.
#[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
pub(crate) fn shown(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        // Without a scheme, a password may have this too.
        Some((scheme, rest)) if !scheme.contains([':', '@']) => (format!("{scheme}://"), rest),
        _ => (String::new(), address),
    };
    // Behind the last `@`, because a password may have one too, or a `/`.
    let (user, host) = match rest.rsplit_once('@') {
        Some((_, host)) => ("***@", host),
        None => ("", rest),
    };
    let end = host.find(['/', '?', '#']).unwrap_or(host.len());
    let (host, hidden) = host.split_at(end);
    format!("{scheme}{user}{host}{}", if hidden.len() > 1 { "/***" } else { hidden })
}

/// Whether the character is a space or has a form of its own: no control character, no mark of a direction, nothing of
/// no width.
fn is_visible(character: char) -> bool {
    // Behind a letter, so that an accent of its own counts as visible.
    let escaped = format!("a{character}").escape_debug().count() - 1;
    escaped == 1 || matches!(character, '\'' | '"' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: [&str; 8] = ["\n", "\r\n", "\t", "\0", "\u{200b}", "\u{feff}", "\u{a0}", "\u{202e}"];

    #[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
    #[test]
    fn an_address_with_a_character_that_nobody_sees_is_refused_without_its_password() {
        let address = "redis://app:marker@cache.example:6379/0";
        assert!(check_address(address).is_ok());
        for hidden in HIDDEN.into_iter().chain([" "]) {
            for wrong in [format!("{address}{hidden}"), format!("{hidden}{address}"), address.replace("mar", hidden)] {
                let message = check_address(&wrong).expect_err(&wrong).to_string();
                assert!(message.contains("nobody sees") && message.contains("cache.example"), "{message}");
                assert!(!message.contains("ker"), "{message}");
            }
        }
    }

    #[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
    #[test]
    fn a_password_that_ends_the_host_is_told_and_not_shown() {
        let message = check_address("postgres://app:12/marker@db.example/app").unwrap_err().to_string();
        assert!(message.contains("%2F") && message.contains("db.example") && !message.contains("marker"), "{message}");
        assert!(check_address("postgres://app@db.example/app?user=app@server").is_ok());
    }

    #[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
    #[test]
    fn what_is_shown_of_an_address_is_where_it_leads() {
        for (address, expected) in [
            ("redis://cache", "redis://cache"),
            ("redis://cache/", "redis://cache/"),
            ("redis://:marker@cache:6379/0", "redis://***@cache:6379/***"),
            ("redis://app:mar@ker@cache", "redis://***@cache"),
            ("app:marker@cache:11211", "***@cache:11211"),
            ("postgres://db?password=marker", "postgres://db/***"),
            ("postgres://db/app?password=marker", "postgres://db/***"),
            ("redis+unix:///run/redis.sock?pass=marker", "redis+unix:///***"),
            ("marker@", "***@"),
            ("app:marker://@cache", "***@cache"),
            ("app:x@host://cache", "***@host:/***"),
            ("", ""),
        ] {
            assert_eq!(shown(address), expected);
        }
    }

    #[cfg(any(feature = "firestore", feature = "redis", feature = "sqlite"))]
    #[test]
    fn a_name_with_a_character_that_nobody_sees_is_refused() {
        for name in ["shop:", "my shop:", "{shop}:", "schön:", "scho\u{308}n:", "a'b\"c\\", ""] {
            assert!(check_name("`prefix`", name).is_ok(), "{name:?}");
        }
        for hidden in HIDDEN {
            for wrong in [format!("shop{hidden}"), format!("{hidden}shop"), format!("sh{hidden}op")] {
                let message = check_name("`prefix`", &wrong).expect_err(&wrong).to_string();
                assert!(message.starts_with("`prefix` can't be"), "{message}");
            }
        }
        assert!(check_name("`prefix`", "shop ").is_err());
        assert!(check_name("`prefix`", " ").is_err());
    }
}
