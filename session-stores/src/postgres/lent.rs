use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Error, PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::error::is_lost;
use super::own_pool::{CHECK_LIMIT, OwnPool, Owned};
use super::shared_pool::SharedPool;

/// A connection that is lent for one operation.
///
/// If the operation failed, or its future was dropped, the connection goes back only after a check that it still works.
/// The check has a time limit, because a silent server would keep the connection for ever. A connection that was lost
/// does not go back at all.
pub(super) struct Lent(Option<Source>);

enum Source {
    Shared { connection: PoolConnection<Postgres>, pool: Arc<SharedPool> },
    Own { connection: Owned, pool: Arc<OwnPool>, permit: OwnedSemaphorePermit },
}

impl Lent {
    pub(super) fn shared(connection: PoolConnection<Postgres>, pool: Arc<SharedPool>) -> Self {
        Lent(Some(Source::Shared { connection, pool }))
    }

    pub(super) fn own(connection: Owned, pool: Arc<OwnPool>, permit: OwnedSemaphorePermit) -> Self {
        Lent(Some(Source::Own { connection, pool, permit }))
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        match self.0.as_mut().expect("only giving it back takes it") {
            Source::Shared { connection, .. } => connection,
            Source::Own { connection, .. } => &mut connection.connection,
        }
    }

    /// Returns the connection as the operation's outcome demands.
    pub(super) fn conclude<T>(self, outcome: Result<T, Error>) -> Result<T, Error> {
        match &outcome {
            Ok(_) => self.give_back(),
            Err(error) if is_lost(error) => self.give_up(),
            Err(_) => {}
        }
        outcome
    }

    /// Returns the connection after an operation that succeeded.
    pub(super) fn give_back(mut self) {
        // The application's pool checks its connections itself.
        if let Some(Source::Own { connection, pool, permit }) = self.0.take_if(|source| !source.is_shared()) {
            pool.take_back(connection, permit);
        }
    }

    /// Closes the connection, and those that were made together with it. The next one is made anew, and leads to the
    /// server that the address has now.
    pub(super) fn give_up(mut self) {
        match self.0.take() {
            Some(Source::Shared { connection, pool }) => pool.give_up(connection),
            Some(Source::Own { connection, pool, .. }) => pool.give_up(&connection),
            None => {}
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
        matches!(self, Source::Shared { .. })
    }

    async fn check(self) {
        match self {
            Source::Shared { mut connection, pool } => {
                // Dropping the connection would do the same without a time limit.
                if timeout(CHECK_LIMIT, connection.return_to_pool()).await.is_err() {
                    pool.give_up_idle();
                }
            }
            Source::Own { connection, pool, permit } => pool.take_back_if_it_works(connection, permit).await,
        }
    }
}
