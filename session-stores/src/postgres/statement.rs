use std::fmt::Write;
use std::sync::Arc;

use session_core::{Envelope, RecordKey, Time};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Error, PgConnection, Postgres};

/// How statements are sent. Either takes one round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Each connection prepares a statement once, and then sends only its values.
    Prepared,
    /// PostgreSQL's simple query protocol: the values are in the text. Nothing depends on what the connection did
    /// before, so a pooler may give each statement another one.
    Simple,
}

/// One of the store's statements, with its values.
pub(super) struct Statement {
    text: Arc<str>,
    values: Vec<Value>,
    /// Whether the text has several statements, which only the simple protocol takes.
    are_several: bool,
}

enum Value {
    Bytes(Option<Vec<u8>>),
    Number(Option<i64>),
    Flag(bool),
}

impl Statement {
    pub(super) fn new(text: &Arc<str>) -> Self {
        Statement { text: Arc::clone(text), values: Vec::new(), are_several: false }
    }

    /// Several statements that are sent together, so they are one transaction, which ends even if the caller gives up.
    pub(super) fn several(text: &Arc<str>) -> Self {
        Statement { are_several: true, ..Statement::new(text) }
    }

    /// The values 1 to 9 of a statement that writes a record.
    pub(super) fn record(self, envelope: &Envelope) -> Self {
        self.key(&envelope.key)
            .number(crate::sql::number(envelope.version))
            .time(envelope.created)
            .time(envelope.accessed)
            .number(envelope.idle_timeout_ms)
            .value(Value::Number(envelope.absolute_deadline.map(Time::unix_millis)))
            .value(Value::Flag(envelope.persistent))
            .value(Value::Bytes(envelope.principal.map(|principal| principal.as_bytes().to_vec())))
            .bytes(&envelope.body)
    }

    pub(super) fn key(self, key: &RecordKey) -> Self {
        self.bytes(key.as_bytes())
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        self.value(Value::Bytes(Some(bytes.to_vec())))
    }

    pub(super) fn time(self, time: Time) -> Self {
        self.number(time.unix_millis())
    }

    pub(super) fn maybe_time(self, time: Option<Time>) -> Self {
        self.value(Value::Number(time.map(Time::unix_millis)))
    }

    pub(super) fn number(self, number: i64) -> Self {
        self.value(Value::Number(Some(number)))
    }

    fn value(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }

    /// Runs it, and returns how many rows it wrote.
    pub(super) async fn execute(&self, connection: &mut PgConnection, protocol: Protocol) -> Result<u64, Error> {
        let done = match protocol {
            Protocol::Prepared if !self.are_several => self.prepared().execute(connection).await?,
            _ => sqlx::raw_sql(self.with_literals()).execute(connection).await?,
        };
        Ok(done.rows_affected())
    }

    /// Runs it, and returns the rows.
    pub(super) async fn rows(&self, connection: &mut PgConnection, protocol: Protocol) -> Result<Vec<PgRow>, Error> {
        match protocol {
            Protocol::Prepared if !self.are_several => self.prepared().fetch_all(connection).await,
            _ => sqlx::raw_sql(self.with_literals()).fetch_all(connection).await,
        }
    }

    fn prepared(&self) -> Query<'static, Postgres, PgArguments> {
        let query = sqlx::query(crate::sql::safe(&self.text));
        self.values.iter().fold(query, |query, value| match value {
            Value::Bytes(bytes) => query.bind(bytes.as_deref()),
            Value::Number(number) => query.bind(number),
            Value::Flag(flag) => query.bind(flag),
        })
    }

    /// The text with each `$n` replaced by its value. The values are numbers and the digits of bytes, so nothing can be
    /// injected.
    fn with_literals(&self) -> AssertSqlSafe<String> {
        let mut parts = self.text.split('$');
        let mut sql = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|character: char| !character.is_ascii_digit()).unwrap_or(part.len());
            let (number, rest) = part.split_at(end);
            let index: usize = number.parse().expect("the store's statements have `$` before numbers only");
            self.values[index - 1].write(&mut sql);
            sql.push_str(rest);
        }
        AssertSqlSafe(sql)
    }
}

impl Value {
    /// With its type, because PostgreSQL takes a short number for one of 32 bits, and adds two of them as such.
    fn write(&self, sql: &mut String) {
        let written = match self {
            Value::Bytes(Some(bytes)) => {
                sql.push_str("decode('");
                bytes.iter().try_for_each(|byte| write!(sql, "{byte:02x}")).and_then(|()| write!(sql, "', 'hex')"))
            }
            Value::Bytes(None) => write!(sql, "NULL::bytea"),
            Value::Number(Some(number)) => write!(sql, "'{number}'::bigint"),
            Value::Number(None) => write!(sql, "NULL::bigint"),
            Value::Flag(flag) => write!(sql, "{flag}"),
        };
        written.expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_stand_where_the_parameters_were() {
        let statement =
            Statement::new(&"a = $2 AND b = $1 OR $3 IS NULL, $11$2".into()).number(i64::MIN).bytes(&[0, 255]);
        let statement = (3..=10).fold(statement.maybe_time(None), |statement, number| statement.number(number));
        let AssertSqlSafe(sql) = statement.with_literals();
        let bytes = "decode('00ff', 'hex')";
        let expected =
            format!("a = {bytes} AND b = '-9223372036854775808'::bigint OR NULL::bigint IS NULL, '10'::bigint{bytes}");
        assert_eq!(sql, expected);
    }
}
