use std::sync::Arc;
use std::time::Duration;

use sqlx::{Error, PgPool};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::lent::Lent;
use super::own_pool::OwnPool;

/// How long it may take to get a connection: less than a manager waits for an operation.
const LEND_LIMIT: Duration = Duration::from_secs(4);

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

/// Connecting goes on when the caller gives up. Else, if no caller has enough patience, nobody
/// would ever be connected.
async fn connect(pool: Arc<OwnPool>, permit: OwnedSemaphorePermit) -> Result<Lent, Error> {
    let connecting = tokio::spawn(async move {
        let connection = pool.connect().await?;
        Ok(Lent::own(connection, pool, permit))
    });
    connecting.await.unwrap_or(Err(Error::WorkerCrashed))
}
