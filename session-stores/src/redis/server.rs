use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, PushInfo, PushKind, RedisError, RedisResult, ServerErrorKind, Value};

use super::source::Source;

/// How long one failure to connect is the answer for all callers.
const FAILURE_KEPT: Duration = Duration::from_millis(20);

/// One connection to a server, or to the master that sentinels name. All callers share it. It is opened when it is
/// first needed, and again after it broke.
///
/// No command is sent twice. If its reply is lost, the caller has to find out whether it took effect.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    /// Locked while connecting, so that one caller connects for all.
    source: tokio::sync::Mutex<Source>,
    state: Mutex<State>,
    watch: Option<Arc<dyn Watch>>,
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
    failure: Option<(Instant, RedisError)>,
}

impl Server {
    pub(crate) fn new(source: Source) -> Self {
        Server::with(source, None)
    }

    pub(crate) fn watched(source: Source, watch: Arc<dyn Watch>) -> Self {
        Server::with(source, Some(watch))
    }

    fn with(source: Source, watch: Option<Arc<dyn Watch>>) -> Self {
        Server(Arc::new(Inner { source: tokio::sync::Mutex::new(source), state: Mutex::default(), watch }))
    }

    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        let (generation, mut connection) = self.connection().await?;
        let sent = Instant::now();
        let answer = command.query_async(&mut connection).await;
        match &answer {
            Err(error) if is_broken(error) => self.0.drop_connection(generation),
            _ => self.0.answered(generation, sent),
        }
        answer
    }

    /// Closes the connection. The next call opens a new one.
    pub(crate) fn disconnect(&self) {
        let generation = self.0.state().generation;
        self.0.drop_connection(generation);
    }

    pub(crate) fn downgrade(&self) -> impl Fn() -> Option<Server> + Send + use<> {
        let inner = Arc::downgrade(&self.0);
        move || inner.upgrade().map(Server)
    }

    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        if let Some(open) = self.0.state().open() {
            return Ok(open);
        }
        // Boxed, because the library's futures nest so deeply that the compiler reaches its recursion limit in
        // applications.
        let connecting: BoxFuture<'_, _> = Box::pin(self.connect());
        connecting.await
    }

    async fn connect(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let asked = Instant::now();
        let mut source = self.0.source.lock().await;
        let generation = {
            let mut state = self.0.state();
            if let Some(open) = state.open() {
                return Ok(open);
            }
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
        let Some(watch) = &self.watch else { return };
        let state = self.state();
        if state.generation == generation && state.connection.is_some() {
            watch.answered(sent);
        }
    }
}

impl State {
    fn open(&self) -> Option<(u64, MultiplexedConnection)> {
        Some((self.generation, self.connection.clone()?))
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

/// Whether the connection must be replaced: it is broken or silent, or its server is no longer the master.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
