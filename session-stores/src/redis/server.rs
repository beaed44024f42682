use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, PushInfo, PushKind, RedisError, RedisResult, Value};
use scopeguard::{ScopeGuard, guard};

use super::refused::{until_accepted, was_refused};
use super::source::Source;

/// How long one failure to connect is the answer for all callers.
const FAILURE_KEPT: Duration = Duration::from_millis(20);
/// How long a server that has answered is taken for the master without asking the sentinels. In less time they replace
/// none: `down-after-milliseconds` is a second or more.
const MASTER_FOR: Duration = Duration::from_secs(1);

/// One connection to a server, or to the master that sentinels name. All callers share it. It is opened when it is
/// first needed, and again after it broke.
///
/// No command is sent twice, but for one that the server has refused. If its reply is lost, the caller has to find out
/// whether it took effect.
///
/// A master that was frozen does not know that it was replaced: after it thaws, it answers for some 10 s before the
/// sentinels tell it. So whoever has heard nothing from it for a while asks them first.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    /// Locked while connecting, so that one caller connects for all.
    source: tokio::sync::Mutex<Source>,
    state: Mutex<State>,
    watch: Option<Arc<dyn Watch>>,
    has_sentinels: bool,
    /// Whether what it refuses is for another server, which it names. Elsewhere a new connection may reach another one.
    is_in_cluster: bool,
}

/// Is told what happens to the connection.
pub(crate) trait Watch: Send + Sync {
    /// The first command on each new connection.
    fn greeting(&self) -> Cmd;
    /// Called when the connection broke: messages of the server may be lost.
    fn lost(&self);
    /// Called when the server has answered a command that was sent at `sent`.
    fn answered(&self, sent: Instant);
    /// Called with each message that the server sends by itself.
    fn pushed(&self, push: &PushInfo);
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that a late error of an old connection does not close the new one.
    generation: u64,
    /// When the server was known to be the master: when the sentinels were asked that have named it, or the last command
    /// was sent that it has answered since.
    known_at: Option<Instant>,
    /// Whether sentinels have named it. If it is only believed, its answers prove nothing.
    is_named: bool,
    failure: Option<(Instant, RedisError)>,
    is_probing: bool,
}

impl Server {
    pub(crate) fn new(source: Source) -> Self {
        Server::with(source, None, false)
    }

    pub(crate) fn watched(source: Source, watch: Arc<dyn Watch>) -> Self {
        Server::with(source, Some(watch), false)
    }

    pub(crate) fn in_cluster(source: Source) -> Self {
        Server::with(source, None, true)
    }

    fn with(source: Source, watch: Option<Arc<dyn Watch>>, is_in_cluster: bool) -> Self {
        let has_sentinels = source.has_sentinels();
        Server(Arc::new(Inner {
            source: tokio::sync::Mutex::new(source),
            state: Mutex::default(),
            watch,
            has_sentinels,
            is_in_cluster,
        }))
    }

    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        until_accepted(|| async { self.once(command, false).await? }).await
    }

    /// Sends a command once. With `is_asking` it is for a slot that is moving to this server, as it was told elsewhere.
    ///
    /// The outer error is that there is no connection, so that nothing was sent.
    pub(crate) async fn once(&self, command: &Cmd, is_asking: bool) -> Result<RedisResult<Value>, RedisError> {
        let (generation, mut connection) = self.connection().await?;
        let sent = Instant::now();
        // If the caller gives up before it is clear that no answer will come, somebody else has to find out that the
        // connection is silent, or every caller who is as hasty would meet it again.
        let unheard = guard((), |()| self.probe(generation));
        let answer =
            if is_asking { ask(&mut connection, command).await } else { command.query_async(&mut connection).await };
        ScopeGuard::into_inner(unheard);
        match &answer {
            Err(error) if self.0.must_reconnect(error) => self.0.drop_connection(generation),
            _ => self.0.answered(generation, sent),
        }
        Ok(answer)
    }

    /// Closes the connection. The next call opens a new one.
    pub(crate) fn disconnect(&self) {
        let generation = self.0.state().generation;
        self.0.drop_connection(generation);
    }

    /// Finds out, beside all callers, whether the connection is silent.
    fn probe(&self, generation: u64) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut state = self.0.state();
        let Some((present, mut connection)) = state.open(false) else { return };
        if present != generation || state.is_probing {
            return;
        }
        state.is_probing = true;
        drop(state);
        let server = guard(self.clone(), |server| server.0.state().is_probing = false);
        runtime.spawn(async move {
            let answer: RedisResult<Value> = redis::cmd("PING").query_async(&mut connection).await;
            if answer.as_ref().is_err_and(|error| server.0.must_reconnect(error)) {
                server.0.drop_connection(generation);
            }
        });
    }

    pub(crate) fn downgrade(&self) -> impl Fn() -> Option<Server> + Send + use<> {
        let inner = Arc::downgrade(&self.0);
        move || inner.upgrade().map(Server)
    }

    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let open = self.0.state().open(self.0.has_sentinels);
        if let Some(open) = open {
            return Ok(open);
        }
        let believed = self.0.state().believe_again();
        if let Some(believed) = believed {
            tokio::spawn(self.clone().ask_again());
            return Ok(believed);
        }
        // Boxed, because the library's futures nest so deeply that the compiler reaches its recursion limit in
        // applications.
        let connecting: BoxFuture<'_, _> = Box::pin(self.connect());
        connecting.await
    }

    /// The open connection, if its server is still the master. Otherwise it is dropped.
    ///
    /// Where no sentinel answers, the server is believed: it may be all that is left. From then on nobody waits for the
    /// sentinels, who are asked beside the calls.
    async fn confirm(&self, source: &mut Source) -> Option<(u64, MultiplexedConnection)> {
        let asked = Instant::now();
        let (generation, connection) = self.0.state().open(false)?;
        let is_master = source.is_still_master().await;
        let mut state = self.0.state();
        match is_master {
            Ok(true) => state.known(generation, asked, true),
            Err(error) if error.kind() != ErrorKind::MasterNameNotFoundBySentinel => {
                state.known(generation, Instant::now(), false);
            }
            _ => {
                drop(state);
                self.0.drop_connection(generation);
                return None;
            }
        }
        Some((generation, connection))
    }

    async fn ask_again(self) {
        // Whoever holds the source asks as well.
        let Ok(mut source) = self.0.source.try_lock() else { return };
        let asking: BoxFuture<'_, _> = Box::pin(self.confirm(&mut source));
        asking.await;
    }

    async fn connect(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let asked = Instant::now();
        let mut source = self.0.source.lock().await;
        // Another caller may have asked or connected meanwhile.
        let open = self.0.state().open(self.0.has_sentinels);
        if let Some(open) = open {
            return Ok(open);
        }
        if let Some(open) = self.confirm(&mut source).await {
            return Ok(open);
        }
        let generation = {
            let mut state = self.0.state();
            // A caller that waited while another one failed to connect gets the same error.
            if let Some((at, error)) = &state.failure
                && (*at > asked || at.elapsed() < FAILURE_KEPT)
            {
                return Err(error.clone());
            }
            state.generation += 1;
            state.generation
        };
        let inner = Arc::downgrade(&self.0);
        let connected = source.connect(move |push| pushed(&inner, generation, &push)).await;
        let connected = self.0.greet(connected).await;
        let mut state = self.0.state();
        match connected {
            Ok(connection) => {
                state.failure = None;
                (state.known_at, state.is_named) = (Some(asked), true);
                state.connection = Some(connection.clone());
                Ok((generation, connection))
            }
            Err(error) => {
                state.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection is broken or silent, or another server may be the master by now.
    fn must_reconnect(&self, error: &RedisError) -> bool {
        error.is_io_error() || error.is_unrecoverable_error() || (!self.is_in_cluster && was_refused(error))
    }

    fn drop_connection(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.connection = None;
            if let Some(watch) = &self.watch {
                watch.lost();
            }
        }
    }

    async fn greet(&self, connected: RedisResult<MultiplexedConnection>) -> RedisResult<MultiplexedConnection> {
        let mut connection = connected?;
        if let Some(watch) = &self.watch {
            watch.greeting().exec_async(&mut connection).await?;
        }
        Ok(connection)
    }

    fn answered(&self, generation: u64, sent: Instant) {
        if self.watch.is_none() && !self.has_sentinels {
            return;
        }
        let mut state = self.state();
        if state.is_named {
            state.known(generation, sent, true);
        }
        let Some(watch) = &self.watch else { return };
        if state.generation == generation && state.connection.is_some() {
            watch.answered(sent);
        }
    }
}

impl State {
    /// The connection. With `known`, only if its server was known to be the master a moment ago.
    fn open(&self, known: bool) -> Option<(u64, MultiplexedConnection)> {
        let is_known = self.known_at.is_some_and(|known_at| known_at.elapsed() < MASTER_FOR);
        Some((self.generation, self.connection.clone()?)).filter(|_| is_known || !known)
    }

    /// The connection whose server is believed, at most once in a while.
    fn believe_again(&mut self) -> Option<(u64, MultiplexedConnection)> {
        if self.is_named {
            return None;
        }
        let open = self.open(false)?;
        self.known_at = Some(Instant::now());
        Some(open)
    }

    fn known(&mut self, generation: u64, at: Instant, is_named: bool) {
        if self.generation == generation {
            (self.known_at, self.is_named) = (self.known_at.max(Some(at)), is_named);
        }
    }
}

/// Handles a message that the server sent by itself. With RESP3, a lost connection is such a message, so the next
/// command opens a new one.
fn pushed(inner: &Weak<Inner>, generation: u64, push: &PushInfo) {
    let Some(inner) = inner.upgrade() else { return };
    if push.kind == PushKind::Disconnection {
        inner.drop_connection(generation);
    } else if let Some(watch) = &inner.watch {
        watch.pushed(push);
    }
}

/// Sends a command for a slot that is moving to this server.
async fn ask(connection: &mut MultiplexedConnection, command: &Cmd) -> RedisResult<Value> {
    let mut asking = redis::pipe();
    asking.cmd("ASKING").add_command(command.clone());
    let mut answers = connection.send_packed_commands(&asking, 1, 1).await?;
    answers.pop().unwrap_or(Value::Nil).extract_error()
}
