use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::own_pool::{CHECK_LIMIT, OwnPool};

/// A connection that is lent for one operation.
///
/// If the operation failed, or its future was dropped, the connection goes back only after a check that it still works.
/// The check has a time limit, because a silent server would keep the connection for ever.
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

    /// Returns the connection after an operation that succeeded.
    pub(super) fn give_back(mut self) {
        // The application's pool checks its connections itself.
        if let Some(Source::Own { connection, pool, permit }) = self.0.take_if(|source| !source.is_shared()) {
            pool.take_back(connection, permit);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(source) = self.0.take() else { return };
        // Without a runtime the program is ending, and nobody needs the connection.
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
                // Dropping the connection would do the same without a time limit.
                let _ = timeout(CHECK_LIMIT, connection.return_to_pool()).await;
            }
            Source::Own { connection, pool, permit } => pool.take_back_if_it_works(connection, permit).await,
        }
    }
}
