use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, PushInfo, PushKind, RedisError, RedisResult, ServerErrorKind, Value};

use super::source::Source;

/// How long callers share the failure of one attempt to connect.
const FAILURE_KEPT: Duration = Duration::from_millis(20);

/// One server, or the master that sentinels name: a connection shared by all callers, opened
/// when it is needed and replaced when it breaks.
///
/// Nothing is sent twice here. Whether a command whose reply was lost took effect is for the
/// caller to find out.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    /// Held while connecting, so that one caller does it for all.
    source: tokio::sync::Mutex<Source>,
    state: Mutex<State>,
    watch: Option<Arc<dyn Watch>>,
}

/// Who must know what happens to the connection.
pub(crate) trait Watch: Send + Sync {
    /// What to tell the server on each new connection before anything else.
    fn greeting(&self) -> Cmd;
    /// The connection is gone: what the server wanted to tell may be lost.
    fn lost(&self);
    /// The server has answered a command that was sent then.
    fn answered(&self, sent: Instant);
    /// The server says something by itself.
    fn pushed(&self, push: &PushInfo);
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that a late error of an old one leaves the new one alone.
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

    /// Ends the connection; another call opens one again.
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
        // The library's futures nest so deeply that, with their type, the compiler would give up on
        // those of applications.
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
            // Whoever waited while another failed to connect does not wait once more.
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

/// A server that goes away says so on RESP3, so that the next command does not run into it.
fn pushed(inner: &Weak<Inner>, generation: u64, push: &PushInfo) {
    let Some(inner) = inner.upgrade() else { return };
    if push.kind == PushKind::Disconnection {
        inner.drop_connection(generation);
    } else if let Some(watch) = &inner.watch {
        watch.pushed(push);
    }
}

/// After these another connection may do better: it is broken, or silent, or leads to a server
/// that is no master any more.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
