use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, Value};
use session_core::internals::Backoff;

use super::source::{ANSWER_LIMIT, CONNECT_LIMIT};

/// How often a command is sent again after a server has redirected it.
const REDIRECTS: usize = 5;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(80));

/// The connections to a cluster.
///
/// The client library must not repeat commands by itself, because it would also repeat one whose connection broke:
/// a save that took effect would then be taken for a conflict. A command that a server redirects has not been
/// executed, so it is sent again here.
#[derive(Clone)]
pub(crate) struct Cluster(ClusterConnection);

/// One server of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    host: String,
    port: u16,
}

impl Cluster {
    pub(crate) async fn connect(builder: ClusterClientBuilder) -> RedisResult<Self> {
        let client: ClusterClient =
            builder.retries(0).connection_timeout(CONNECT_LIMIT).response_timeout(ANSWER_LIMIT).build()?;
        // Boxed for the reason that is given at `Server::connection`.
        let connecting: BoxFuture<'_, _> = Box::pin(client.get_async_connection());
        Ok(Cluster(connecting.await?))
    }

    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.0.clone();
        let mut pauses = BACKOFF.pauses().take(REDIRECTS);
        loop {
            let error = match command.query_async(&mut connection).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            if let (ErrorKind::Server(ServerErrorKind::Ask), Some((address, _))) = (error.kind(), error.redirect_node())
            {
                return self.ask(command, address).await;
            }
            let is_moved =
                matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::TryAgain));
            let Some(pause) = pauses.next().filter(|_| is_moved) else { return Err(error) };
            // Meanwhile the library loads the new map of slots.
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a command to the server to which its slot is moving, after an ASK redirection.
    async fn ask(&self, command: &Cmd, address: &str) -> RedisResult<Value> {
        let Some(node) = Node::parse(address) else {
            return Err((ErrorKind::ClusterConnectionNotFound, "a redirection names no server").into());
        };
        let mut asking = redis::pipe();
        asking.cmd("ASKING").add_command(command.clone());
        let mut answers = self.0.clone().route_pipeline(asking, 1, 1, node.routing()).await?;
        answers.pop().unwrap_or(Value::Nil).extract_error()
    }

    /// Sends a command to every master.
    pub(crate) async fn query_masters(&self, command: &Cmd) -> RedisResult<Vec<(Node, Value)>> {
        let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answer = self.0.clone().route_command(command.clone(), masters).await?;
        let answers: Vec<(String, Value)> = FromRedisValue::from_redis_value(answer)?;
        Ok(answers.into_iter().filter_map(|(address, answer)| Some((Node::parse(&address)?, answer))).collect())
    }

    pub(crate) async fn query_node(&self, node: &Node, command: &Cmd) -> RedisResult<Value> {
        self.0.clone().route_command(command.clone(), RoutingInfo::SingleNode(node.routing())).await?.extract_error()
    }
}

impl Node {
    fn parse(address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        Some(Node { host: host.to_owned(), port: port.parse().ok()? })
    }

    fn routing(&self) -> SingleNodeRoutingInfo {
        SingleNodeRoutingInfo::ByAddress { host: self.host.clone(), port: self.port }
    }
}
