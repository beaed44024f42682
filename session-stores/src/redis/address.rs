use std::path::Path;

use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsCertificates,
    parse_redis_url,
};
use session_core::{ConfigError, StoreError};

use super::error::{NAME, store_error};
use crate::address::{check_address, shown};
use crate::tls::read_pem;

/// Where a server is, and the certificates that its address names.
///
/// The files are named as in an address of PostgreSQL: `sslrootcert`, `sslcert` and `sslkey`.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) info: ConnectionInfo,
    pub(crate) certificates: Option<TlsCertificates>,
}

impl Address {
    /// Reads the files that it names, and connects to nobody.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        check_address(url).map_err(refused)?;
        if url.contains("://") && parse_redis_url(url).is_none() {
            return Err(refused(ConfigError::new(format!(
                "{:?} is not an address of Redis; write `redis://HOST:PORT`, `rediss://HOST:PORT` for TLS, or \
                 `redis+unix:///PATH`",
                shown(url)
            ))));
        }
        let info = url.into_connection_info().map_err(start_failed)?;
        let Some(certificates) = certificates_of(url).map_err(refused)? else {
            return Ok(Address { info, certificates: None });
        };
        if !is_encrypted(&info) {
            return Err(refused(ConfigError::new(format!(
                "the address {:?} names certificates and asks for no TLS; write `rediss://`, or leave them out",
                shown(url)
            ))));
        }
        let client = Client::build_with_tls(info, certificates.clone()).map_err(|error| {
            refused(ConfigError::new(format!("the certificates that {:?} names can't be used: {error}", shown(url))))
        })?;
        Ok(Address { info: client.get_connection_info().clone(), certificates: Some(certificates) })
    }

    pub(crate) fn parse_all<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, StoreError> {
        let addresses: Vec<Self> = urls.into_iter().map(Address::parse).collect::<Result<_, _>>()?;
        let differs = |address: &&Address| address.is_encrypted() != addresses[0].is_encrypted();
        if addresses.iter().any(|address| differs(&address)) {
            return Err(refused(ConfigError::new(
                "some of the addresses ask for TLS and some do not; write `rediss://` in all of them, or in none",
            )));
        }
        Ok(addresses)
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        is_encrypted(&self.info)
    }

    pub(crate) fn speaking(&self, protocol: ProtocolVersion) -> ConnectionInfo {
        speaking(&self.info, protocol)
    }
}

pub(crate) fn speaking(info: &ConnectionInfo, protocol: ProtocolVersion) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_protocol(protocol);
    info.clone().set_redis_settings(settings)
}

fn is_encrypted(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

fn certificates_of(url: &str) -> Result<Option<TlsCertificates>, ConfigError> {
    let Some(url) = parse_redis_url(url) else { return Ok(None) };
    let read = |parameter: &str| {
        let file = url.query_pairs().find(|(name, _)| name == parameter);
        file.map(|(_, file)| read_pem(parameter, Path::new(&*file))).transpose()
    };
    let root_cert = read("sslrootcert")?;
    let client_tls = match (read("sslcert")?, read("sslkey")?) {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        (None, None) => None,
        _ => return Err(ConfigError::new("the address names one of `sslcert` and `sslkey`; name both, or neither")),
    };
    let names_some = root_cert.is_some() || client_tls.is_some();
    Ok(names_some.then_some(TlsCertificates { client_tls, root_cert }))
}

fn refused(error: ConfigError) -> StoreError {
    StoreError::refused(NAME, error).naming_causes()
}

fn start_failed(error: redis::RedisError) -> StoreError {
    store_error(error).naming_causes()
}
