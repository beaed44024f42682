use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Error, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A few connections to one server.
///
/// Unlike a pool of sqlx's, it asks the server nothing between two operations, each of which costs
/// one round trip so; and it says at once that the server refuses connections, and why.
///
/// It opens and keeps connections, and does not know who has them: whoever takes one holds a permit,
/// and gives both back.
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

/// How long it may take to connect, or to say goodbye.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// How long a connection may take to show that it still works.
pub(super) const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// A connection that was used more recently than this is used again without being checked.
const FRESH: Duration = Duration::from_secs(1);

/// A connection that was not used for so long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(10 * 60);

impl OwnPool {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        OwnPool { options, idle: Mutex::default(), permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }

    /// Waits until another connection may be in use.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::PoolClosed)
    }

    /// The connection that was used last, as it is the most likely to work.
    pub(super) async fn take_idle(&self) -> Option<PgConnection> {
        loop {
            let Idle { mut connection, since } = self.idle.lock().pop()?;
            if since.elapsed() < FRESH || works(&mut connection).await {
                return Some(connection);
            }
        }
    }

    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        let connecting = PgConnection::connect_with(&self.options);
        timeout(CONNECT_LIMIT, connecting).await.unwrap_or(Err(Error::PoolTimedOut))
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

    /// Takes a connection back whose last work may have broken it.
    pub(super) async fn take_back_if_it_works(&self, mut connection: PgConnection, permit: OwnedSemaphorePermit) {
        if works(&mut connection).await {
            self.take_back(connection, permit);
        } else {
            // It broke. So have the others, most likely.
            self.idle.lock().clear();
        }
    }

    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for Idle { connection, .. } in idle {
            // A server that is gone needs no goodbye.
            let _ = timeout(CONNECT_LIMIT, connection.close()).await;
        }
    }
}

async fn works(connection: &mut PgConnection) -> bool {
    timeout(CHECK_LIMIT, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
}
