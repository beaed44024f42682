use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use session_core::internals::Backoff;
use session_core::{
    Capabilities, Codec, ConfigError, Created, Deleted, DroppedRecords, InvalidRecord, JsonCodec, PrincipalKey, Purged,
    Record, RecordKey, Renewed, Saved, Store, StoreError, Time, Version,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Error, Executor, FromRow, Row, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::contention::Contention;
use crate::address::check_name;
use crate::refusal::Refusal;
use crate::sql::{self, Columns, Dialect, Prepared, Statements, TableName, bind_record, number, safe};

const NAME: &str = "sqlite";

/// A store in a file of SQLite, for processes of one machine. Sessions survive a restart, and there is no server to
/// run.
///
/// Several processes may use the same file. What [`open`](SqliteStore::open) has acknowledged survives a power failure:
/// each write waits for the disk. `Clone` shares the store.
///
/// ```no_run
/// # async fn example() -> Result<(), session_core::StoreError> {
/// use session_core::SessionManager;
/// use session_stores::SqliteStore;
///
/// let sessions = SessionManager::new(SqliteStore::open("/var/lib/app/sessions.db").await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
    owns_pool: bool,
    table: TableName,
    statements: Arc<Statements>,
    codec: Arc<dyn Codec>,
    dropped: Arc<DroppedRecords>,
    /// SQLite has one writer at a time. Waiting for this lock is fair; waiting in SQLite is polling.
    writing: Arc<Mutex<()>>,
    contention: Arc<Contention>,
}

const DIALECT: Dialect = Dialect {
    read: "{read}",
    delete_of_principal: "{delete_of_principal}",
    least: "MIN",
    greatest: "MAX",
    renew: "{renew}",
    delete: "{delete}",
    purge: "DELETE FROM {from} WHERE key IN (SELECT key FROM {from} WHERE {over} <= $1 ORDER BY {over} LIMIT $2)",
};

/// Deletes the row under a key, or where notes lead from it.
const END: &str = "WITH RECURSIVE \
    chain (key) AS (SELECT $1 UNION SELECT moved_to FROM chain JOIN {moved} USING (key)) \
    DELETE FROM {table} WHERE key IN (SELECT key FROM chain) RETURNING key";

/// Leaves a moved note. A key has one already only if it was used twice.
const NOTE: &str = "INSERT INTO {moved} (key, moved_to, until) VALUES ($1, $2, $3) \
    ON CONFLICT (key) DO UPDATE SET moved_to = excluded.moved_to, until = excluded.until";

const SCHEMA: &str = include_str!("schema.sql");

/// How long to wait for other processes that write. Less than the manager's default `time_limit` of 5 s, so that the
/// error names the cause.
const BUSY_LIMIT: Duration = Duration::from_secs(4);

/// Pauses between attempts to turn on the write-ahead log while other processes have the file open.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(100));

/// How long it may take to get a connection.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(3);

/// The number of connections of a pool that the store opens: one writes, the others read meanwhile.
const MAX_CONNECTIONS: u32 = 8;

impl SqliteStore {
    /// Opens the file at `path`, or creates it so that only its owner can read it. Creates the tables
    /// `session_records` and `session_records_moved` if they do not exist.
    ///
    /// The folder must exist. The store has up to 8 connections of its own, which [`close`](Store::close) closes. They
    /// use a write-ahead log: two more files whose names end with `-wal` and `-shm`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the path is no name of a file (such as `:memory:` or `sqlite://…`), if the file can't be
    /// opened or is not a database, or if a table can't be created.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        SqliteStore::check(path)?;
        make_private(path).map_err(|error| {
            let message = format!("can't open {}: {error}", path.display());
            StoreError::unavailable(NAME, io::Error::new(error.kind(), message))
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_LIMIT);
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE_LIMIT)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        let store = SqliteStore { owns_pool: true, ..SqliteStore::from_pool(pool) };
        let mut connection = connect_first(&options).await.map_err(failed)?;
        store.set_up_on(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
        Ok(store)
    }

    /// What [`open`](SqliteStore::open) checks before it touches the file.
    #[doc(hidden)]
    pub fn check(path: &Path) -> Result<(), StoreError> {
        let checked = path.to_str().map_or(Ok(()), check_file_name);
        checked.map_err(|error| StoreError::refused(NAME, error))
    }

    /// Makes a store that uses the application's pool. [`close`](Store::close) leaves the pool open.
    ///
    /// The tables must exist: call [`set_up`](SqliteStore::set_up), or put [`schema`](SqliteStore::schema) into your
    /// migrations.
    ///
    /// The pool's options decide what survives a power failure. [`open`](SqliteStore::open) uses the journal mode WAL,
    /// `synchronous` full, and a busy timeout of 4 s.
    pub fn from_pool(pool: SqlitePool) -> Self {
        let table = TableName::checked(TableName::DEFAULT).expect("the default is a name");
        let statements = Arc::new(Statements::new(&table, &DIALECT));
        let codec = Arc::new(JsonCodec);
        let (dropped, contention) = (Arc::new(DroppedRecords::new(NAME)), Arc::new(Contention::new()));
        SqliteStore { pool, owns_pool: false, table, statements, codec, dropped, writing: Arc::default(), contention }
    }

    /// The table that has the sessions. Default: `session_records`. Call [`set_up`](SqliteStore::set_up) afterwards.
    ///
    /// Allowed: `table` or `schema.table`, of letters, digits and underscores, not beginning with a digit, the schema
    /// of at most 63 bytes and the table of at most 40. Reserved words are no problem, because names are always quoted.
    /// The table must not end with `_moved`, as the table beside it does, nor as an index of it does:
    /// `_expires_at`, `_principal`. Anything else is a [`ConfigError`].
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
    pub async fn set_up(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        self.set_up_on(&mut connection).await.map_err(failed)
    }

    /// The SQL that creates both tables and their indexes, for the application's own migrations. It changes nothing
    /// that exists, so a later migration can run that of a later release.
    pub fn schema(&self) -> String {
        self.table.fill(SCHEMA)
    }

    async fn set_up_on(&self, connection: &mut SqliteConnection) -> Result<(), Error> {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(self.schema()))).await?;
        Ok(())
    }

    /// Runs a statement and returns the number of rows that it wrote.
    async fn write(&self, statement: Prepared<Sqlite>) -> Result<u64, Error> {
        let _turn = self.writing.lock().await;
        Ok(statement.execute(&self.pool).await?.rows_affected())
    }

    /// Runs a statement, and another one if the first has written a row, in one transaction.
    ///
    /// The transaction holds the lock of the file, for which other processes wait. So it is a task of its own, which
    /// does not depend on a caller that is slow or gives up. If the program ends, SQLite takes the first half back.
    async fn write_both(&self, statement: Prepared<Sqlite>, then: Prepared<Sqlite>) -> Result<u64, Error> {
        let turn = Arc::clone(&self.writing).lock_owned().await;
        let pool = self.pool.clone();
        let writing = tokio::spawn(async move {
            let _turn = turn;
            let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
            let rows = statement.execute(&mut *transaction).await?.rows_affected();
            if rows > 0 {
                then.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(rows)
        });
        writing.await.unwrap_or(Err(Error::WorkerCrashed))
    }

    /// Finds out why the record of this key was not written.
    async fn refusal(&self, key: &RecordKey, now: Time) -> Result<Refusal, StoreError> {
        Ok(Refusal::of(self.version(key, now).await?))
    }

    /// The records that a statement finds. SQLite lets other programs put values of any type into a column, so a row
    /// that is none of ours is dropped, and hides no other.
    async fn records(&self, query: Prepared<Sqlite>, now: Time) -> Result<Vec<Record>, StoreError> {
        let rows = query.fetch_all(&self.pool).await.map_err(failed)?;
        let record = |row: &SqliteRow| match Columns::from_row(row) {
            Ok(columns) => sql::open(columns, &*self.codec, &self.dropped, now),
            Err(_) => {
                self.dropped.warn(None, &InvalidRecord::OtherType);
                None
            }
        };
        Ok(rows.iter().filter_map(record).collect())
    }
}

impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let envelope = sql::seal(record, &*self.codec, NAME)?;
        let insert = bind_record(sqlx::query(safe(&self.statements.create)), &envelope);
        let rows = self.write(insert).await.map_err(failed)?;
        Ok(if rows > 0 { Created::Done } else { Created::Exists })
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let query = sqlx::query(safe(&self.statements.load)).bind(key.as_bytes().to_vec()).bind(now.unix_millis());
        Ok(self.records(query, now).await?.pop())
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        let query = sqlx::query(safe(&self.statements.version)).bind(key.as_bytes().to_vec()).bind(now.unix_millis());
        let found = query.fetch_optional(&self.pool).await.map_err(failed)?;
        Ok(found.and_then(|row| row.try_get(0).ok()).map(sql::version))
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let envelope = sql::seal(record, &*self.codec, NAME)?;
        let update = bind_record(sqlx::query(safe(&self.statements.save)), &envelope).bind(number(expected));
        if self.write(update).await.map_err(failed)? > 0 {
            if let Some(pause) = self.contention.pause(&record.key, record.version) {
                tokio::time::sleep(pause).await;
            }
            return Ok(Saved::Done);
        }
        let refusal = self.refusal(&record.key, record.accessed).await?;
        if refusal == Refusal::Conflict {
            self.contention.note(&record.key);
        }
        Ok(refusal.into())
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let update =
            sqlx::query(safe(&self.statements.touch)).bind(key.as_bytes().to_vec()).bind(accessed.unix_millis());
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
        let update = bind_record(sqlx::query(safe(&self.statements.renew)), &envelope)
            .bind(number(expected))
            .bind(old.as_bytes().to_vec());
        let written = match moved_until {
            None => self.write(update).await,
            Some(until) => {
                let note = sqlx::query(AssertSqlSafe(self.table.fill(NOTE)))
                    .bind(old.as_bytes().to_vec())
                    .bind(record.key.as_bytes().to_vec())
                    .bind(until.unix_millis());
                self.write_both(update, note).await
            }
        };
        match written {
            Ok(0) => Ok(self.refusal(old, record.accessed).await?.into()),
            Ok(_) => Ok(Renewed::Done),
            Err(Error::Database(error)) if error.is_unique_violation() => Ok(Renewed::Exists),
            Err(error) => Err(failed(error)),
        }
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        let query = sqlx::query_scalar(safe(&self.statements.moved));
        let query = query.bind(key.as_bytes().to_vec()).bind(now.unix_millis());
        let found: Option<Vec<u8>> = query.fetch_optional(&self.pool).await.map_err(failed)?;
        found.map(|key| sql::moved_to(key, NAME)).transpose()
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let delete = sqlx::query(safe(&self.statements.delete)).bind(key.as_bytes().to_vec());
        if self.write(delete).await.map_err(failed)? > 0 {
            return Ok(Deleted::Done);
        }
        // The note of a renewal that was faster is there by now: it was written in one step with the row.
        Ok(self.moved(key, sql::LONG_AGO).await?.map_or(Deleted::Missing, Deleted::Moved))
    }

    async fn end(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        let query = sqlx::query_scalar(AssertSqlSafe(self.table.fill(END))).bind(key.as_bytes().to_vec());
        // One step, because there is one writer at a time. Whoever follows notes one by one waits for the file's lock
        // each time, and another process that renews without a pause is always faster.
        let _turn = self.writing.lock().await;
        let ended: Vec<Vec<u8>> = query.fetch_all(&self.pool).await.map_err(failed)?;
        ended.into_iter().next().map(|key| sql::moved_to(key, NAME)).transpose()
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let limit = sql::limit(limit);
        let purge = |statement| sqlx::query(safe(statement)).bind(now.unix_millis()).bind(limit);
        let notes = self.write(purge(&self.statements.purge_moved)).await.map_err(failed)?;
        let expired = self.write(purge(&self.statements.purge)).await.map_err(failed)?;
        Ok(Purged::new(expired, expired.max(notes) >= limit.unsigned_abs()))
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        let query = sqlx::query(safe(&self.statements.list)).bind(now.unix_millis()).bind(sql::limit(limit));
        self.records(query, now).await
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let query = sqlx::query(safe(&self.statements.of_principal));
        self.records(query.bind(principal.as_bytes().to_vec()).bind(now.unix_millis()), now).await
    }

    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        let query = sqlx::query_scalar(safe(&self.statements.delete_of_principal))
            .bind(principal.as_bytes().to_vec())
            .bind(except.map_or_else(Vec::new, |key| key.as_bytes().to_vec()))
            .bind(now.unix_millis());
        let _turn = self.writing.lock().await;
        // Fetches all rows, because the statement is committed only after the last one.
        let were_live: Vec<bool> = query.fetch_all(&self.pool).await.map_err(failed)?;
        Ok(were_live.into_iter().filter(|was_live| *was_live).count())
    }

    async fn close(&self) -> Result<(), StoreError> {
        if self.owns_pool {
            self.pool.close().await;
        }
        Ok(())
    }
}

/// Fails for what SQLite or its drivers take for something else than the name of a file.
fn check_file_name(name: &str) -> Result<(), ConfigError> {
    if name.starts_with(":memory:") || name.is_empty() {
        return Err(ConfigError::new(format!(
            "the file's name can't be {name:?}: each connection would have a database of its own; use a `MemoryStore`, or \
             give the path of a file"
        )));
    }
    if let Some(scheme) = ["sqlite:", "file:"].into_iter().find(|scheme| name.starts_with(scheme)) {
        return Err(ConfigError::new(format!(
            "the file's name can't be {name:?}: give the path alone, without `{scheme}` and parameters"
        )));
    }
    check_name("the file's name", name)
}

/// Creates the file with mode 0600 before SQLite creates it, which would let all users read it.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    warn_if_readable(&options.open(path)?, path)
}

#[cfg(unix)]
fn warn_if_readable(file: &File, path: &Path) -> io::Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata()?.permissions());
    if mode & 0o077 != 0 {
        let path = path.display();
        let mode = format_args!("{:o}", mode & 0o777);
        tracing::warn!(%path, mode, "other users can read the file of sessions; run `chmod 600` on it");
    }
    Ok(())
}

#[cfg(not(unix))]
fn warn_if_readable(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens the connection that turns on the write-ahead log. SQLite does that only while no other process has the file
/// open, and does not wait for it, so this repeats the attempt.
async fn connect_first(options: &SqliteConnectOptions) -> Result<SqliteConnection, Error> {
    let deadline = tokio::time::Instant::now() + BUSY_LIMIT;
    for pause in BACKOFF.pauses().take_while(|_| tokio::time::Instant::now() < deadline) {
        match SqliteConnection::connect_with(options).await {
            Err(error) if is_busy(&error) => tokio::time::sleep(pause).await,
            connected => return connected,
        }
    }
    SqliteConnection::connect_with(options).await
}

fn is_busy(error: &Error) -> bool {
    primary_code(error).is_some_and(|code| [SQLITE_BUSY, SQLITE_LOCKED].contains(&code))
}

const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_READONLY: i32 = 8;
const SQLITE_IOERR: i32 = 10;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;

/// What is about the file's present state, and not about the statement.
const MAY_PASS: [i32; 6] = [SQLITE_BUSY, SQLITE_LOCKED, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN];

/// The primary result code: SQLite's extended code has more bits above it.
fn primary_code(error: &Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

fn failed(error: Error) -> StoreError {
    let may_pass = match &error {
        Error::Database(_) => primary_code(&error).is_some_and(|code| MAY_PASS.contains(&code)),
        Error::Io(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => true,
        _ => false,
    };
    if may_pass { StoreError::unavailable(NAME, error) } else { StoreError::refused(NAME, error) }
}
