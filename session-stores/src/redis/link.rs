use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, Value};

use super::cluster::Cluster;
use super::refused::until_accepted;
use super::scripts::Script;
use super::server::Server;
use super::slots::Node;

/// The connection to the server or the servers.
#[derive(Clone)]
pub(crate) enum Link {
    Server(Server),
    Manager(ConnectionManager),
    Cluster(Cluster),
}

/// The position of a scan of all keys.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    node: Option<Arc<Node>>,
    cursor: u64,
}

impl Link {
    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Link::Server(server) => server.query(command).await,
            Link::Manager(manager) => until_accepted(|| once(manager, command)).await,
            Link::Cluster(cluster) => cluster.query(command).await,
        }
    }

    /// Runs a script. Takes one round trip, or two if the server does not have the script yet.
    pub(crate) async fn run(&self, script: &Script, keys: &[&str], arguments: &[&[u8]]) -> RedisResult<Value> {
        let answer = self.query(&call("EVALSHA", &script.hash, keys, arguments)).await;
        match answer {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.query(&call("EVAL", &script.source, keys, arguments)).await
            }
            answer => answer,
        }
    }

    /// Begins a scan of all keys on every master. Returns the first names, and where to continue.
    pub(crate) async fn start_scan(&self, pattern: &str, count: usize) -> RedisResult<(Vec<Vec<u8>>, Vec<Position>)> {
        let command = scan(0, pattern, count);
        let answers = match self {
            Link::Cluster(cluster) => {
                let answers = cluster.query_masters(&command).await?;
                answers.into_iter().map(|(node, answer)| (Some(node), answer)).collect()
            }
            _ => vec![(None, self.query(&command).await?)],
        };
        let (mut found, mut positions) = (Vec::new(), Vec::new());
        for (node, answer) in answers {
            let (cursor, names): (u64, Vec<Vec<u8>>) = redis::from_redis_value(answer)?;
            found.extend(names);
            if cursor != 0 {
                positions.push(Position { node, cursor });
            }
        }
        Ok((found, positions))
    }

    /// Continues a scan. Returns more names, and where to continue if there are still more.
    pub(crate) async fn go_on(
        &self,
        position: &Position,
        pattern: &str,
        count: usize,
    ) -> RedisResult<(Vec<Vec<u8>>, Option<Position>)> {
        let command = scan(position.cursor, pattern, count);
        let answer = match (self, &position.node) {
            (Link::Cluster(cluster), Some(node)) => cluster.query_node(node, &command).await?,
            _ => self.query(&command).await?,
        };
        let (cursor, names): (u64, Vec<Vec<u8>>) = redis::from_redis_value(answer)?;
        let next = (cursor != 0).then(|| Position { node: position.node.clone(), cursor });
        Ok((names, next))
    }
}

async fn once(manager: &ConnectionManager, command: &Cmd) -> RedisResult<Value> {
    command.query_async(&mut manager.clone()).await
}

fn call(command: &str, script: &str, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
    let mut call = redis::cmd(command);
    call.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    call
}

fn scan(cursor: u64, pattern: &str, count: usize) -> Cmd {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(count);
    scan
}
