use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Error, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A pool of up to 10 connections to one server.
///
/// A pool of sqlx sends a request between two operations. This one does not, so each operation takes one round trip. It
/// also reports at once that a server refuses connections, and why.
///
/// It opens and keeps connections, and does not know who uses them. Whoever takes a connection holds a permit, and
/// returns both.
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

/// How long connecting or closing a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// How long the check of a connection may take.
pub(super) const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// A connection that was used within this time is used again without a check.
const FRESH: Duration = Duration::from_secs(1);

/// A connection that was not used for this time is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(10 * 60);

impl OwnPool {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        OwnPool { options, idle: Mutex::default(), permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }

    /// Waits until fewer than the maximum of connections are in use.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::PoolClosed)
    }

    /// Takes the idle connection that was used last, because it is the most likely to work.
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
        // After the connection is back, so that a waiting caller finds it.
        drop(permit);
    }

    /// Takes back a connection that may be broken.
    pub(super) async fn take_back_if_it_works(&self, mut connection: PgConnection, permit: OwnedSemaphorePermit) {
        if works(&mut connection).await {
            self.take_back(connection, permit);
        } else {
            // If this one is broken, the server was probably restarted, and the others are broken too.
            self.idle.lock().clear();
        }
    }

    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for Idle { connection, .. } in idle {
            // An error means that the server is gone, and with it the connection.
            let _ = timeout(CONNECT_LIMIT, connection.close()).await;
        }
    }
}

async fn works(connection: &mut PgConnection) -> bool {
    timeout(CHECK_LIMIT, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
}
