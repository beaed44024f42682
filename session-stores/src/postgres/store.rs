use std::sync::Arc;
use std::time::Duration;

use session_core::{
    Capabilities, Codec, ConfigError, Created, Deleted, DroppedRecords, JsonCodec, PrincipalKey, Purged, Record,
    RecordKey, Renewed, Saved, Store, StoreError, Time, Version,
};
use sqlx::{AssertSqlSafe, Connection, Error, Executor, FromRow, PgConnection, PgPool, Row};

use super::address::{DIRECT, options};
use super::connections::Connections;
use super::error::{NAME, failed, start_failed, through_pooler};
use super::own_pool::OwnPool;
use super::server::{ANSWER_LIMIT, NO_LIMIT, READ, Server, once_more_if_lost};
use super::statement::{Protocol, Statement};
use crate::refusal::Refusal;
use crate::sql::{self, Columns, Dialect, Statements, TableName, number};

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
/// # When the server fails or moves
///
/// An address may lead to another server at any time, as after a failover. A connection is given up, and the operation
/// is tried on a new one, when the server
///
/// - is stopping or starting (SQLSTATE 57P01 to 57P03), or the connection breaks (08),
/// - takes no writes (25006), and new connections lead to one that does. Reads tell as well. Where new connections
///   lead to such a server too, reads are answered, and it is tried again every 0.2 s,
/// - does not answer a statement about a session within 3.5 s.
///
/// The first of them gives up all idle connections, also those of an application's pool.
///
/// Nothing tells an old primary that still takes writes, such as one that was frozen for a while, from the new one. So
/// the store's own connections are used for at most 30 s, which bounds how long it can be believed. For a pool of the
/// application's, set `max_lifetime` to this (sqlx's default: 30 min).
///
/// sqlx knows one host in an address. Several are refused: let the address move, by a name in DNS or a virtual IP
/// address.
///
/// # PgBouncer
///
/// Through PgBouncer in transaction mode, prepared statements get mixed up. So add `?statement-cache-capacity=0` to the
/// address of [`connect`](PostgresStore::connect), which refuses to start without it, or call
/// [`without_prepared_statements`](PostgresStore::without_prepared_statements).
///
/// # TLS
///
/// Connections are encrypted wherever the server offers it. Only with `?sslmode=verify-full` in the address is nothing
/// sent without it, nor to a server whose certificate is not for the host in the address, or from nobody who is
/// trusted: an authority that browsers trust, or the one that `&sslrootcert=FILE` names. `verify-ca` accepts any host, and
/// `require` any certificate. `sslcert` and `sslkey` name the files of a certificate of this client.
///
/// Certificates that are in no file go into a pool of the application's own: [`from_pool`](PostgresStore::from_pool).
#[derive(Clone)]
pub struct PostgresStore {
    server: Server,
    table: TableName,
    statements: Arc<Statements>,
    codec: Arc<dyn Codec>,
    dropped: Arc<DroppedRecords>,
}

const DIALECT: Dialect = Dialect {
    read: READ,
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
    // Chooses its isolation level itself. At a stricter one that the application asks for, the database rolls the
    // deletion back if a renewal is faster, again and again.
    delete_of_principal: "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; {delete_of_principal}",
    // The array is computed once. `FOR UPDATE` looks at each row again, so one that was just touched stays. `SKIP
    // LOCKED` skips rows that others hold, so purges wait neither for each other nor for a request.
    purge: "DELETE FROM {from} WHERE key = ANY (ARRAY( \
        SELECT key FROM {from} WHERE {over} <= $1 ORDER BY {over} LIMIT $2 FOR UPDATE SKIP LOCKED))",
};

const SCHEMA: &str = include_str!("schema.sql");

/// Which index of [`SCHEMA`] is not there.
const MISSING_INDEXES: &str = r#"SELECT wanted.name FROM (VALUES
    ('{name}_expires_at', '{table}'), ('{name}_principal', '{table}'), ('{name}_moved_until', '{moved}')
) AS wanted (name, on_table) WHERE NOT EXISTS (
    SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relname = wanted.name AND indrelid = to_regclass(on_table)
)"#;

/// The advisory lock that is held while the table is created, because `IF NOT EXISTS` fails if two processes do it at
/// the same time.
const SET_UP_LOCK: i64 = 0x7365_7373_696f_6e73;

impl PostgresStore {
    /// Connects to the database at `url` (`postgres://user:password@host:port/database`), and creates the tables
    /// `session_records` and `session_records_moved` if they do not exist.
    ///
    /// The store has up to 10 connections of its own, which [`close`](Store::close) closes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is malformed, the server can't be reached, a pooler stands before it that the URL does
    /// not allow for, or a table can't be created. The message has the cause.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let (options, protocol) = options(url)?;
        let connections = Connections::Own(Arc::new(OwnPool::new(options)));
        let store = PostgresStore::on(Server::new(connections, protocol));
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
    /// your migrations. A role that may only use them needs SELECT, INSERT, UPDATE and DELETE on both, and USAGE on
    /// their schema.
    ///
    /// Set the pool's `max_lifetime` to 30 s if the server may fail over: see above. Whatever its `acquire_timeout`,
    /// the store waits for a connection for at most 4 s. A pool of sqlx also checks its connections: one more round
    /// trip after each operation, and one before it unless `test_before_acquire` is off.
    pub fn from_pool(pool: PgPool) -> Self {
        PostgresStore::on(Server::new(Connections::shared(pool), Protocol::Prepared))
    }

    /// Sends every statement as a text that contains its values, by PostgreSQL's simple query protocol. Default: each
    /// connection prepares a statement once.
    ///
    /// Needed where a pooler gives each transaction another connection, such as PgBouncer in transaction mode. Each
    /// operation takes as many round trips as before, and some 0.1 ms more of the server's time. With
    /// [`connect`](PostgresStore::connect), ask for it in the address.
    ///
    /// sqlx logs the text of statements, at `debug` level, and of slow ones at `warn`. So switch that off for an
    /// application's pool: `PgConnectOptions::disable_statement_logging`. The store's own connections have it off.
    #[must_use]
    pub fn without_prepared_statements(mut self) -> Self {
        self.server.protocol = Protocol::Simple;
        self
    }

    fn on(server: Server) -> Self {
        let table = TableName::checked(TableName::DEFAULT).expect("the default is a name");
        let statements = Arc::new(Statements::new(&table, &DIALECT));
        PostgresStore {
            server,
            table,
            statements,
            codec: Arc::new(JsonCodec),
            dropped: Arc::new(DroppedRecords::new(NAME)),
        }
    }

    /// The table that has the sessions. Default: `session_records`. Call [`set_up`](PostgresStore::set_up) afterwards.
    ///
    /// Allowed: `table` or `schema.table`, of letters, digits and underscores, not beginning with a digit, the schema
    /// of at most 63 bytes and the table of at most 40. Reserved words are no problem, because names are always quoted.
    /// So upper and lower case differ. The table must not end with `_moved`, as the table beside it does, nor as an
    /// index of it does: `_expires_at`, `_principal`, `_pkey`. Anything else is a [`ConfigError`].
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
    ///
    /// # Errors
    ///
    /// [`StoreError`] as from [`connect`](PostgresStore::connect). If the future is dropped, either all was created or
    /// nothing.
    pub async fn set_up(&self) -> Result<(), StoreError> {
        let mut lent = self.server.connections.lend().await.map_err(start_failed)?;
        let done = self.set_up_on(lent.connection()).await;
        let is_direct = lent.conclude(done).map_err(start_failed)?;
        let needs_direct = self.server.protocol == Protocol::Prepared;
        if needs_direct && self.server.connections.are_own() && !is_direct {
            return Err(through_pooler("it does not pass on the parameters of a connection"));
        }
        Ok(())
    }

    /// The SQL that creates both tables and their indexes, for the application's own migrations. It changes nothing
    /// that exists, so a later migration can run that of a later release.
    pub fn schema(&self) -> String {
        self.table.fill(SCHEMA)
    }

    /// Returns whether the connection leads to the server itself. Uses nothing that a pooler would mix up.
    async fn set_up_on(&self, connection: &mut PgConnection) -> Result<bool, Error> {
        // A user without the right to create tables may use some that exist. Their names have no `'`.
        let question = self.table.fill(
            "SELECT to_regclass('{table}') IS NOT NULL AND to_regclass('{moved}') IS NOT NULL, \
             coalesce(current_setting('{direct}', true), '') <> ''",
        );
        let question = AssertSqlSafe(question.replace("{direct}", DIRECT));
        let answer = connection.fetch_one(sqlx::raw_sql(question)).await?;
        if !answer.try_get::<bool, _>(0)? {
            self.create_tables(connection).await?;
        }
        answer.try_get(1)
    }

    async fn create_tables(&self, connection: &mut PgConnection) -> Result<(), Error> {
        // The lock ends with the transaction. At a stricter isolation level, which the application may ask for, the
        // transaction would not see what was created while it waited for the lock.
        let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let schema = format!("SELECT pg_advisory_xact_lock({SET_UP_LOCK});\n{}", self.schema());
        transaction.execute(sqlx::raw_sql(AssertSqlSafe(schema))).await?;
        // `IF NOT EXISTS` makes no index where anything else has its name.
        let missing = AssertSqlSafe(self.table.fill(MISSING_INDEXES));
        if let Some(missing) = transaction.fetch_optional(sqlx::raw_sql(missing)).await? {
            let name: String = missing.try_get(0)?;
            return Err(Error::Configuration(Box::new(ConfigError::new(format!(
                "the index {name:?} can't be created, because something else has this name; rename that, or give \
                 `with_table` another name"
            )))));
        }
        transaction.commit().await
    }

    /// Finds out why the record of this key was not written.
    async fn refusal(&self, key: &RecordKey, now: Time) -> Result<Refusal, StoreError> {
        Ok(Refusal::of(self.version(key, now).await?))
    }

    async fn records(&self, query: &Statement, now: Time, limit: Option<Duration>) -> Result<Vec<Record>, Error> {
        let rows = self.server.read(query, limit).await?;
        let columns: Vec<Columns> = rows.iter().map(Columns::from_row).collect::<Result<_, _>>()?;
        Ok(columns.into_iter().filter_map(|row| sql::open(row, &*self.codec, &self.dropped, now)).collect())
    }
}

impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let envelope = sql::seal(record, &*self.codec, NAME)?;
        let insert = Statement::new(&self.statements.create).record(&envelope);
        let rows = self.server.write(&insert, ANSWER_LIMIT).await.map_err(failed)?;
        Ok(if rows > 0 { Created::Done } else { Created::Exists })
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let query = Statement::new(&self.statements.load).key(key).time(now);
        Ok(self.records(&query, now, ANSWER_LIMIT).await.map_err(failed)?.pop())
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        let query = Statement::new(&self.statements.version).key(key).time(now);
        let rows = self.server.read(&query, ANSWER_LIMIT).await.map_err(failed)?;
        let found = rows.first().map(|row| row.try_get(0)).transpose().map_err(failed)?;
        Ok(found.map(sql::version))
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let envelope = sql::seal(record, &*self.codec, NAME)?;
        let update = Statement::new(&self.statements.save).record(&envelope).number(number(expected));
        match self.server.write(&update, ANSWER_LIMIT).await.map_err(failed)? {
            0 => Ok(self.refusal(&record.key, record.accessed).await?.into()),
            _ => Ok(Saved::Done),
        }
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let update = Statement::new(&self.statements.touch).key(key).time(accessed);
        self.server.write(&update, ANSWER_LIMIT).await.map_err(failed)?;
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
        let update = Statement::new(&self.statements.renew).record(&envelope);
        let update = update.number(number(expected)).key(old).maybe_time(moved_until);
        match self.server.write(&update, ANSWER_LIMIT).await {
            Ok(0) => Ok(self.refusal(old, record.accessed).await?.into()),
            Ok(_) => Ok(Renewed::Done),
            Err(Error::Database(error)) if error.is_unique_violation() => Ok(Renewed::Exists),
            Err(error) => Err(failed(error)),
        }
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        let query = Statement::new(&self.statements.moved).key(key).time(now);
        let rows = self.server.read(&query, ANSWER_LIMIT).await.map_err(failed)?;
        let found = rows.first().map(|row| row.try_get(0)).transpose().map_err(failed)?;
        found.map(|key| sql::moved_to(key, NAME)).transpose()
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let delete = Statement::new(&self.statements.delete).key(key);
        let rows = self.server.write_returning(&delete, ANSWER_LIMIT).await.map_err(failed)?;
        let row = rows.first().ok_or(Error::RowNotFound).map_err(failed)?;
        if row.try_get(0).map_err(failed)? {
            return Ok(Deleted::Done);
        }
        let moved_to = match row.try_get::<Option<_>, _>(1).map_err(failed)? {
            Some(key) => Some(sql::moved_to(key, NAME)?),
            // A statement sees nothing that was committed while it waited for a row. By now the note of a renewal that
            // was faster is there: it was committed together with the row.
            None => self.moved(key, sql::LONG_AGO).await?,
        };
        Ok(moved_to.map_or(Deleted::Missing, Deleted::Moved))
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let limit = sql::limit(limit);
        let purge_notes = Statement::new(&self.statements.purge_moved).time(now).number(limit);
        let purge = Statement::new(&self.statements.purge).time(now).number(limit);
        let notes = once_more_if_lost(|| self.server.write(&purge_notes, NO_LIMIT)).await.map_err(failed)?;
        let expired = once_more_if_lost(|| self.server.write(&purge, NO_LIMIT)).await.map_err(failed)?;
        Ok(Purged::new(expired, expired.max(notes) >= limit.unsigned_abs()))
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        let query = Statement::new(&self.statements.list).time(now).number(sql::limit(limit));
        once_more_if_lost(|| self.records(&query, now, NO_LIMIT)).await.map_err(failed)
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let query = Statement::new(&self.statements.of_principal).bytes(principal.as_bytes()).time(now);
        self.records(&query, now, ANSWER_LIMIT).await.map_err(failed)
    }

    /// Where the answer was lost, the deletion is repeated, and the number is of those that were left.
    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        let delete = Statement::several(&self.statements.delete_of_principal).bytes(principal.as_bytes());
        let delete = delete.bytes(except.map_or(&[], |key| key.as_bytes())).time(now);
        let deleted = once_more_if_lost(|| self.server.write_returning(&delete, ANSWER_LIMIT));
        let rows = deleted.await.map_err(failed)?;
        let were_live: Vec<bool> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?;
        Ok(were_live.into_iter().filter(|was_live| *was_live).count())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.server.connections.close().await;
        Ok(())
    }
}
