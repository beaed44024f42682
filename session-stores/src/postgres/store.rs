use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use session_core::internals::Backoff;
use session_core::{
    Capabilities, Codec, ConfigError, Created, Deleted, DroppedRecords, JsonCodec, PrincipalKey, Purged, Record,
    RecordKey, Renewed, Saved, Store, StoreError, Time, Version,
};
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::{AssertSqlSafe, Error, Executor, PgConnection, PgPool, Postgres, Row};

use super::connections::Connections;
use super::own_pool::OwnPool;
use crate::address::check_address;
use crate::refusal::Refusal;
use crate::sql::{self, Columns, Dialect, Prepared, Statements, TableName, bind_record, number, safe};

const NAME: &str = "postgres";

/// A store in a table of a PostgreSQL database, for many processes and machines.
///
/// What it has acknowledged survives a crash as far as the server's `synchronous_commit` says; by default it does. Each
/// write is one statement and one transaction. Only a write that was refused, or a deletion that found no record, needs
/// a second statement, to find the reason. `Clone` shares the store.
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
    // The note is made of the row that was written, so it is left by a renewal that succeeds, and in the same step.
    renew: "WITH renewed AS ({renew} RETURNING key), noted AS ( \
            INSERT INTO {moved} (key, moved_to, until) SELECT $11, key, $12 FROM renewed WHERE $12 IS NOT NULL \
            ON CONFLICT (key) DO UPDATE SET moved_to = excluded.moved_to, until = excluded.until) \
        SELECT key FROM renewed",
    // Also reads the note, so that whoever follows a session takes one round trip for each renewal, which takes two.
    delete: "WITH gone AS ({delete} RETURNING key) \
        SELECT EXISTS (SELECT FROM gone), (SELECT moved_to FROM {moved} WHERE key = $1)",
    // The array is computed once. `FOR UPDATE` looks at each row again, so one that was just touched stays. `SKIP
    // LOCKED` skips rows that others hold, so purges wait neither for each other nor for a request.
    purge: "DELETE FROM {from} WHERE key = ANY (ARRAY( \
        SELECT key FROM {from} WHERE {over} <= $1 ORDER BY {over} LIMIT $2 FOR UPDATE SKIP LOCKED))",
};

const SCHEMA: &str = include_str!("schema.sql");

/// The advisory lock that is held while the table is created, because `IF NOT EXISTS` fails if two processes do it at
/// the same time.
const SET_UP_LOCK: i64 = 0x7365_7373_696f_6e73;

/// How often a statement is repeated that the database rolled back in favour of another one.
const REPETITIONS: usize = 50;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));

impl PostgresStore {
    /// Connects to the database at `url` (`postgres://user:password@host:port/database`), and creates the tables
    /// `session_records` and `session_records_moved` if they do not exist.
    ///
    /// The store has up to 10 connections of its own, which [`close`](Store::close) closes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is malformed, the server can't be reached, or a table can't be created.
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
    /// The tables must exist: call [`set_up`](PostgresStore::set_up), or put [`schema`](PostgresStore::schema) into
    /// your migrations. A role that may only use them needs SELECT, INSERT, UPDATE and DELETE on both.
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
    /// with a digit. The table must not end with `_moved`, as the table beside it does, nor as an index of it does:
    /// `_expires_at`, `_principal`, `_pkey`. Anything else is a [`ConfigError`].
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

    /// Creates the tables and their indexes if they do not exist: that of the sessions, and one whose name ends with
    /// `_moved`, where renewals leave a note for 60 s. Several processes may do so at the same time.
    ///
    /// If both tables exist, this needs no right to create one.
    pub async fn set_up(&self) -> Result<(), StoreError> {
        let mut lent = self.connections.lend().await.map_err(failed)?;
        self.set_up_on(lent.connection()).await.map_err(failed)?;
        lent.give_back();
        Ok(())
    }

    /// The SQL that creates both tables and their indexes, for the application's own migrations. It changes nothing
    /// that exists, so a later migration can run that of a later release.
    pub fn schema(&self) -> String {
        self.table.fill(SCHEMA)
    }

    async fn set_up_on(&self, connection: &mut PgConnection) -> Result<(), Error> {
        // A user without the right to create tables may use some that exist.
        let exist = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL");
        let exist = exist.bind(self.table.fill("{table}")).bind(self.table.fill("{moved}"));
        if exist.fetch_one(&mut *connection).await? {
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

    /// The text of `delete_of_principal`, which chooses its isolation level itself. At a stricter one that the
    /// application asks for, the database rolls the deletion back if a renewal is faster, again and again.
    ///
    /// Both statements are sent together, so they are one transaction, which ends even if the caller gives up. That
    /// works only without parameters. The values are numbers and the digits of bytes, so nothing can be injected.
    fn deletion_of(&self, principal: &PrincipalKey, except: Option<&RecordKey>, now: Time) -> String {
        let bytes = |bytes: &[u8]| {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("decode('{digits}', 'hex')")
        };
        let statement = self.statements.delete_of_principal.replace("$1", &bytes(principal.as_bytes()));
        let statement = statement.replace("$2", &bytes(except.map_or(&[], |key| key.as_bytes())));
        let statement = statement.replace("$3", &now.unix_millis().to_string());
        format!("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; {statement}")
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

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let envelope = sql::seal(record, &*self.codec, NAME)?;
        let update = || {
            bind_record(sqlx::query(safe(&self.statements.renew)), &envelope)
                .bind(number(expected))
                .bind(old.as_bytes().to_vec())
                .bind(moved_until.map(Time::unix_millis))
        };
        match self.write(update).await {
            Ok(0) => Ok(self.refusal(old, record.accessed).await?.into()),
            Ok(_) => Ok(Renewed::Done),
            Err(Error::Database(error)) if error.is_unique_violation() => Ok(Renewed::Exists),
            Err(error) => Err(failed(error)),
        }
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        let query = sqlx::query_scalar(safe(&self.statements.moved));
        let query = query.bind(key.as_bytes().to_vec()).bind(now.unix_millis());
        let mut lent = self.connections.lend().await.map_err(failed)?;
        let found: Option<Vec<u8>> = query.fetch_optional(lent.connection()).await.map_err(failed)?;
        lent.give_back();
        found.map(|key| sql::moved_to(key, NAME)).transpose()
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let deleted = repeat(|| async {
            let query = sqlx::query_as(safe(&self.statements.delete)).bind(key.as_bytes().to_vec());
            let mut lent = self.connections.lend().await?;
            let deleted = query.fetch_one(lent.connection()).await?;
            lent.give_back();
            Ok(deleted)
        });
        let (is_deleted, note): (bool, Option<Vec<u8>>) = deleted.await.map_err(failed)?;
        if is_deleted {
            return Ok(Deleted::Done);
        }
        let moved_to = match note {
            Some(key) => Some(sql::moved_to(key, NAME)?),
            // A statement sees nothing that was committed while it waited for a row. By now the note of a renewal that
            // was faster is there: it was committed together with the row.
            None => self.moved(key, sql::LONG_AGO).await?,
        };
        Ok(moved_to.map_or(Deleted::Missing, Deleted::Moved))
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let limit = sql::limit(limit);
        let purge = |statement| sqlx::query(safe(statement)).bind(now.unix_millis()).bind(limit);
        let notes = self.write(|| purge(&self.statements.purge_moved)).await.map_err(failed)?;
        let expired = self.write(|| purge(&self.statements.purge)).await.map_err(failed)?;
        Ok(Purged::new(expired, expired.max(notes) >= limit.unsigned_abs()))
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
        let statement: Arc<str> = self.deletion_of(principal, except, now).into();
        let deleted = repeat(|| async {
            let mut lent = self.connections.lend().await?;
            let deleted = sqlx::raw_sql(safe(&statement)).fetch_all(lent.connection()).await?;
            lent.give_back();
            deleted.iter().map(|row| row.try_get(0)).collect()
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
