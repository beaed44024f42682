use std::sync::Arc;

use redis::{Client, ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisResult};
use session_core::{ConfigError, StoreError};

use super::address::{Address, speaking};
use super::error::NAME;
use super::server::Server;
use super::slots::Node;
use super::source::Source;

/// How a server is reached that tells this host and this port as its own.
pub(crate) type AddressOf = Arc<dyn Fn(&str, u16) -> (String, u16) + Send + Sync>;

/// Where a cluster is looked for first, and how all of its servers are reached.
pub(crate) struct Seeds {
    /// User, password, encryption and protocol for all servers.
    template: ConnectionInfo,
    /// Whether a server that lacks the protocol is spoken to in RESP2.
    may_speak_resp2: bool,
    named: Vec<Node>,
    address_of: Option<AddressOf>,
}

impl Seeds {
    pub(crate) fn of_addresses(addresses: &[Address]) -> Result<Self, StoreError> {
        let infos = addresses.iter().map(|address| address.speaking(ProtocolVersion::RESP3)).collect();
        Ok(Seeds { may_speak_resp2: true, ..Seeds::new(infos, None)? })
    }

    pub(crate) fn of_clients(
        clients: impl IntoIterator<Item = Client>,
        address_of: Option<AddressOf>,
    ) -> Result<Self, StoreError> {
        Seeds::new(clients.into_iter().map(|client| client.get_connection_info().clone()).collect(), address_of)
    }

    fn new(infos: Vec<ConnectionInfo>, address_of: Option<AddressOf>) -> Result<Self, StoreError> {
        let refused = |told| StoreError::refused(NAME, ConfigError::new(told)).naming_causes();
        let named: Option<Vec<Node>> = infos.iter().map(|info| node_at(info.addr())).collect();
        let named = named.ok_or_else(|| {
            refused("a cluster is not reached by a socket in the file system; write `redis://HOST:PORT`")
        })?;
        let template = infos.into_iter().next();
        let template = template.ok_or_else(|| refused("no server of the cluster was named; name at least one"))?;
        Ok(Seeds { template, may_speak_resp2: false, named, address_of })
    }

    /// The servers that the application has named, with their hosts.
    pub(crate) fn servers(&self) -> RedisResult<Vec<(String, Server)>> {
        self.named.iter().map(|node| Ok((node.host.clone(), self.at(&node.host, node.port)?))).collect()
    }

    /// A server that was found.
    pub(crate) fn server(&self, node: &Node) -> RedisResult<Server> {
        match &self.address_of {
            Some(address_of) => {
                let (host, port) = address_of(&node.host, node.port);
                self.at(&host, port)
            }
            None => self.at(&node.host, node.port),
        }
    }

    fn at(&self, host: &str, port: u16) -> RedisResult<Server> {
        let info = at(&self.template, host, port);
        let source = |info| Ok::<_, redis::RedisError>(Source::server(Client::open(info)?));
        let older = self.may_speak_resp2.then(|| source(speaking(&info, ProtocolVersion::RESP2))).transpose()?;
        let source = source(info)?;
        Ok(Server::in_cluster(match older {
            Some(older) => source.or(older),
            None => source,
        }))
    }
}

fn node_at(address: &ConnectionAddr) -> Option<Node> {
    match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Some(Node { host: host.clone(), port: *port })
        }
        _ => None,
    }
}

/// The same user, password and encryption, at another server.
fn at(template: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let host = host.to_owned();
    let address = match template.addr().clone() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure, tls_params }
        }
        _ => ConnectionAddr::Tcp(host, port),
    };
    template.clone().set_addr(address)
}
