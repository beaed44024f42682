//! What the stores on SQL databases share: two tables, and statements that both databases understand.
//!
//! One table has the records, the other the moved notes that renewals leave. Each write is one statement, so none is
//! ever half done, and no transaction stays open when a caller gives up. The exception is a renewal in SQLite that
//! leaves a note: see `sqlite/store.rs`. Times are numbers, so the database's clock and time zone do not matter. The column `expires_at` is computed from the
//! other times, for an index and for conditions.
//!
//! This file knows statements and rows. It may not know either database: what differs is a [`Dialect`].

use std::sync::Arc;
use std::time::Duration;

use session_core::{
    Codec, DroppedRecords, Envelope, InvalidRecord, PrincipalKey, Record, RecordKey, StoreError, Time, Version,
};
use sqlx::AssertSqlSafe;
#[cfg(feature = "sqlite")]
use sqlx::{Database, Encode, Type, query::Query};

pub(crate) use table_name::TableName;

mod table_name;

/// The columns that are read, in the order of [`Statements`].
pub(crate) type Columns = (Vec<u8>, i64, i64, i64, i64, Option<i64>, bool, Option<Vec<u8>>, Vec<u8>);

#[cfg(feature = "sqlite")]
pub(crate) type Prepared<DB> = Query<'static, DB, <DB as Database>::Arguments>;

/// A timeout that never ends, and whose milliseconds can be added to any time without overflow.
const FOREVER: Duration = Duration::from_millis(i64::MAX as u64 / 2);
/// A time by which no moved note is over.
pub(crate) const LONG_AGO: Time = Time::from_unix_millis(i64::MIN);

/// The statements on one table, in the dialect of one database.
pub(crate) struct Statements {
    pub(crate) create: Arc<str>,
    pub(crate) load: Arc<str>,
    pub(crate) save: Arc<str>,
    pub(crate) touch: Arc<str>,
    pub(crate) renew: Arc<str>,
    pub(crate) moved: Arc<str>,
    pub(crate) delete: Arc<str>,
    pub(crate) purge: Arc<str>,
    pub(crate) purge_moved: Arc<str>,
    pub(crate) list: Arc<str>,
    pub(crate) of_principal: Arc<str>,
    pub(crate) delete_of_principal: Arc<str>,
    /// Also finds out why a write was refused.
    pub(crate) version: Arc<str>,
}

const COLUMNS: &str =
    "key, version, created, accessed, idle_timeout_ms, absolute_deadline, persistent, principal, body";

// Parameters 1 to 9 are the columns of the record that is written: see `bind_record`, and `record` of PostgreSQL's
// `Statement`.

const CREATE: &str = "INSERT INTO {table} ({columns}, expires_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, {least}(COALESCE($6, {never}), $4 + $5)) \
    ON CONFLICT DO NOTHING";

const LOAD: &str = "SELECT {columns} FROM {table} WHERE key = $1 AND expires_at > $2";

// The idle deadline does not move back if the record was used later than this writer knows.
const SAVE: &str = "UPDATE {table} SET version = $2, created = $3, accessed = {greatest}(accessed, $4), \
    idle_timeout_ms = $5, absolute_deadline = $6, persistent = $7, principal = $8, body = $9, \
    expires_at = {least}(COALESCE($6, {never}), {greatest}(accessed, $4) + $5) \
    WHERE key = $1 AND version = $10 AND expires_at > $4";

const TOUCH: &str = "UPDATE {table} SET accessed = $2, \
    expires_at = {least}(COALESCE(absolute_deadline, {never}), $2 + idle_timeout_ms) \
    WHERE key = $1 AND accessed < $2 AND expires_at > $2";

// The row gets another key, so a save, renewal or deletion that waits for the row no longer finds the old key.
const RENEW: &str = "UPDATE {table} SET key = $1, version = $2, created = $3, accessed = $4, \
    idle_timeout_ms = $5, absolute_deadline = $6, persistent = $7, principal = $8, body = $9, \
    expires_at = {least}(COALESCE($6, {never}), $4 + $5) \
    WHERE key = $11 AND version = $10 AND expires_at > $4";

const MOVED: &str = "SELECT moved_to FROM {moved} WHERE key = $1 AND until > $2";

const DELETE: &str = "DELETE FROM {table} WHERE key = $1";

const LIST: &str = "SELECT {columns} FROM {table} WHERE expires_at > $1 LIMIT $2";

const OF_PRINCIPAL: &str = "SELECT {columns} FROM {table} WHERE principal = $1 AND expires_at > $2";

// Spares the keys that the session under `$2` has had since, too.
//
// One step, which no renewal escapes, because a renewal keeps the row and changes its key. PostgreSQL: where another
// transaction has changed a row since the statement began, or is doing so, the deletion waits for it, and then deletes
// the row as it is by then, if the conditions still hold. The row of the session to be spared is never among those: the
// notes and the rows are read as they were at one moment, at which its row had a key that is known or that a note leads
// to. SQLite: there is one writer at a time.
const DELETE_OF_PRINCIPAL: &str = "WITH RECURSIVE spared (key) AS ( \
        SELECT moved_to FROM {moved} WHERE key = $2 AND until > $3 \
        UNION SELECT moved_to FROM spared JOIN {moved} USING (key) WHERE until > $3) \
    DELETE FROM {table} WHERE principal = $1 AND key <> $2 AND key NOT IN (SELECT key FROM spared) \
    RETURNING expires_at > $3";

// Checks the deadlines themselves too, as loading a record does.
const VERSION: &str = "SELECT version FROM {table} WHERE key = $1 AND expires_at > $2 \
    AND {least}(COALESCE(absolute_deadline, {never}), accessed + idle_timeout_ms) > $2";

/// What differs between the databases.
pub(crate) struct Dialect {
    /// Does what the query `{read}` does.
    pub(crate) read: &'static str,
    pub(crate) least: &'static str,
    pub(crate) greatest: &'static str,
    /// Does what `{renew}` does.
    pub(crate) renew: &'static str,
    /// Does what `{delete}` does.
    pub(crate) delete: &'static str,
    /// Does what `{delete_of_principal}` does.
    pub(crate) delete_of_principal: &'static str,
    /// Deletes at most `$2` rows of the table `{from}` whose `{over}` is at most `$1`.
    pub(crate) purge: &'static str,
}

impl Statements {
    pub(crate) fn new(table: &TableName, dialect: &Dialect) -> Self {
        let text = |statement: &str| {
            let statement = statement
                .replace("{renew}", RENEW)
                .replace("{delete}", DELETE)
                .replace("{delete_of_principal}", DELETE_OF_PRINCIPAL)
                .replace("{columns}", COLUMNS)
                .replace("{least}", dialect.least)
                .replace("{greatest}", dialect.greatest)
                .replace("{never}", &i64::MAX.to_string());
            Arc::from(table.fill(&statement))
        };
        let read = |query| text(&dialect.read.replace("{read}", query));
        let purge = |from, over| text(&dialect.purge.replace("{from}", from).replace("{over}", over));
        Statements {
            create: text(CREATE),
            load: read(LOAD),
            save: text(SAVE),
            touch: text(TOUCH),
            renew: text(dialect.renew),
            moved: read(MOVED),
            delete: text(dialect.delete),
            purge: purge("{table}", "expires_at"),
            purge_moved: purge("{moved}", "until"),
            list: read(LIST),
            of_principal: read(OF_PRINCIPAL),
            delete_of_principal: text(dialect.delete_of_principal),
            version: read(VERSION),
        }
    }
}

/// One of our statements. Values enter it only as parameters, so nothing can be injected.
pub(crate) fn safe(statement: &Arc<str>) -> AssertSqlSafe<Arc<str>> {
    AssertSqlSafe(Arc::clone(statement))
}

pub(crate) fn seal(record: &Record, codec: &dyn Codec, store: &'static str) -> Result<Envelope, StoreError> {
    let refused = |error| StoreError::refused(store, error);
    if record.idle_timeout <= FOREVER {
        return Envelope::seal(record, codec).map_err(refused);
    }
    // Cut before it is sealed, because an encrypting codec authenticates the timeout.
    let mut record = record.clone();
    record.idle_timeout = FOREVER;
    Envelope::seal(&record, codec).map_err(refused)
}

/// Binds the parameters 1 to 9 of a statement that writes a record.
#[cfg(feature = "sqlite")]
pub(crate) fn bind_record<DB: Database>(query: Prepared<DB>, envelope: &Envelope) -> Prepared<DB>
where
    i64: Encode<'static, DB> + Type<DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    bool: Encode<'static, DB> + Type<DB>,
    Vec<u8>: Encode<'static, DB> + Type<DB>,
    Option<Vec<u8>>: Encode<'static, DB> + Type<DB>,
{
    query
        .bind(envelope.key.as_bytes().to_vec())
        .bind(number(envelope.version))
        .bind(envelope.created.unix_millis())
        .bind(envelope.accessed.unix_millis())
        .bind(envelope.idle_timeout_ms)
        .bind(envelope.absolute_deadline.map(Time::unix_millis))
        .bind(envelope.persistent)
        .bind(envelope.principal.map(|principal| principal.as_bytes().to_vec()))
        .bind(envelope.body.clone())
}

/// A version as a number of the database.
pub(crate) fn number(version: Version) -> i64 {
    version.get().cast_signed()
}

/// The version in a row.
pub(crate) fn version(number: i64) -> Version {
    Version::from_number(number.cast_unsigned())
}

/// A limit as a number of the database.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The key in a moved note.
pub(crate) fn moved_to(bytes: Vec<u8>, store: &'static str) -> Result<RecordKey, StoreError> {
    let key = bytes.try_into().map_err(|_| StoreError::refused(store, "the key in a moved note has not 32 bytes"))?;
    Ok(RecordKey::from_bytes(key))
}

/// The live record in a row. `None` for a row that is not a record of ours, of which it warns.
pub(crate) fn open(columns: Columns, codec: &dyn Codec, dropped: &DroppedRecords, now: Time) -> Option<Record> {
    let Some(envelope) = envelope(columns) else {
        dropped.warn(None, &InvalidRecord::Keys);
        return None;
    };
    let record = envelope.open_or_warn(codec, dropped)?;
    // By its own times, because the computed column may be wrong.
    (!record.is_expired(now)).then_some(record)
}

fn envelope(columns: Columns) -> Option<Envelope> {
    let (key, version, created, accessed, idle_timeout_ms, absolute_deadline, persistent, principal, body) = columns;
    let principal = match principal {
        Some(bytes) => Some(PrincipalKey::from_bytes(bytes.try_into().ok()?)),
        None => None,
    };
    let key = RecordKey::from_bytes(key.try_into().ok()?);
    let mut envelope = Envelope::new(key, self::version(version), body);
    envelope.created = Time::from_unix_millis(created);
    envelope.accessed = Time::from_unix_millis(accessed);
    envelope.idle_timeout_ms = idle_timeout_ms;
    envelope.absolute_deadline = absolute_deadline.map(Time::from_unix_millis);
    envelope.persistent = persistent;
    envelope.principal = principal;
    Some(envelope)
}
