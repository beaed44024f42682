use std::sync::Arc;
use std::time::Duration;

use sqlx::{Error, PgConnection, PgPool};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::lent::Lent;
use super::own_pool::{OwnPool, connect_with};
use super::shared_pool::SharedPool;

/// How long it may take to get a connection. Less than the manager's default `time_limit` of 5 s, so that the error
/// names the cause.
pub(super) const LEND_LIMIT: Duration = Duration::from_secs(4);

/// The source of connections.
#[derive(Clone)]
pub(super) enum Connections {
    /// The application's pool.
    Shared(Arc<SharedPool>),
    /// The store's own pool.
    Own(Arc<OwnPool>),
}

impl Connections {
    pub(super) fn shared(pool: PgPool) -> Self {
        Connections::Shared(Arc::new(SharedPool::new(pool)))
    }

    pub(super) async fn lend(&self) -> Result<Lent, Error> {
        timeout(LEND_LIMIT, self.lend_at_last()).await.unwrap_or(Err(Error::PoolTimedOut))
    }

    async fn lend_at_last(&self) -> Result<Lent, Error> {
        match self {
            Connections::Shared(pool) => Ok(Lent::shared(pool.acquire().await?, Arc::clone(pool))),
            Connections::Own(pool) => lend(pool).await,
        }
    }

    /// Makes a connection that belongs to no pool.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        match self {
            Connections::Shared(pool) => connect_with(&pool.pool.connect_options()).await,
            Connections::Own(pool) => connect_with(&pool.options).await,
        }
    }

    pub(super) fn are_own(&self) -> bool {
        matches!(self, Connections::Own(_))
    }

    pub(super) async fn close(&self) {
        if let Connections::Own(pool) = self {
            pool.close().await;
        }
    }
}

async fn lend(pool: &Arc<OwnPool>) -> Result<Lent, Error> {
    let permit = pool.permit().await?;
    match pool.take_idle().await {
        Some(connection) => Ok(Lent::own(connection, Arc::clone(pool), permit)),
        None => connect(Arc::clone(pool), permit).await,
    }
}

/// Connects in a task of its own, which goes on when the caller gives up. Otherwise callers with short time limits
/// would never get a connection.
async fn connect(pool: Arc<OwnPool>, permit: OwnedSemaphorePermit) -> Result<Lent, Error> {
    let connecting = tokio::spawn(async move {
        let connection = pool.connect().await?;
        Ok(Lent::own(connection, pool, permit))
    });
    connecting.await.unwrap_or(Err(Error::WorkerCrashed))
}
