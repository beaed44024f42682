use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Error, PgConnection, PgPool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::lent::{Lent, works};

/// Where connections come from.
#[derive(Clone)]
pub(super) enum Connections {
    /// The application's pool.
    Shared(PgPool),
    /// A pool of the store's own.
    Own(Arc<OwnPool>),
}

impl Connections {
    pub(super) async fn lend(&self) -> Result<Lent, Error> {
        match self {
            Connections::Shared(pool) => Ok(Lent::shared(pool.acquire().await?)),
            Connections::Own(pool) => pool.lend().await,
        }
    }

    pub(super) async fn close(&self) {
        if let Connections::Own(pool) = self {
            pool.close().await;
        }
    }
}

/// A few connections to one server.
///
/// Unlike a pool of sqlx's, it asks the server nothing between two operations, each of which costs
/// one round trip so; and it says at once that the server refuses connections, and why.
pub(super) struct OwnPool {
    options: PgConnectOptions,
    idle: Mutex<Vec<Idle>>,
    permits: Arc<Semaphore>,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

const MAX_CONNECTIONS: usize = 10;

/// How long it may take to get a connection: less than a manager waits for an operation.
const LEND_LIMIT: Duration = Duration::from_secs(4);

/// A connection that was used more recently than this is used again without being checked.
const FRESH: Duration = Duration::from_secs(1);

/// A connection that was not used for so long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(10 * 60);

impl OwnPool {
    pub(super) fn new(options: PgConnectOptions) -> Arc<Self> {
        Arc::new(OwnPool { options, idle: Mutex::default(), permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)) })
    }

    async fn lend(self: &Arc<Self>) -> Result<Lent, Error> {
        let lending = async {
            let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::PoolClosed)?;
            match self.take_idle().await {
                Some(connection) => Ok(Lent::own(connection, Arc::clone(self), permit)),
                None => self.connect(permit).await,
            }
        };
        timeout(LEND_LIMIT, lending).await.unwrap_or(Err(Error::PoolTimedOut))
    }

    /// Connecting goes on when the caller gives up. Else, if no caller has enough patience, nobody
    /// would ever be connected.
    async fn connect(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Result<Lent, Error> {
        let pool = Arc::clone(self);
        let connecting = tokio::spawn(async move {
            let connection = timeout(LEND_LIMIT, PgConnection::connect_with(&pool.options)).await;
            let connection = connection.unwrap_or(Err(Error::PoolTimedOut))?;
            Ok(Lent::own(connection, pool, permit))
        });
        connecting.await.unwrap_or(Err(Error::WorkerCrashed))
    }

    /// The connection that was used last, as it is the most likely to work.
    async fn take_idle(&self) -> Option<PgConnection> {
        loop {
            let Idle { mut connection, since } = self.idle.lock().pop()?;
            if since.elapsed() < FRESH || works(&mut connection).await {
                return Some(connection);
            }
        }
    }

    pub(super) fn take_back(&self, connection: PgConnection, permit: OwnedSemaphorePermit) {
        let mut idle = self.idle.lock();
        idle.retain(|idle| idle.since.elapsed() < IDLE_LIMIT);
        if !self.permits.is_closed() {
            idle.push(Idle { connection, since: Instant::now() });
        }
        drop(idle);
        // Only now, so that whoever waits for it finds the connection.
        drop(permit);
    }

    /// A connection broke. So have the others, most likely.
    pub(super) fn forget_idle(&self) {
        self.idle.lock().clear();
    }

    async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for Idle { connection, .. } in idle {
            // A server that is gone needs no goodbye.
            let _ = timeout(LEND_LIMIT, connection.close()).await;
        }
    }
}
