use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::own_pool::{CHECK_LIMIT, OwnPool};

/// A connection for one piece of work.
///
/// Where the work failed, or nobody waits for it any more, the connection goes back only after it
/// has shown that it still works. A silent server must not keep it from others for ever, so that
/// is given a limit.
pub(super) struct Lent(Option<Source>);

enum Source {
    Shared(PoolConnection<Postgres>),
    Own { connection: PgConnection, pool: Arc<OwnPool>, permit: OwnedSemaphorePermit },
}

impl Lent {
    pub(super) fn shared(connection: PoolConnection<Postgres>) -> Self {
        Lent(Some(Source::Shared(connection)))
    }

    pub(super) fn own(connection: PgConnection, pool: Arc<OwnPool>, permit: OwnedSemaphorePermit) -> Self {
        Lent(Some(Source::Own { connection, pool, permit }))
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        match self.0.as_mut().expect("only giving it back takes it") {
            Source::Shared(connection) => connection,
            Source::Own { connection, .. } => connection,
        }
    }

    /// The work is done.
    pub(super) fn give_back(mut self) {
        // An application's pool checks each connection.
        if let Some(Source::Own { connection, pool, permit }) = self.0.take_if(|source| !source.is_shared()) {
            pool.take_back(connection, permit);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(source) = self.0.take() else { return };
        // Without a runtime there is nobody left to lend it to.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(source.check());
        }
    }
}

impl Source {
    fn is_shared(&self) -> bool {
        matches!(self, Source::Shared(_))
    }

    async fn check(self) {
        match self {
            Source::Shared(mut connection) => {
                // Dropping it would do the same, and wait without a limit.
                let _ = timeout(CHECK_LIMIT, connection.return_to_pool()).await;
            }
            Source::Own { connection, pool, permit } => pool.take_back_if_it_works(connection, permit).await,
        }
    }
}
