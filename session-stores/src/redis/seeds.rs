use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult};

use super::slots::{Node, Slots};
use super::source::{ANSWER_LIMIT, CONNECT_LIMIT};

/// Where a client of a cluster connects first. The other servers are found from there.
pub(crate) enum Seeds {
    /// These, and whatever servers were found since.
    Addresses(Vec<ConnectionInfo>, ProtocolVersion),
    /// With the application's own settings, which can't be extended.
    Settings(Box<ClusterClient>),
}

impl Seeds {
    pub(crate) fn of_urls(urls: &[&str], protocol: ProtocolVersion) -> RedisResult<Self> {
        let addresses: RedisResult<Vec<ConnectionInfo>> = urls.iter().map(|url| url.into_connection_info()).collect();
        Ok(Seeds::Addresses(addresses?, protocol))
    }

    pub(crate) fn of_settings(settings: ClusterClientBuilder) -> RedisResult<Self> {
        Ok(Seeds::Settings(Box::new(build(settings)?)))
    }

    /// A client that may begin at each of the servers that are known by now: those that the application named may all be
    /// gone.
    pub(crate) fn client(&self, known: &Slots) -> RedisResult<ClusterClient> {
        match self {
            Seeds::Settings(client) => Ok((**client).clone()),
            Seeds::Addresses(named, protocol) => {
                let mut addresses = named.clone();
                let template = named.first();
                let found = template.into_iter().flat_map(|template| known.nodes().map(|node| at(template, node)));
                for address in found {
                    if !addresses.iter().any(|other| other.addr() == address.addr()) {
                        addresses.push(address);
                    }
                }
                build(ClusterClientBuilder::new(addresses).use_protocol(*protocol))
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
