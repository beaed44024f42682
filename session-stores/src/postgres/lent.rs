use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Postgres};
use tokio::runtime::Handle;

/// How long a connection may take to show that it still works.
const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// A connection of a pool for one piece of work.
///
/// Where the work failed, or nobody waits for it any more, the connection goes back only after it
/// has shown, within a limit, that it still works. The pool alone would wait for a silent server
/// for ever, and have one connection less each time.
pub(super) struct Lent(Option<PoolConnection<Postgres>>);

impl Lent {
    pub(super) fn new(connection: PoolConnection<Postgres>) -> Self {
        Lent(Some(connection))
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("only dropping takes it")
    }

    /// The work is done.
    pub(super) fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            drop(connection.detach());
            return;
        };
        runtime.spawn(async move {
            if !works(&mut connection).await {
                drop(connection.detach());
            }
        });
    }
}

pub(super) async fn works(connection: &mut PgConnection) -> bool {
    tokio::time::timeout(CHECK_LIMIT, connection.ping()).await.is_ok_and(|answer| answer.is_ok())
}
