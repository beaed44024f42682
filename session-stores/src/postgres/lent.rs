use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Postgres};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::connections::OwnPool;

/// How long a connection may take to show that it still works.
const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// A connection for one piece of work.
///
/// Where the work failed, or nobody waits for it any more, the connection goes back only after it
/// has shown, within a limit, that it still works. A pool of sqlx's would wait for a silent server
/// for ever, and have one connection less each time.
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
        self.0.as_mut().expect("only giving it back takes it").connection()
    }

    /// The work is done.
    pub(super) fn give_back(mut self) {
        self.0.take().expect("this is the only time").give_back();
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut source) = self.0.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            source.discard();
            return;
        };
        runtime.spawn(async move {
            if works(source.connection()).await {
                source.give_back();
            } else {
                source.discard();
            }
        });
    }
}

impl Source {
    fn connection(&mut self) -> &mut PgConnection {
        match self {
            Source::Shared(connection) => connection,
            Source::Own { connection, .. } => connection,
        }
    }

    fn give_back(self) {
        match self {
            Source::Shared(connection) => drop(connection),
            Source::Own { connection, pool, permit } => pool.take_back(connection, permit),
        }
    }

    fn discard(self) {
        match self {
            Source::Shared(connection) => drop(connection.detach()),
            Source::Own { pool, .. } => pool.forget_idle(),
        }
    }
}

pub(super) async fn works(connection: &mut PgConnection) -> bool {
    tokio::time::timeout(CHECK_LIMIT, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
}
