//! What the stores on SQL databases share: one table, and statements that both databases understand.
//!
//! Each operation is one statement. So none is ever half done, and no transaction stays open when a caller gives up.
//! Times are numbers, so the database's clock and time zone do not matter. The column `expires_at` is computed from the
//! other times, for an index and for conditions.
//!
//! This file knows statements and rows. It may not know either database: what differs is a [`Dialect`].

use std::sync::Arc;
use std::time::Duration;

use session_core::{
    Codec, ConfigError, DroppedRecords, Envelope, InvalidRecord, PrincipalKey, Record, RecordKey, StoreError, Time,
    Version,
};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Database, Encode, Type};

/// The columns that are read, in the order of [`Statements`].
pub(crate) type Columns = (Vec<u8>, i64, i64, i64, i64, Option<i64>, bool, Option<Vec<u8>>, Vec<u8>);

pub(crate) type Prepared<DB> = Query<'static, DB, <DB as Database>::Arguments>;

/// A timeout that never ends, and whose milliseconds can be added to any time without overflow.
const FOREVER: Duration = Duration::from_millis(i64::MAX as u64 / 2);

/// The name of a table, checked so that it can be written into a statement.
#[derive(Clone, Debug)]
pub(crate) struct TableName(String);

impl TableName {
    pub(crate) const DEFAULT: &'static str = "session_records";

    /// PostgreSQL cuts names at 63 bytes, and the names of indexes are longer than the table's.
    const MAX_BYTES: usize = 40;

    /// Checks a name: `table` or `schema.table`.
    pub(crate) fn checked(name: &str) -> Result<Self, ConfigError> {
        let is_word = |word: &str| {
            let starts_well = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let goes_on_well = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            starts_well && goes_on_well && word.len() <= TableName::MAX_BYTES
        };
        if name.split('.').count() <= 2 && name.split('.').all(is_word) {
            return Ok(TableName(name.to_owned()));
        }
        Err(ConfigError::new(format!(
            "{name:?} is not allowed as the name of a table; write `table` or `schema.table`, each with at most {} \
             ASCII letters, digits and underscores, not beginning with a digit",
            TableName::MAX_BYTES
        )))
    }

    /// Writes the table into the text of statements: `{table}` becomes the whole name, `{name}` the name without
    /// schema.
    pub(crate) fn fill(&self, text: &str) -> String {
        let name = self.0.rsplit('.').next().unwrap_or(&self.0);
        let quoted = self.0.replace('.', "\".\"");
        text.replace("{table}", &format!("\"{quoted}\"")).replace("{name}", name)
    }
}

/// The statements on one table, in the dialect of one database.
pub(crate) struct Statements {
    pub(crate) create: Arc<str>,
    pub(crate) load: Arc<str>,
    pub(crate) save: Arc<str>,
    pub(crate) touch: Arc<str>,
    pub(crate) renew: Arc<str>,
    pub(crate) delete: Arc<str>,
    pub(crate) purge: Arc<str>,
    pub(crate) list: Arc<str>,
    pub(crate) of_principal: Arc<str>,
    pub(crate) delete_of_principal: Arc<str>,
    /// Also finds out why a write was refused.
    pub(crate) version: Arc<str>,
}

const COLUMNS: &str =
    "key, version, created, accessed, idle_timeout_ms, absolute_deadline, persistent, principal, body";

// Parameters 1 to 9 are the columns of the record that is written: see `bind_record`.

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

const DELETE: &str = "DELETE FROM {table} WHERE key = $1";

const LIST: &str = "SELECT {columns} FROM {table} WHERE expires_at > $1 LIMIT $2";

const OF_PRINCIPAL: &str = "SELECT {columns} FROM {table} WHERE principal = $1 AND expires_at > $2";

const DELETE_OF_PRINCIPAL: &str = "DELETE FROM {table} WHERE principal = $1 AND key <> $2 RETURNING expires_at > $3";

// Checks the deadlines themselves too, as loading a record does.
const VERSION: &str = "SELECT version FROM {table} WHERE key = $1 AND expires_at > $2 \
    AND {least}(COALESCE(absolute_deadline, {never}), accessed + idle_timeout_ms) > $2";

/// What differs between the databases.
pub(crate) struct Dialect {
    pub(crate) least: &'static str,
    pub(crate) greatest: &'static str,
    /// Deletes at most `$2` records that have expired by `$1`.
    pub(crate) purge: &'static str,
}

impl Statements {
    pub(crate) fn new(table: &TableName, dialect: &Dialect) -> Self {
        let text = |statement: &str| {
            let statement = statement
                .replace("{columns}", COLUMNS)
                .replace("{least}", dialect.least)
                .replace("{greatest}", dialect.greatest)
                .replace("{never}", &i64::MAX.to_string());
            Arc::from(table.fill(&statement))
        };
        Statements {
            create: text(CREATE),
            load: text(LOAD),
            save: text(SAVE),
            touch: text(TOUCH),
            renew: text(RENEW),
            delete: text(DELETE),
            purge: text(dialect.purge),
            list: text(LIST),
            of_principal: text(OF_PRINCIPAL),
            delete_of_principal: text(DELETE_OF_PRINCIPAL),
            version: text(VERSION),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_quoted_and_an_index_has_no_schema() {
        let table = TableName::checked("app.Visits_2").unwrap();
        assert_eq!(table.fill("{table} {name}_idx"), "\"app\".\"Visits_2\" Visits_2_idx");
    }

    #[test]
    fn a_name_that_would_need_escaping_is_refused() {
        let long = "a".repeat(TableName::MAX_BYTES + 1);
        for name in ["", ".", "a.", "a.b.c", "1a", "a b", "a\"b", "a;b", "ä", &long] {
            assert!(TableName::checked(name).is_err(), "{name:?}");
        }
    }
}
