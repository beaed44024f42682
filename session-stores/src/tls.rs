//! TLS, for the backends whose clients have it.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{AlertDescription, CertificateError};
#[cfg(feature = "redis")]
use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};
use session_core::{ConfigError, StoreError};

/// Makes sure that rustls has a provider of cryptography, before a connection that may be encrypted.
///
/// Where an application's dependencies enable two, rustls chooses none and panics. What the application has installed
/// stays.
pub(crate) fn choose_provider() {
    if CryptoProvider::get_default().is_none() {
        // Fails if somebody else was faster, and then there is one.
        let _ = ring::default_provider().install_default();
    }
}

/// The error of a failed handshake in words that say what to do. `None` for any other error.
pub(crate) fn handshake_failed(store: &'static str, error: &(dyn Error + 'static)) -> Option<StoreError> {
    let error = std::iter::successors(Some(error), |error| cause(*error)).find_map(|error| error.downcast_ref())?;
    let told = ConfigError::new(format!("{} ({error})", meaning(error)));
    Some(StoreError::unavailable(store, told).naming_causes())
}

/// What an error was made of, also where `source` passes over it: in an `io::Error`, and in an error that is shared.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return error.get_ref().map(|error| error as &(dyn Error + 'static));
    }
    match error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        Some(shared) => Some(&**shared),
        None => error.source(),
    }
}

fn meaning(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired; give the server a new one"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet; compare the clocks of both machines"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another host; write a name that it has, or give the server one for \
                 this name"
            }
            // The second is of another authority with the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the server's certificate is from an authority that is not trusted; name the authority with \
                 `sslrootcert=FILE` in the address"
            }
            _ => "the server's certificate can't be used",
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::HandshakeFailure,
        ) => {
            "the server refuses this client; it may ask for a certificate: name one with `sslcert=FILE` and \
             `sslkey=FILE` in the address"
        }
        rustls::Error::InvalidMessage(_) => "the server does not answer with TLS",
        _ => "the connection could not be encrypted",
    }
}

/// The beginning of a conversation in TLS with this host, for who wants to know whether it is understood.
#[cfg(feature = "redis")]
pub(crate) fn client_hello(host: &str) -> Option<Vec<u8>> {
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().ok()?;
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let mut hello = Vec::new();
    ClientConnection::new(Arc::new(config), name).ok()?.write_tls(&mut hello).ok()?;
    Some(hello)
}

/// Reads a file of certificates or of a key that a parameter of an address names.
pub(crate) fn read_pem(parameter: &str, file: &Path) -> Result<Vec<u8>, ConfigError> {
    let wrong = |why: &dyn std::fmt::Display| {
        ConfigError::new(format!("the file {file:?} that `{parameter}` names can't be used: {why}"))
    };
    // Reading a device or a pipe may never end.
    let is_file = std::fs::metadata(file).map_err(|error| wrong(&error))?.is_file();
    if !is_file {
        return Err(wrong(&"it is no ordinary file"));
    }
    let text = std::fs::read(file).map_err(|error| wrong(&error))?;
    // The clients take a file without any for one that names nobody.
    let beginning = if parameter.contains("key") { "PRIVATE KEY-----" } else { "-----BEGIN CERTIFICATE-----" };
    let has_some = text.windows(beginning.len()).any(|part| part == beginning.as_bytes());
    has_some.then_some(text).ok_or_else(|| wrong(&format!("it has no `{beginning}`; write a file in the format PEM")))
}
