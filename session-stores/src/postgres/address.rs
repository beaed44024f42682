use std::path::PathBuf;
use std::str::FromStr;

use session_core::{ConfigError, StoreError};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::error::{NAME, start_failed};
use super::statement::Protocol;
use crate::address::{check_address, shown};
use crate::tls::read_pem;

/// A parameter that each connection brings along. A pooler either refuses it, or does not pass it on.
pub(super) const DIRECT: &str = "session_stores.direct";

/// How to connect to an address, and how to talk.
pub(super) fn options(url: &str) -> Result<(PgConnectOptions, Protocol), StoreError> {
    let refused = |error| StoreError::refused(NAME, error).naming_causes();
    check_address(url).map_err(refused)?;
    check_scheme(url).map_err(refused)?;
    check_one_host(url).map_err(refused)?;
    let options = PgConnectOptions::from_str(url).map_err(start_failed)?;
    check_certificates(url, options.get_ssl_mode()).map_err(refused)?;
    if is_for_pooler(url) {
        // PgBouncer refuses a parameter that sqlx sends for the sake of floats, of which there are none here. The text
        // of a statement has the values.
        return Ok((options.extra_float_digits(None).disable_statement_logging(), Protocol::Simple));
    }
    Ok((options.options([(DIRECT, "on")]), Protocol::Prepared))
}

/// Whether the address asks sqlx to prepare no statements, as its documentation says for PgBouncer.
fn is_for_pooler(url: &str) -> bool {
    parameters(url).any(|parameter| parameter == ("statement-cache-capacity", "0"))
}

/// sqlx takes any.
fn check_scheme(url: &str) -> Result<(), ConfigError> {
    match url.split_once("://") {
        Some((scheme, _)) if !["postgres", "postgresql"].contains(&scheme) => Err(ConfigError::new(format!(
            "{:?} is not an address of PostgreSQL; write `postgres://HOST:PORT/DATABASE`, with `?sslmode=verify-full` \
             for TLS",
            shown(url)
        ))),
        _ => Ok(()),
    }
}

/// sqlx takes several for one with a comma in its name.
fn check_one_host(url: &str) -> Result<(), ConfigError> {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let in_parameters = |(name, value): (&str, &str)| {
        ["host", "hostaddr", "port"].contains(&name) && (value.contains(',') || value.to_uppercase().contains("%2C"))
    };
    if host.contains(',') || parameters(url).any(in_parameters) {
        return Err(ConfigError::new(format!(
            "the address {:?} has several hosts, and the PostgreSQL client knows one; write a name or an address that \
             moves to whichever server is the primary",
            shown(url)
        )));
    }
    Ok(())
}

/// Fails if a file can't be used, or if nothing would be compared with it. sqlx tells neither.
fn check_certificates(url: &str, mode: PgSslMode) -> Result<(), ConfigError> {
    for (name, file) in parameters(url) {
        let is_authority = ["sslrootcert", "ssl-root-cert", "ssl-ca"].contains(&name);
        if is_authority && !matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
            return Err(ConfigError::new(format!(
                "the address {:?} names an authority with `{name}`, which is asked only with `sslmode=verify-full`; \
                 write that too",
                shown(url)
            )));
        }
        if is_authority || ["sslcert", "ssl-cert", "sslkey", "ssl-key"].contains(&name) {
            read_pem(name, &path(file))?;
        }
    }
    Ok(())
}

fn parameters(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let parameters = parameters.split('#').next().unwrap_or_default();
    parameters.split('&').map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

/// The name of a file as it stands in an address.
fn path(encoded: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [byte, after @ ..] = rest {
        let hex = after.get(..2).filter(|hex| *byte == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let decoded = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    PathBuf::from(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_is_decoded() {
        for (encoded, expected) in [
            ("/etc/ssl/ca.pem", "/etc/ssl/ca.pem"),
            ("/etc/our%20ca.pem", "/etc/our ca.pem"),
            ("our+ca%2epem", "our ca.pem"),
            ("100%", "100%"),
            ("%zz%+1%4", "%zz% 1%4"),
            ("%C3%BC", "ü"),
            ("", ""),
        ] {
            assert_eq!(path(encoded), PathBuf::from(expected));
        }
    }
}
