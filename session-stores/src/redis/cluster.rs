use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use scopeguard::{ScopeGuard, guard};
use tokio::sync::OwnedMutexGuard;

use super::refused::{until_accepted, was_refused};
use super::seeds::Seeds;
use super::server::Server;
use super::slots::{Node, Redirection, Slots, slot_of};
use super::source::within;

/// After how long without an answer the other servers are asked for the map.
const LATE: Duration = Duration::from_millis(300);
/// The same for a caller that gives up before. One that gives up sooner says nothing about the server.
const GIVEN_UP: Duration = Duration::from_millis(50);
/// How long a server may take to tell the map of slots.
const LOOK_LIMIT: Duration = Duration::from_millis(500);
/// How long to wait between two looks at the map of slots.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a command goes at once to where it is redirected. Servers that disagree about a slot get a pause then.
const REDIRECTIONS: usize = 3;

/// A cluster: the map of slots, and a connection to each server that is needed.
///
/// The client library's own connection to a cluster is not used. Under load it may wait for ever for a lock that one of
/// its own requests holds, when it is told that a slot has moved. It would also repeat a command whose connection broke:
/// a save that took effect would then be taken for a conflict.
///
/// **Redirections.** A command that a server redirects has not been executed, so it goes at once to the server that was
/// named, and the map is corrected.
///
/// **Silent servers.** A server that is frozen, or behind a cable that was pulled, redirects nobody, though its replica
/// was promoted long ago. So while an answer is late, the other servers are asked for the map in the background. The
/// silent one is not asked: when it thaws, it tells the old map until it hears of the others. The servers that the
/// application has named are asked only if nobody else answers, because it may be one of them.
#[derive(Clone)]
pub(crate) struct Cluster(Arc<Inner>);

struct Inner {
    seeds: Seeds,
    state: Mutex<State>,
    /// When the last look at the map began. Locked while somebody looks, so that one caller looks for all.
    looked: Arc<tokio::sync::Mutex<Instant>>,
}

struct State {
    slots: Slots,
    servers: HashMap<Arc<Node>, Server>,
}

impl Cluster {
    pub(crate) async fn connect(seeds: Seeds) -> RedisResult<Self> {
        let began = Instant::now();
        let slots = map_of_any(&seeds.servers()?).await?;
        let looked = Arc::new(tokio::sync::Mutex::new(began));
        let state = Mutex::new(State { slots, servers: HashMap::new() });
        let cluster = Cluster(Arc::new(Inner { seeds, state, looked }));
        cluster.reach().await?;
        Ok(cluster)
    }

    /// Fails if no master answers at the address that the servers tell: it may be one inside another network.
    async fn reach(&self) -> RedisResult<()> {
        let (ping, masters) = (redis::cmd("PING"), self.masters());
        let asking = masters.iter().map(|master| async { self.0.server(master)?.once(&ping, false).await? });
        let Err(error) = first(asking).await else { return Ok(()) };
        if !error.is_io_error() {
            return Err(error);
        }
        let addresses: Vec<String> = masters.iter().map(|node| format!("{}:{}", node.host, node.port)).collect();
        let told = format!("at the addresses that the cluster tells, {}: {error}", addresses.join(" "));
        Err((ErrorKind::ClusterConnectionNotFound, "no master is reached", told).into())
    }

    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        until_accepted(|| self.once(command)).await
    }

    /// Sends a command to the server that has its slot, and to where it is redirected.
    async fn once(&self, command: &Cmd) -> RedisResult<Value> {
        let slot = slot_of(command);
        let mut began = Instant::now();
        let mut node = self.0.state().slots.master(slot).clone();
        let mut answer = self.send(&node, command, false).await;
        for _ in 0..REDIRECTIONS {
            let next = match &answer {
                Ok(Ok(_)) => break,
                Ok(Err(error)) => self.redirected(error, &node),
                // Nothing was sent, so another server may be asked, if a promotion is why there is no connection. Somebody
                // else may have its address by now, and refuse our password.
                Err(_) => {
                    self.look_after(began, &node).await;
                    Some((self.0.state().slots.master(slot).clone(), false)).filter(|(master, _)| *master != node)
                }
            };
            let Some((next, is_asking)) = next else { break };
            (node, began) = (next, Instant::now());
            answer = self.send(&node, command, is_asking).await;
        }
        answer?
    }

    /// Sends a command to every master. The map is asked for before: no answer tells that an old one lacks a master.
    pub(crate) async fn query_masters(&self, command: &Cmd) -> RedisResult<Vec<(Arc<Node>, Value)>> {
        let slots = self.told(None).await?;
        let masters: Vec<_> = slots.all_masters()?.into_iter().cloned().collect();
        self.take(slots);
        let asking = masters.into_iter().map(|master| async move {
            let answer = self.query_node(&master, command).await?;
            Ok((master, answer))
        });
        try_join_all(asking).await
    }

    pub(crate) async fn query_node(&self, node: &Arc<Node>, command: &Cmd) -> RedisResult<Value> {
        until_accepted(|| async { self.send(node, command, false).await? }).await
    }

    /// Sends a command to a server once. If it does not answer soon, or may have lost its slots, somebody asks the others
    /// for the map. The outer error is that nothing was sent.
    async fn send(&self, node: &Arc<Node>, command: &Cmd, is_asking: bool) -> Result<RedisResult<Value>, RedisError> {
        let server = self.0.server(node)?;
        // A caller may give up before it is clear that a server is silent: see `server.rs`.
        let unheard = guard(Instant::now(), |began| {
            if began.elapsed() >= GIVEN_UP {
                self.look_beside(node);
            }
        });
        let mut answer = pin!(server.once(command, is_asking));
        let answer = match tokio::time::timeout(LATE, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                self.look_beside(node);
                answer.await
            }
        };
        ScopeGuard::into_inner(unheard);
        let is_in_doubt = match &answer {
            Ok(answer) => answer.as_ref().is_err_and(may_have_lost_slots),
            Err(_) => true,
        };
        if is_in_doubt {
            self.look_beside(node);
        }
        answer
    }

    /// Where the error of a server says that a command belongs, and whether that server is to be asked this once.
    fn redirected(&self, error: &RedisError, node: &Node) -> Option<(Arc<Node>, bool)> {
        match Redirection::parse(error, &node.host)? {
            Redirection::Ask(node) => Some((Arc::new(node), true)),
            Redirection::Moved(slot, master) => Some((self.0.state().slots.note(slot, master), false)),
        }
    }

    fn masters(&self) -> Vec<Arc<Node>> {
        self.0.state().slots.masters().into_iter().cloned().collect()
    }

    /// Looks at the map in the background, unless somebody does.
    fn look_beside(&self, doubted: &Arc<Node>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let Ok(looked) = self.0.looked.clone().try_lock_owned() else { return };
        runtime.spawn(self.clone().look(looked, doubted.clone()));
    }

    /// Returns when somebody has looked at the map after this moment.
    async fn look_after(&self, moment: Instant, doubted: &Arc<Node>) {
        let looked = self.0.looked.clone().lock_owned().await;
        if *looked < moment {
            self.clone().look(looked, doubted.clone()).await;
        }
    }

    /// Takes the map that is told first.
    async fn look(self, mut looked: OwnedMutexGuard<Instant>, doubted: Arc<Node>) {
        tokio::time::sleep(LOOK_EVERY.saturating_sub(looked.elapsed())).await;
        let began = Instant::now();
        // If nobody tells it, the next error makes somebody look again.
        if let Ok(slots) = self.told(Some(&doubted)).await {
            self.take(slots);
        }
        *looked = began;
    }

    fn take(&self, slots: Slots) {
        let mut state = self.0.state();
        state.servers.retain(|node, _| slots.nodes().contains(node));
        state.slots = slots;
    }

    /// The map, told by other servers than the one that is doubted. Masters come first, because most have a connection.
    async fn told(&self, doubted: Option<&Node>) -> RedisResult<Slots> {
        let is_fine = |node: &&Arc<Node>| Some(&***node) != doubted;
        let (masters, others) = {
            let State { slots, .. } = &*self.0.state();
            let masters: Vec<_> = slots.masters().into_iter().filter(is_fine).cloned().collect();
            let others = slots.nodes().iter().filter(is_fine).filter(|node| !masters.contains(node)).cloned().collect();
            (masters, others)
        };
        for nodes in [masters, others] {
            let servers: Vec<_> =
                nodes.iter().filter_map(|node| Some((node.host.clone(), self.0.server(node).ok()?))).collect();
            if let Ok(slots) = within(LOOK_LIMIT, map_of_any(&servers)).await {
                return Ok(slots);
            }
        }
        within(LOOK_LIMIT, map_of_any(&self.0.seeds.servers()?)).await
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self, node: &Arc<Node>) -> RedisResult<Server> {
        if let Some(server) = self.state().servers.get(node) {
            return Ok(server.clone());
        }
        // Without the lock, because it asks the application for the address.
        let server = self.seeds.server(node)?;
        Ok(self.state().servers.entry(node.clone()).or_insert(server).clone())
    }
}

/// The map of slots, by whichever of these servers tells it first. They come with their hosts.
async fn map_of_any(servers: &[(String, Server)]) -> RedisResult<Slots> {
    first(servers.iter().map(|(host, server)| async move {
        let answer = server.once(redis::cmd("CLUSTER").arg("SLOTS"), false).await?;
        Slots::parse(answer?, host)
    }))
    .await
}

/// What succeeds first. If nothing does, the error of the one that is first in order.
async fn first<T>(asking: impl Iterator<Item = impl Future<Output = RedisResult<T>>>) -> RedisResult<T> {
    let ordered = asking.enumerate().map(|(place, answer)| async move { (place, answer.await) });
    let mut answers: FuturesUnordered<_> = ordered.collect();
    let mut failure = (usize::MAX, RedisError::from((ErrorKind::ClusterConnectionNotFound, "no server is known")));
    while let Some((place, answer)) = answers.next().await {
        match answer {
            Ok(answer) => return Ok(answer),
            Err(error) if place < failure.0 => failure = (place, error),
            Err(_) => {}
        }
    }
    Err(failure.1)
}

/// Whether another server may have the slots of the one that is silent or refuses. Those that are moving are still there.
fn may_have_lost_slots(error: &RedisError) -> bool {
    let is_moving = [ServerErrorKind::Ask, ServerErrorKind::TryAgain].map(ErrorKind::Server).contains(&error.kind());
    error.is_io_error() || (was_refused(error) && !is_moving)
}
