use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::{Error, PgPool, Postgres};
use tokio::time::timeout;

use super::provider::choose_provider_for;

/// The application's pool.
///
/// sqlx keeps a connection as long as it answers, whichever server that is, and waits for a silent one as long as the
/// application lets it. So whatever is given up here is taken out of the pool.
pub(super) struct SharedPool {
    pub(super) pool: PgPool,
    given_up: Mutex<Option<Instant>>,
}

/// How long sqlx may take to check an idle connection or to make one. A healthy pool that is used up gets more: see
/// [`acquire`](SharedPool::acquire).
const ACQUIRE_LIMIT: Duration = Duration::from_secs(2);

/// How often idle connections are given up at most. They are the application's too, and new ones may be among them.
const GIVE_UP_PAUSE: Duration = Duration::from_secs(1);

impl SharedPool {
    pub(super) fn new(pool: PgPool) -> Self {
        choose_provider_for(&pool.connect_options());
        SharedPool { pool, given_up: Mutex::default() }
    }

    /// Gets a connection. sqlx checks idle ones without a time limit of its own, one after the other, so the first
    /// that is silent takes the others with it.
    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        loop {
            match timeout(ACQUIRE_LIMIT, self.pool.acquire()).await {
                Err(_) => self.give_up_idle(),
                Ok(Err(Error::PoolTimedOut)) => {
                    self.give_up_idle();
                    return Err(Error::PoolTimedOut);
                }
                Ok(acquired) => return acquired,
            }
        }
    }

    /// Closes this connection, and idle ones, which probably lead to the same server.
    pub(super) fn give_up(&self, connection: PoolConnection<Postgres>) {
        drop(connection.detach());
        self.give_up_idle();
    }

    pub(super) fn give_up_idle(&self) {
        {
            let mut given_up = self.given_up.lock();
            if given_up.is_some_and(|last| last.elapsed() < GIVE_UP_PAUSE) {
                return;
            }
            *given_up = Some(Instant::now());
        }
        for _ in 0..self.pool.num_idle() {
            let Some(connection) = self.pool.try_acquire() else { break };
            drop(connection.detach());
        }
    }
}
