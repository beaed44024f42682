use std::io;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, ProtocolVersion, PushInfo, RedisConnectionInfo,
    RedisError, RedisResult, ServerErrorKind, TlsMode,
};
use session_core::StoreError;

use super::address::Address;
use super::error::{NAME, store_error};
use crate::address::check_name;
use crate::tls::choose_provider;

/// How long a server may take to answer a command. Three attempts fit into the manager's default `time_limit` of 5 s.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_millis(1500);
/// How long connecting may take.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long finding the master may take. It may need answers of several sentinels.
const SENTINEL_LIMIT: Duration = Duration::from_secs(3);

/// Opens connections.
pub(crate) struct Source {
    endpoint: Endpoint,
    /// Connects with RESP2, for a server that does not support RESP3.
    older: Option<Endpoint>,
    /// The server of the last connection.
    connected_to: Option<ConnectionAddr>,
}

enum Endpoint {
    Server(Box<Client>),
    Sentinels(Box<SentinelClient>),
}

impl Source {
    /// Opens connections to the server at this address.
    pub(crate) fn of_address(address: &Address, protocol: ProtocolVersion) -> Result<Self, StoreError> {
        Ok(Source::server(Client::open(address.speaking(protocol)).map_err(store_error)?))
    }

    /// Opens connections to the master with this name, which the sentinels at these addresses find.
    pub(crate) fn of_sentinels(
        sentinels: &[Address],
        master: &str,
        protocol: ProtocolVersion,
    ) -> Result<Self, StoreError> {
        check_name("the name of the master", master).map_err(|error| StoreError::refused(NAME, error))?;
        let client = match sentinels.first() {
            Some(first) if first.is_encrypted() => encrypted(first, sentinels, master, protocol),
            _ => {
                let settings = RedisConnectionInfo::default().set_protocol(protocol);
                let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
                let sentinels = sentinels.iter().map(|sentinel| sentinel.info.clone()).collect();
                SentinelClient::build(sentinels, master, Some(node), SentinelServerType::Master)
            }
        };
        Ok(Source::sentinels(client.map_err(store_error)?))
    }

    pub(crate) fn server(client: Client) -> Self {
        Source { endpoint: Endpoint::Server(Box::new(client)), older: None, connected_to: None }
    }

    pub(crate) fn sentinels(client: SentinelClient) -> Self {
        Source { endpoint: Endpoint::Sentinels(Box::new(client)), older: None, connected_to: None }
    }

    /// Uses `older` if the server does not support RESP3.
    pub(crate) fn or(mut self, older: Source) -> Self {
        self.older = Some(older.endpoint);
        self
    }

    /// Whether others than the server itself know who is master.
    pub(crate) fn has_sentinels(&self) -> bool {
        matches!(self.endpoint, Endpoint::Sentinels(_))
    }

    pub(crate) async fn connect(
        &mut self,
        on_push: impl Fn(PushInfo) + Send + Sync + Clone + 'static,
    ) -> RedisResult<MultiplexedConnection> {
        let answer = self.endpoint.connect(on_push.clone()).await;
        let (address, connection) = match (answer, &mut self.older) {
            (Err(error), Some(older)) if may_lack_resp3(&error) => {
                let connected = older.connect(on_push).await.map_err(|_| error)?;
                self.endpoint = self.older.take().expect("it has just connected");
                connected
            }
            (answer, _) => answer?,
        };
        self.connected_to = Some(address);
        Ok(connection)
    }

    /// Whether the sentinels name the server of the last connection.
    pub(crate) async fn is_still_master(&mut self) -> RedisResult<bool> {
        let client = self.endpoint.client().await?;
        Ok(self.connected_to.as_ref() == Some(client.get_connection_info().addr()))
    }
}

/// A client of sentinels by TLS, and of the servers that they name: with the certificates of the first address, and its
/// user and password for all sentinels. No other way to make one takes certificates for the servers.
fn encrypted(
    first: &Address,
    sentinels: &[Address],
    master: &str,
    protocol: ProtocolVersion,
) -> RedisResult<SentinelClient> {
    choose_provider();
    let addresses = sentinels.iter().map(|sentinel| sentinel.info.addr().clone());
    let mut settings = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_redis_tls_mode(TlsMode::Secure)
        .set_client_to_redis_protocol(protocol);
    if let Some(certificates) = &first.certificates {
        settings = settings.set_client_to_redis_certificates(certificates.clone());
    }
    let user = first.info.redis_settings();
    if let Some(name) = user.username() {
        settings = settings.set_client_to_sentinel_username(name);
    }
    if let Some(password) = user.password() {
        settings = settings.set_client_to_sentinel_password(password);
    }
    settings.build()
}

/// Whether the error may mean that the server, or a proxy before it, does not support RESP3. They say so in different
/// ways.
fn may_lack_resp3(error: &RedisError) -> bool {
    let kinds = [ErrorKind::RESP3NotSupported, ErrorKind::Extension, ErrorKind::Server(ServerErrorKind::ResponseError)];
    kinds.contains(&error.kind())
}

impl Endpoint {
    /// A client of the server, or of the master that the sentinels name and that says so itself.
    async fn client(&mut self) -> RedisResult<Client> {
        match self {
            Endpoint::Server(client) => Ok((**client).clone()),
            Endpoint::Sentinels(sentinels) => within(SENTINEL_LIMIT, sentinels.async_get_client()).await,
        }
    }

    async fn connect(
        &mut self,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> RedisResult<(ConnectionAddr, MultiplexedConnection)> {
        let client = self.client().await?;
        let address = client.get_connection_info().addr().clone();
        Ok((address, within(CONNECT_LIMIT, open(client, on_push)).await?))
    }
}

async fn open(
    client: Client,
    on_push: impl Fn(PushInfo) + Send + Sync + 'static,
) -> RedisResult<MultiplexedConnection> {
    if let ConnectionAddr::TcpTls { .. } = client.get_connection_info().addr() {
        choose_provider();
    }
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT));
    if client.get_connection_info().redis_settings().protocol() != ProtocolVersion::RESP2 {
        config = config.set_push_sender(move |push| {
            on_push(push);
            Ok::<(), redis::aio::SendError>(())
        });
    }
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Ends work that takes longer with an error, as if the server had not answered.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(answer) => answer,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}
