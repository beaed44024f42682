use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Error, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::provider::choose_provider_for;

/// A pool of up to 10 connections to one address.
///
/// A pool of sqlx sends a request between two operations. This one does not, so each operation takes one round trip. It
/// also reports at once that a server refuses connections, and why.
///
/// It opens and keeps connections, and does not know who uses them. Whoever takes a connection holds a permit, and
/// returns both.
///
/// The address may move to another server at any time, and the old server may go on answering: nothing tells its
/// connections from those of the new one. So no connection grows old, and one that leads nowhere takes all with it that
/// were made before.
pub(super) struct OwnPool {
    pub(super) options: PgConnectOptions,
    kept: Mutex<Kept>,
    permits: Arc<Semaphore>,
}

#[derive(Default)]
struct Kept {
    idle: Vec<Idle>,
    /// Changes when connections are given up. Those of earlier generations are not used again.
    generation: u64,
    /// How many connections were made.
    made: u32,
}

struct Idle {
    connection: Owned,
    since: Instant,
}

/// A connection, and whether it may still be used.
pub(super) struct Owned {
    pub(super) connection: PgConnection,
    generation: u64,
    until: Instant,
}

const MAX_CONNECTIONS: usize = 10;

/// How long connecting or closing a connection may take. Less than [`LEND_LIMIT`](super::connections::LEND_LIMIT), so
/// that whoever connects to a server that has just frozen can connect to another one afterwards.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long the check of a connection may take.
pub(super) const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// A connection that was used within this time is used again without a check.
const FRESH: Duration = Duration::from_secs(1);

/// How long a connection is used at most. This bounds how long an old primary can answer that believes it still is
/// one. Some are replaced up to 10 s earlier, so that not all are at the same time.
const LIFETIME: Duration = Duration::from_secs(30);

impl OwnPool {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        OwnPool { options, kept: Mutex::default(), permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }

    /// Waits until fewer than the maximum of connections are in use.
    pub(super) async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::PoolClosed)
    }

    /// Takes the idle connection that was used last, because it is the most likely to work.
    pub(super) async fn take_idle(&self) -> Option<Owned> {
        loop {
            let Idle { mut connection, since } = self.kept.lock().idle.pop()?;
            if connection.is_over() {
                continue;
            }
            if since.elapsed() < FRESH || connection.works().await {
                return Some(connection);
            }
            self.give_up(&connection);
        }
    }

    pub(super) async fn connect(&self) -> Result<Owned, Error> {
        // Taken before, because what happens meanwhile concerns this connection too.
        let (generation, until) = {
            let mut kept = self.kept.lock();
            kept.made = kept.made.wrapping_add(1);
            (kept.generation, Instant::now() + LIFETIME - Duration::from_secs(u64::from(kept.made % 10)))
        };
        let connection = connect_with(&self.options).await?;
        Ok(Owned { connection, generation, until })
    }

    pub(super) fn take_back(&self, connection: Owned, permit: OwnedSemaphorePermit) {
        let mut kept = self.kept.lock();
        kept.idle.retain(|idle| !idle.connection.is_over());
        if !self.permits.is_closed() && connection.generation == kept.generation && !connection.is_over() {
            kept.idle.push(Idle { connection, since: Instant::now() });
        }
        drop(kept);
        // After the connection is back, so that a waiting caller finds it.
        drop(permit);
    }

    /// Takes back a connection that may be broken.
    pub(super) async fn take_back_if_it_works(&self, mut connection: Owned, permit: OwnedSemaphorePermit) {
        if connection.works().await {
            self.take_back(connection, permit);
        } else {
            self.give_up(&connection);
        }
    }

    /// Makes sure that neither this connection is used again nor one that was made before it was found out: they lead
    /// to the same server. Does nothing if that has happened already.
    pub(super) fn give_up(&self, connection: &Owned) {
        let mut kept = self.kept.lock();
        if connection.generation == kept.generation {
            kept.generation += 1;
            kept.idle.clear();
        }
    }

    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut self.kept.lock().idle);
        for Idle { connection, .. } in idle {
            // An error means that the server is gone, and with it the connection.
            let _ = timeout(CONNECT_LIMIT, connection.connection.close()).await;
        }
    }
}

/// Makes a connection that belongs to no pool.
pub(super) async fn connect_with(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    choose_provider_for(options);
    timeout(CONNECT_LIMIT, PgConnection::connect_with(options)).await.unwrap_or(Err(Error::PoolTimedOut))
}

impl Owned {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    async fn works(&mut self) -> bool {
        timeout(CHECK_LIMIT, self.connection.ping()).await.is_ok_and(|answer| answer.is_ok())
    }
}
