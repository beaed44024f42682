use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, ResponsePolicy, RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, Value};
use scopeguard::{ScopeGuard, guard};

use super::refused::until_accepted;
use super::seeds::Seeds;
use super::slots::{Node, Slots};
use super::source::{CONNECT_LIMIT, within};

/// After how long without an answer somebody looks for the reason.
const LATE: Duration = Duration::from_millis(300);
/// How long a server may take to tell the map of slots.
const LOOK_LIMIT: Duration = Duration::from_millis(500);
/// How long to wait between two looks at the map of slots, while servers are silent.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long to wait before all connections are made anew although the map is the same.
const RECONNECT_EVERY: Duration = Duration::from_secs(2);
/// The same where no server answered on the present ones.
const RESTART_EVERY: Duration = Duration::from_millis(500);
/// How long connecting to all servers may take. Those that do not answer take a limit of their own, side by side, once
/// as the first to be asked and once as servers of the map.
const REPLACE_LIMIT: Duration = Duration::from_secs(5);

/// The connections to a cluster.
///
/// The client library must not repeat commands by itself, because it would also repeat one whose connection broke:
/// a save that took effect would then be taken for a conflict. A command that a server redirects or refuses has not been
/// executed, so it is sent again here.
///
/// **Silent servers.** The library keeps a connection that never breaks, and asks for a new map of slots only when a
/// server redirects it. A server that is frozen, or behind a cable that was pulled, does neither, though its replica was
/// promoted long ago. So while an answer is late, the other servers are asked for the map, in the background. If it has
/// changed, or the silent server is reached by a new connection, a new client takes the place of the old one. Until then
/// the old one goes on: the library serves nobody while it connects to a server that is silent.
///
/// **A silent library.** Under load it stops for good, now and then, when it is to load a new map of slots: it waits for
/// a lock that one of its requests holds, and goes on with none of them meanwhile. Then no server seems to answer, and a
/// new client takes the place of the old one soon enough for the caller's next attempt.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Inner>);

struct Inner {
    seeds: Seeds,
    state: Mutex<State>,
}

struct State {
    connection: ClusterConnection,
    /// The map of slots when the connections were made.
    slots: Slots,
    made: Instant,
    is_looking: bool,
    is_probing: bool,
    looked: Option<Instant>,
}

/// What somebody has met who waited for an answer.
#[derive(Clone, Copy)]
enum Silence {
    /// It may come yet.
    Late,
    /// It will not.
    Final,
}

impl Cluster {
    pub(crate) async fn connect(seeds: Seeds) -> RedisResult<Self> {
        let client = seeds.client(&Slots::default())?;
        let (connection, slots) = open(&client).await?;
        let state =
            State { connection, slots, made: Instant::now(), is_looking: false, is_probing: false, looked: None };
        Ok(Cluster(Arc::new(Inner { seeds, state: Mutex::new(state) })))
    }

    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        // While it pauses, the library loads the new map of slots.
        until_accepted(|| self.once(command)).await
    }

    /// Sends a command once, to the server that has its slot.
    async fn once(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.connection();
        // A caller may give up before it is clear that a server is silent: see `server.rs`.
        let unheard = guard((), |()| self.probe());
        let answer = self.heard(command.query_async(&mut connection)).await;
        ScopeGuard::into_inner(unheard);
        match answer {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Ask) => self.ask(command, &error).await,
            answer => answer,
        }
    }

    /// Sends a command to the server to which its slot is moving, after an ASK redirection.
    async fn ask(&self, command: &Cmd, redirection: &RedisError) -> RedisResult<Value> {
        let Some(node) = redirection.redirect_node().and_then(|(address, _)| Node::parse(address)) else {
            return Err((ErrorKind::ClusterConnectionNotFound, "a redirection names no server").into());
        };
        let mut asking = redis::pipe();
        asking.cmd("ASKING").add_command(command.clone());
        let mut connection = self.connection();
        let answers = self.heard(connection.route_pipeline(asking, 1, 1, routing(&node))).await;
        answers?.pop().unwrap_or(Value::Nil).extract_error()
    }

    /// Sends a command to every master.
    pub(crate) async fn query_masters(&self, command: &Cmd) -> RedisResult<Vec<(Node, Value)>> {
        self.heard(every_master(self.connection(), command)).await
    }

    pub(crate) async fn query_node(&self, node: &Node, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.connection();
        let route = RoutingInfo::SingleNode(routing(node));
        self.heard(connection.route_command(command.clone(), route)).await?.extract_error()
    }

    fn connection(&self) -> ClusterConnection {
        self.0.state().connection.clone()
    }

    /// Finds out, beside all callers, whether a server is silent.
    fn probe(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut state = self.0.state();
        if state.is_probing {
            return;
        }
        state.is_probing = true;
        drop(state);
        let probing = guard(self.clone(), |cluster| cluster.0.state().is_probing = false);
        runtime.spawn(async move {
            // Whatever it is, it has been heard.
            let _ = probing.query_masters(&redis::cmd("PING")).await;
        });
    }

    /// Waits for an answer. If it is late, or is that there is none, somebody looks for what has changed.
    async fn heard<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let mut answer = pin!(answer);
        let answer = match tokio::time::timeout(LATE, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.look_beside(Silence::Late);
                answer.await
            }
        };
        if answer.as_ref().is_err_and(is_unreachable) {
            self.look_beside(Silence::Final);
        }
        answer
    }

    /// Looks for what has changed, in the background, unless somebody does or has just done so.
    fn look_beside(&self, silence: Silence) {
        let mut state = self.0.state();
        if state.is_looking || state.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        state.is_looking = true;
        drop(state);
        let looking = guard(self.clone(), |cluster| {
            let mut state = cluster.0.state();
            (state.is_looking, state.looked) = (false, Some(Instant::now()));
        });
        tokio::spawn(async move {
            // If it fails, the next error makes somebody look again.
            let _ = looking.look(silence).await;
        });
    }

    /// Replaces the connections if the servers say that slots are elsewhere, or if all masters are reached by new ones.
    async fn look(&self, silence: Silence) -> RedisResult<()> {
        let (connection, before, made) = {
            let state = self.0.state();
            (state.connection.clone(), state.slots.clone(), state.made)
        };
        // Whoever answers first. If nobody can be asked, the connections may all be broken.
        let present = within(LOOK_LIMIT, slots_of(connection)).await;
        let has_changed = present.as_ref().is_ok_and(|present| *present != before);
        let pause = match (&present, silence) {
            _ if has_changed => Duration::ZERO,
            (Err(_), _) => RESTART_EVERY,
            (Ok(_), Silence::Final) => RECONNECT_EVERY,
            // One server is slow.
            (Ok(_), Silence::Late) => return Ok(()),
        };
        if made.elapsed() < pause {
            return Ok(());
        }
        let client = self.0.seeds.client(present.as_ref().unwrap_or(&before))?;
        let made = Instant::now();
        let replaced = within(REPLACE_LIMIT, open(&client)).await;
        let mut is_better = false;
        if let Ok((connection, slots)) = &replaced {
            is_better = has_changed || *slots != before || reaches_every_master(connection.clone(), slots).await;
        }
        let mut state = self.0.state();
        state.made = made;
        if let (Ok((connection, slots)), true) = (replaced, is_better) {
            (state.connection, state.slots) = (connection, slots);
        }
        Ok(())
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn open(client: &ClusterClient) -> RedisResult<(ClusterConnection, Slots)> {
    // Boxed for the reason that is given at `Server::connection`.
    let connecting: BoxFuture<'_, _> = Box::pin(client.get_async_connection());
    let connection = connecting.await?;
    let slots = slots_of(connection.clone()).await?;
    Ok((connection, slots))
}

/// The map of slots, by whichever server answers first.
async fn slots_of(mut connection: ClusterConnection) -> RedisResult<Slots> {
    let anyone = MultipleNodeRoutingInfo::AllNodes;
    let anyone = RoutingInfo::MultiNode((anyone, Some(ResponsePolicy::OneSucceeded)));
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    Slots::parse(connection.route_command(command, anyone).await?.extract_error()?)
}

/// Whether no master of the map is without a connection.
async fn reaches_every_master(connection: ClusterConnection, slots: &Slots) -> bool {
    let answers = within(CONNECT_LIMIT, every_master(connection, &redis::cmd("PING"))).await;
    answers.is_ok_and(|answers| answers.len() == slots.masters().len())
}

async fn every_master(mut connection: ClusterConnection, command: &Cmd) -> RedisResult<Vec<(Node, Value)>> {
    let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    let answer = connection.route_command(command.clone(), masters).await?;
    let answers: Vec<(String, Value)> = FromRedisValue::from_redis_value(answer)?;
    Ok(answers.into_iter().filter_map(|(address, answer)| Some((Node::parse(&address)?, answer))).collect())
}

fn routing(node: &Node) -> SingleNodeRoutingInfo {
    SingleNodeRoutingInfo::ByAddress { host: node.host.clone(), port: node.port }
}

/// Whether a server did not answer, or there is no connection to it.
fn is_unreachable(error: &RedisError) -> bool {
    error.is_io_error() || error.kind() == ErrorKind::ClusterConnectionNotFound
}
