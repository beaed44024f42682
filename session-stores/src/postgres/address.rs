use std::borrow::Cow;
use std::path::Path;
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
    parameters(url).any(|(name, value)| name == "statement-cache-capacity" && value == "0")
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
    let names_several = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
        ["host", "hostaddr", "port"].contains(&&*name) && value.contains(',')
    };
    if host.contains(',') || parameters(url).any(names_several) {
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
        let is_authority = ["sslrootcert", "ssl-root-cert", "ssl-ca"].contains(&&*name);
        if is_authority && !matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
            return Err(ConfigError::new(format!(
                "the address {:?} names an authority with `{name}`, which is asked only with `sslmode=verify-full`; \
                 write that too",
                shown(url)
            )));
        }
        if is_authority || ["sslcert", "ssl-cert", "sslkey", "ssl-key"].contains(&&*name) {
            read_pem(&name, Path::new(&*file))?;
        }
    }
    Ok(())
}

/// As sqlx reads them.
fn parameters(url: &str) -> form_urlencoded::Parse<'_> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    form_urlencoded::parse(parameters.split('#').next().unwrap_or_default().as_bytes())
}
