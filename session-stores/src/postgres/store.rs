use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use session_core::internals::Backoff;
use session_core::{
    Capabilities, Codec, ConfigError, Created, DroppedRecords, JsonCodec, PrincipalKey, Purged, Record, RecordKey,
    Renewed, Saved, Store, StoreError, Time, Version,
};
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::{AssertSqlSafe, Error, Executor, PgConnection, PgPool, Postgres};

use super::connections::Connections;
use super::own_pool::OwnPool;
use crate::address::check_address;
use crate::refusal::Refusal;
use crate::sql::{self, Columns, Dialect, Prepared, Statements, TableName, bind_record, number, safe};

const NAME: &str = "postgres";

/// A store in a table of a PostgreSQL database, for many processes and machines.
///
/// What it has acknowledged survives a crash as far as the server's `synchronous_commit` says; by default it does. Each
/// operation is one statement and one transaction. Only a save or a renewal that was refused needs a second statement,
/// to find the reason. `Clone` shares the store.
///
/// ```no_run
/// # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// use session_core::SessionManager;
/// use session_stores::PostgresStore;
///
/// // With its own connections:
/// let store = PostgresStore::connect("postgres://app:secret@localhost/app").await?;
///
/// // Or with the application's pool:
/// let store = PostgresStore::from_pool(pool);
/// store.set_up().await?;
///
/// let sessions = SessionManager::new(store);
/// # Ok(()) }
/// ```
///
/// # TLS
///
/// Connections are encrypted if the application enables one of sqlx's features `tls-…`, and the address asks for it
/// (`?sslmode=verify-full`).
#[derive(Clone)]
pub struct PostgresStore {
    connections: Connections,
    table: TableName,
    statements: Arc<Statements>,
    codec: Arc<dyn Codec>,
    dropped: Arc<DroppedRecords>,
}

const DIALECT: Dialect = Dialect {
    least: "LEAST",
    greatest: "GREATEST",
    // The array is computed once. `FOR UPDATE` looks at each row again, so one that was just touched stays. `SKIP
    // LOCKED` skips rows that others hold, so purges wait neither for each other nor for a request.
    purge: "DELETE FROM {table} WHERE key = ANY (ARRAY( \
        SELECT key FROM {table} WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
};

const SCHEMA: &str = include_str!("schema.sql");

/// The advisory lock that is held while the table is created, because `IF NOT EXISTS` fails if two processes do it at
/// the same time.
const SET_UP_LOCK: i64 = 0x7365_7373_696f_6e73;

/// How often a statement is repeated that the database rolled back in favour of another one.
const REPETITIONS: usize = 50;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));

impl PostgresStore {
    /// Connects to the database at `url` (`postgres://user:password@host:port/database`), and creates the table
    /// `session_records` if it does not exist.
    ///
    /// The store has up to 10 connections of its own, which [`close`](Store::close) closes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is malformed, the server can't be reached, or the table can't be created.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let store = PostgresStore::on(Connections::Own(Arc::new(OwnPool::new(options(url)?))));
        store.set_up().await?;
        Ok(store)
    }

    /// What [`connect`](PostgresStore::connect) and [`with_table`](PostgresStore::with_table) check without a server.
    /// Returns the schema of the table.
    #[doc(hidden)]
    pub fn check(url: &str, table: &str) -> Result<String, StoreError> {
        options(url)?;
        let table = TableName::checked(table).map_err(|error| StoreError::refused(NAME, error))?;
        Ok(table.fill(SCHEMA))
    }

    /// Makes a store that uses the application's pool. [`close`](Store::close) leaves the pool open.
    ///
    /// The table must exist: call [`set_up`](PostgresStore::set_up), or put [`schema`](PostgresStore::schema) into
    /// your migrations.
    ///
    /// Set the pool's `acquire_timeout` below the manager's `time_limit` (default: 5 s). sqlx tries for this long to
    /// connect to a server that is down. A pool of sqlx also checks its connections: one more round trip after each
    /// operation, and one before it unless `test_before_acquire` is off.
    pub fn from_pool(pool: PgPool) -> Self {
        PostgresStore::on(Connections::Shared(pool))
    }

    fn on(connections: Connections) -> Self {
        let table = TableName::checked(TableName::DEFAULT).expect("the default is a name");
        let statements = Arc::new(Statements::new(&table, &DIALECT));
        PostgresStore {
            connections,
            table,
            statements,
            codec: Arc::new(JsonCodec),
            dropped: Arc::new(DroppedRecords::new(NAME)),
        }
    }

    /// The table that has the sessions. Default: `session_records`. Call [`set_up`](PostgresStore::set_up) afterwards.
    ///
    /// Allowed: `table` or `schema.table`, each with at most 40 ASCII letters, digits and underscores, not beginning
    /// with a digit. Anything else is a [`ConfigError`].
    pub fn with_table(mut self, name: &str) -> Result<Self, ConfigError> {
        self.table = TableName::checked(name)?;
        self.statements = Arc::new(Statements::new(&self.table, &DIALECT));
        Ok(self)
    }

    /// The codec for the values of sessions. Default: [`JsonCodec`]. An `EncryptedCodec` encrypts them.
    ///
    /// Sessions that were stored with a codec that this one can't read count as missing.
    #[must_use]
    pub fn with_codec(mut self, codec: impl Codec) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    /// Creates the table and its indexes if they do not exist. Several processes may do so at the same time.
    ///
    /// If the table exists, this needs no right to create one.
    pub async fn set_up(&self) -> Result<(), StoreError> {
        let mut lent = self.connections.lend().await.map_err(failed)?;
        self.set_up_on(lent.connection()).await.map_err(failed)?;
        lent.give_back();
        Ok(())
    }

    /// The SQL that creates the table and its indexes, for the application's own migrations.
    pub fn schema(&self) -> String {
        self.table.fill(SCHEMA)
    }

    async fn set_up_on(&self, connection: &mut PgConnection) -> Result<(), Error> {
        // A user without the right to create tables may use one that exists.
        let exists = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(self.table.fill("{table}"));
        if exists.fetch_one(&mut *connection).await? {
            return Ok(());
        }
        // Sent together, so that they are one transaction, and the lock ends with it.
        let schema = format!("SELECT pg_advisory_xact_lock({SET_UP_LOCK});\n{}", self.schema());
        connection.execute(sqlx::raw_sql(AssertSqlSafe(schema))).await?;
        Ok(())
    }

    /// Runs a statement and returns the number of rows that it wrote.
    async fn write(&self, statement: impl Fn() -> Prepared<Postgres> + Send + Sync) -> Result<u64, Error> {
        repeat(|| async {
            let mut lent = self.connections.lend().await?;
            let done = statement().execute(lent.connection()).await?;
            lent.give_back();
            Ok(done.rows_affected())
        })
        .await
    }

    /// Finds out why the record of this key was not written.
    async fn refusal(&self, key: &RecordKey, now: Time) -> Result<Refusal, StoreError> {
        Ok(Refusal::of(self.version(key, now).await?))
    }

    async fn records(&self, query: Query, now: Time) -> Result<Vec<Record>, StoreError> {
        let mut lent = self.connections.lend().await.map_err(failed)?;
        let rows = query.fetch_all(lent.connection()).await.map_err(failed)?;
        lent.give_back();
        Ok(rows.into_iter().filter_map(|row| sql::open(row, &*self.codec, &self.dropped, now)).collect())
    }
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    check_address(url).map_err(|error| StoreError::refused(NAME, error))?;
    PgConnectOptions::from_str(url).map_err(failed)
}

type Query = sqlx::query::QueryAs<'static, Postgres, Columns, PgArguments>;

impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let envelope = sql::seal(record, &*self.codec, NAME)?;
        let insert = || bind_record(sqlx::query(safe(&self.statements.create)), &envelope);
        let rows = self.write(insert).await.map_err(failed)?;
        Ok(if rows > 0 { Created::Done } else { Created::Exists })
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let query = sqlx::query_as(safe(&self.statements.load)).bind(key.as_bytes().to_vec()).bind(now.unix_millis());
        Ok(self.records(query, now).await?.pop())
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        let query = sqlx::query_scalar(safe(&self.statements.version));
        let query = query.bind(key.as_bytes().to_vec()).bind(now.unix_millis());
        let mut lent = self.connections.lend().await.map_err(failed)?;
        let found = query.fetch_optional(lent.connection()).await.map_err(failed)?;
        lent.give_back();
        Ok(found.map(sql::version))
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let envelope = sql::seal(record, &*self.codec, NAME)?;
        let update = || bind_record(sqlx::query(safe(&self.statements.save)), &envelope).bind(number(expected));
        match self.write(update).await.map_err(failed)? {
            0 => Ok(self.refusal(&record.key, record.accessed).await?.into()),
            _ => Ok(Saved::Done),
        }
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let update =
            || sqlx::query(safe(&self.statements.touch)).bind(key.as_bytes().to_vec()).bind(accessed.unix_millis());
        self.write(update).await.map_err(failed)?;
        Ok(())
    }

    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        let envelope = sql::seal(record, &*self.codec, NAME)?;
        let update = || {
            bind_record(sqlx::query(safe(&self.statements.renew)), &envelope)
                .bind(number(expected))
                .bind(old.as_bytes().to_vec())
        };
        match self.write(update).await {
            Ok(0) => Ok(self.refusal(old, record.accessed).await?.into()),
            Ok(_) => Ok(Renewed::Done),
            Err(Error::Database(error)) if error.is_unique_violation() => Ok(Renewed::Exists),
            Err(error) => Err(failed(error)),
        }
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        let delete = || sqlx::query(safe(&self.statements.delete)).bind(key.as_bytes().to_vec());
        self.write(delete).await.map_err(failed)?;
        Ok(())
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let limit = sql::limit(limit);
        let delete = || sqlx::query(safe(&self.statements.purge)).bind(now.unix_millis()).bind(limit);
        let expired = self.write(delete).await.map_err(failed)?;
        Ok(Purged::new(expired, expired >= limit.unsigned_abs()))
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        let query = sqlx::query_as(safe(&self.statements.list)).bind(now.unix_millis()).bind(sql::limit(limit));
        self.records(query, now).await
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let query = sqlx::query_as(safe(&self.statements.of_principal));
        self.records(query.bind(principal.as_bytes().to_vec()).bind(now.unix_millis()), now).await
    }

    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        let deleted = repeat(|| async {
            let query = sqlx::query_scalar(safe(&self.statements.delete_of_principal))
                .bind(principal.as_bytes().to_vec())
                .bind(except.map_or_else(Vec::new, |key| key.as_bytes().to_vec()))
                .bind(now.unix_millis());
            let mut lent = self.connections.lend().await?;
            let deleted = query.fetch_all(lent.connection()).await?;
            lent.give_back();
            Ok(deleted)
        });
        let were_live: Vec<bool> = deleted.await.map_err(failed)?;
        Ok(were_live.into_iter().filter(|was_live| *was_live).count())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.connections.close().await;
        Ok(())
    }
}

/// Repeats an operation that the database rolls back in favour of another one. That happens if the application asks for
/// a stricter isolation level than PostgreSQL's default.
async fn repeat<T, F>(operation: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for pause in BACKOFF.pauses().take(REPETITIONS) {
        match operation().await {
            Err(Error::Database(error)) if is_rollback(error.code().as_deref()) => tokio::time::sleep(pause).await,
            done => return done,
        }
    }
    operation().await
}

/// Serialization failures and deadlocks: class 40 of the SQL standard.
fn is_rollback(code: Option<&str>) -> bool {
    code.is_some_and(|code| code.starts_with("40"))
}

fn failed(error: Error) -> StoreError {
    let may_pass = match &error {
        Error::Database(error) => may_pass(error.code().as_deref().unwrap_or_default()),
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::BeginFailed => true,
        Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => true,
        _ => false,
    };
    if may_pass { StoreError::unavailable(NAME, error) } else { StoreError::refused(NAME, error) }
}

/// Whether the error code is about the server's present state, and not about the statement.
fn may_pass(code: &str) -> bool {
    // Connection lost; rolled back; the server is starting or stopping, or an operator has cancelled the statement.
    let classes = ["08", "40", "57"];
    // A standby that is not yet the primary; too many connections; a lock that is held too long.
    let codes = ["25006", "53300", "55P03"];
    classes.iter().any(|class| code.starts_with(class)) || codes.contains(&code)
}
