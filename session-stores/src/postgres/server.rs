use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use session_core::internals::Backoff;
use sqlx::postgres::PgRow;
use sqlx::{Error, Executor, Row, ValueRef};
use tokio::time::timeout;

use super::connections::Connections;
use super::error::{is_lost, is_read_only, is_rollback};
use super::lent::Lent;
use super::own_pool::CONNECT_LIMIT;
use super::statement::{Protocol, Statement};

/// The server that the address leads to now: runs statements, and looks for the primary where it has moved.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) connections: Connections,
    pub(super) protocol: Protocol,
    address: Arc<Address>,
}

/// What is known of the server that new connections lead to.
#[derive(Default)]
struct Address {
    found: Mutex<Option<Found>>,
    /// Held by whoever finds it out.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Found {
    takes_writes: bool,
    /// When it was asked.
    at: Instant,
}

/// How long a statement about one session or one user may take until its connection is given up. The statement is then
/// repeated on a new connection, where that is safe. Less than the manager's default `time_limit` of 5 s, so that
/// there is time for it; more than a busy server takes.
pub(super) const ANSWER_LIMIT: Option<Duration> = Some(Duration::from_millis(3500));
/// For statements about all sessions, which may take longer. Only the caller's own time limit ends them.
pub(super) const NO_LIMIT: Option<Duration> = None;

/// How long the address is believed to lead to the same server. While that takes no writes, it is asked no more often,
/// reads are answered there, and writes wait for the next answer.
const BELIEVED: Duration = Duration::from_millis(200);

/// How many connections to a former primary one operation gives up at most.
const MOVES: usize = 32;

/// How often a statement is repeated that the database rolled back in favour of another one.
const REPETITIONS: usize = 50;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));

/// Wraps a query, so that its rows also say whether the server takes no writes. One row without values if the query
/// finds none.
pub(super) const READ: &str = "SELECT found.*, current_setting('transaction_read_only') = 'on' \
    FROM (SELECT) AS here LEFT JOIN ({read}) AS found ON TRUE";

impl Server {
    pub(super) fn new(connections: Connections, protocol: Protocol) -> Self {
        Server { connections, protocol, address: Arc::default() }
    }

    /// Runs a statement and returns the number of rows that it wrote.
    pub(super) async fn write(&self, statement: &Statement, limit: Option<Duration>) -> Result<u64, Error> {
        self.repeat(|| async {
            let mut lent = self.connections.lend().await?;
            let outcome = within(limit, statement.execute(lent.connection(), self.protocol)).await;
            self.conclude(lent, outcome).await
        })
        .await
    }

    /// Runs a statement that writes, and returns its rows.
    pub(super) async fn write_returning(
        &self,
        statement: &Statement,
        limit: Option<Duration>,
    ) -> Result<Vec<PgRow>, Error> {
        self.repeat(|| async {
            let mut lent = self.connections.lend().await?;
            let outcome = within(limit, statement.rows(lent.connection(), self.protocol)).await;
            self.conclude(lent, outcome).await
        })
        .await
    }

    /// Runs a statement of the form of [`READ`], and returns the rows that it found.
    ///
    /// A server that takes no writes was probably the primary before, and does not know what happened since. So its
    /// answer counts only if new connections lead to such a server too.
    pub(super) async fn read(&self, statement: &Statement, limit: Option<Duration>) -> Result<Vec<PgRow>, Error> {
        let rows = self.repeat(|| async {
            let mut lent = self.connections.lend().await?;
            let outcome = within(limit, statement.rows(lent.connection(), self.protocol)).await;
            let takes_no_writes = match outcome.as_ref().ok().and_then(|rows| rows.first()) {
                Some(row) => row.try_get(row.len() - 1)?,
                None => false,
            };
            let now = Instant::now();
            let since = now.checked_sub(BELIEVED).unwrap_or(now);
            if takes_no_writes && self.address.takes_writes(&self.connections, since).await? {
                lent.give_up();
                return Ok(None);
            }
            lent.conclude(outcome).map(Some)
        });
        let mut rows = rows.await?;
        rows.retain(|row| row.try_get_raw(0).is_ok_and(|value| !value.is_null()));
        Ok(rows)
    }

    /// Returns the connection after a write. `None` if its server takes no writes, and another one does.
    async fn conclude<T>(&self, lent: Lent, outcome: Result<T, Error>) -> Result<Option<T>, Error> {
        match outcome {
            Err(error) if is_read_only(&error) => {
                if self.address.takes_writes(&self.connections, Instant::now()).await? {
                    lent.give_up();
                    return Ok(None);
                }
                lent.give_back();
                Err(error)
            }
            outcome => lent.conclude(outcome).map(Some),
        }
    }

    /// Repeats an operation that has surely had no effect: its connection led to a former primary, or the database
    /// rolled it back in favour of another one. The latter happens if the application asks for a stricter isolation
    /// level than PostgreSQL's default.
    async fn repeat<T, F>(&self, operation: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Option<T>, Error>>,
    {
        let (mut pauses, mut moves) = (BACKOFF.pauses().take(REPETITIONS), 0);
        loop {
            match operation().await {
                Ok(Some(done)) => return Ok(done),
                Ok(None) if moves < MOVES => moves += 1,
                Ok(None) => return Err(Error::PoolTimedOut),
                Err(error) if is_rollback(&error) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
    }
}

impl Address {
    /// Whether new connections lead to a server that takes writes. Asks one, unless one was asked after `since`.
    async fn takes_writes(&self, connections: &Connections, since: Instant) -> Result<bool, Error> {
        if let Some(known) = self.known(since) {
            return Ok(known);
        }
        // One asks for all that wait.
        let _turn = self.turn.lock().await;
        if let Some(known) = self.known(since) {
            return Ok(known);
        }
        let found = *self.found.lock();
        if let Some(Found { at, .. }) = found {
            tokio::time::sleep(BELIEVED.saturating_sub(at.elapsed())).await;
        }
        let at = Instant::now();
        let mut connection = connections.connect().await?;
        let answer = connection.fetch_one(sqlx::raw_sql("SHOW transaction_read_only"));
        let answer = within(Some(CONNECT_LIMIT), answer).await?;
        let takes_writes = answer.try_get::<&str, _>(0)? == "off";
        *self.found.lock() = Some(Found { takes_writes, at });
        Ok(takes_writes)
    }

    fn known(&self, since: Instant) -> Option<bool> {
        let Found { takes_writes, at } = (*self.found.lock())?;
        (at >= since || takes_writes && at.elapsed() < BELIEVED).then_some(takes_writes)
    }
}

/// Repeats an operation whose connection was lost, once. For what core does not repeat, and has the same effect when it
/// is done twice.
pub(super) async fn once_more_if_lost<T, F>(operation: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    match operation().await {
        Err(error) if is_lost(&error) => operation().await,
        done => done,
    }
}

/// An answer that does not come in time is a broken connection.
async fn within<T>(limit: Option<Duration>, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let Some(limit) = limit else { return answer.await };
    timeout(limit, answer).await.unwrap_or_else(|_| {
        let problem = format!("the server did not answer within {limit:?}");
        Err(Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, problem)))
    })
}
