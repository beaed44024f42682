use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::{ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisResult};

use super::address::Address;
use super::slots::{Node, Slots};
use super::source::{ANSWER_LIMIT, CONNECT_LIMIT};
use crate::tls::choose_provider;

/// Where a client of a cluster connects first. The other servers are found from there.
pub(crate) enum Seeds {
    /// These, and whatever servers were found since.
    Addresses(Vec<Address>, ProtocolVersion),
    /// With the application's own settings, which can't be extended.
    Settings(Box<ClusterClient>),
}

impl Seeds {
    pub(crate) fn of_addresses(addresses: &[Address], protocol: ProtocolVersion) -> Self {
        if addresses.iter().any(Address::is_encrypted) {
            choose_provider();
        }
        Seeds::Addresses(addresses.to_vec(), protocol)
    }

    pub(crate) fn of_settings(settings: ClusterClientBuilder) -> RedisResult<Self> {
        // Whether they encrypt can't be seen.
        choose_provider();
        Ok(Seeds::Settings(Box::new(build(settings)?)))
    }

    /// A client that may begin at each of the servers that are known by now: those that the application named may all be
    /// gone.
    pub(crate) fn client(&self, known: &Slots) -> RedisResult<ClusterClient> {
        match self {
            Seeds::Settings(client) => Ok((**client).clone()),
            Seeds::Addresses(named, protocol) => {
                let mut addresses: Vec<ConnectionInfo> = named.iter().map(|address| address.info.clone()).collect();
                let template = named.first();
                let found = template.into_iter().flat_map(|first| known.nodes().map(|node| at(&first.info, node)));
                for address in found {
                    if !addresses.iter().any(|other| other.addr() == address.addr()) {
                        addresses.push(address);
                    }
                }
                let settings = ClusterClientBuilder::new(addresses).use_protocol(*protocol);
                // For the servers that the library finds by itself.
                match template.and_then(|first| first.certificates.clone()) {
                    Some(certificates) => build(settings.certs(certificates)),
                    None => build(settings),
                }
            }
        }
    }
}

fn build(settings: ClusterClientBuilder) -> RedisResult<ClusterClient> {
    settings.retries(0).connection_timeout(CONNECT_LIMIT).response_timeout(ANSWER_LIMIT).build()
}

/// The same user, password and encryption, at another server.
fn at(template: &ConnectionInfo, node: &Node) -> ConnectionInfo {
    let address = match template.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host: node.host.clone(), port: node.port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(node.host.clone(), node.port),
    };
    template.clone().set_addr(address)
}
