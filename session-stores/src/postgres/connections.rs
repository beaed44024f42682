use std::sync::Arc;
use std::time::Duration;

use sqlx::{Error, PgPool};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::lent::Lent;
use super::own_pool::OwnPool;

/// How long it may take to get a connection. Less than the manager's default `time_limit` of 5 s, so that the error
/// names the cause.
const LEND_LIMIT: Duration = Duration::from_secs(4);

/// The source of connections.
#[derive(Clone)]
pub(super) enum Connections {
    /// The application's pool.
    Shared(PgPool),
    /// The store's own pool.
    Own(Arc<OwnPool>),
}

impl Connections {
    pub(super) async fn lend(&self) -> Result<Lent, Error> {
        match self {
            Connections::Shared(pool) => Ok(Lent::shared(pool.acquire().await?)),
            Connections::Own(pool) => timeout(LEND_LIMIT, lend(pool)).await.unwrap_or(Err(Error::PoolTimedOut)),
        }
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
