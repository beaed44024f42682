use std::sync::Arc;

use async_memcached::{Error, ErrorKind, MetaProtocol, MetaValue, Status};
use session_core::{Clock, InvalidRecord, RecordKey, StoreError, SystemClock, Time};

use super::item::Item;
use super::server::{NAME, Server};

/// Items under the keys of their records. Reads an item, and replaces exactly the item that was read.
#[derive(Clone)]
pub(super) struct Items {
    pub(super) servers: Arc<[Server]>,
    pub(super) prefix: Arc<str>,
    pub(super) max_item_bytes: usize,
}

/// An item as it was read.
pub(super) struct Found {
    /// The item, or the reason why the bytes are not an item.
    pub(super) item: Result<Item, InvalidRecord>,
    pub(super) cas: Cas,
}

/// Memcached's number of one state of an item (CAS), and how many connections had been opened when it was read.
///
/// After a restart of Memcached the numbers begin anew, so the same number may mean another state. A connection
/// that was open when the number was read proves that there was no restart, so the number is used only on such a
/// connection. On a later connection the answer is [`Changed`](Replaced::Changed), without a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cas {
    number: u64,
    as_of: u64,
}

/// The outcome of replacing or removing an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Replaced<T> {
    Done(T),
    /// The item has changed since it was read, or that is unknown. The caller reads it again.
    Changed,
    Missing,
}

impl Items {
    pub(super) async fn get(&self, key: &RecordKey) -> Result<Option<Found>, StoreError> {
        let server = self.server_of(key);
        let value = server.within_limit(async {
            let mut connection = server.connect().await?;
            let as_of = connection.count();
            let got = connection.client().meta_get(self.name_of(key), false, None, Some(&["c", "v"])).await;
            Ok(got.map_err(|error| server.failed(error))?.map(|value| (value, as_of)))
        });
        Ok(value.await?.map(|(value, as_of)| Found {
            item: Item::from_bytes(*key, &value.data.unwrap_or_default()),
            cas: Cas { number: value.cas.unwrap_or_default(), as_of },
        }))
    }

    /// Whether the item is still the one that was read.
    pub(super) async fn is_unchanged(&self, key: &RecordKey, cas: Cas) -> Result<bool, StoreError> {
        let server = self.server_of(key);
        let is_unchanged = server.within_limit(async {
            let mut connection = server.connect().await?;
            if !connection.is_among(cas.as_of) {
                return Ok(false);
            }
            let got = connection.client().meta_get(self.name_of(key), false, None, Some(&["c"])).await;
            let value = got.map_err(|error| server.failed(error))?;
            Ok(value.is_some_and(|value| value.cas == Some(cas.number)))
        });
        is_unchanged.await
    }

    /// Adds an item. `None` if there is one already.
    pub(super) async fn add(&self, key: &RecordKey, item: &Item) -> Result<Option<Cas>, StoreError> {
        let (status, cas) = self.write(key, item, None).await?;
        Ok((status == Status::Stored).then_some(cas))
    }

    pub(super) async fn replace(&self, key: &RecordKey, cas: Cas, item: &Item) -> Result<Replaced<Cas>, StoreError> {
        Ok(match self.write(key, item, Some(cas)).await? {
            (Status::Stored, cas) => Replaced::Done(cas),
            (Status::NotFound, _) => Replaced::Missing,
            _ => Replaced::Changed,
        })
    }

    pub(super) async fn remove(&self, key: &RecordKey, cas: Cas) -> Result<Replaced<()>, StoreError> {
        let server = self.server_of(key);
        let condition = format!("C{}", cas.number);
        let removed = server.within_limit(async {
            let mut connection = server.connect().await?;
            if !connection.is_among(cas.as_of) {
                return Ok(Replaced::Changed);
            }
            match connection.client().meta_delete(self.name_of(key), false, None, Some(&[&condition])).await {
                Ok(_) => Ok(Replaced::Done(())),
                Err(Error::Protocol(Status::NotFound)) => Ok(Replaced::Missing),
                Err(Error::Protocol(Status::Exists)) => Ok(Replaced::Changed),
                Err(error) => Err(server.failed(error)),
            }
        });
        removed.await
    }

    /// Writes an item: in place of the one that was read, or where there is none.
    async fn write(&self, key: &RecordKey, item: &Item, read: Option<Cas>) -> Result<(Status, Cas), StoreError> {
        let (name, bytes) = (self.name_of(key), item.to_bytes());
        let size = ITEM_OVERHEAD + name.len() + bytes.len();
        // Checked here, because the server would refuse the item and delete the one that is there.
        if size > self.max_item_bytes {
            return Err(too_large(size, self.max_item_bytes));
        }
        let server = self.server_of(key);
        let condition = read.map_or("ME".to_owned(), |cas| format!("C{}", cas.number));
        let expiry = expiry(item.ends(), SystemClock.now());
        let written = server.within_limit(async {
            let mut connection = server.connect().await?;
            let as_of = connection.count();
            let cas = |number| Cas { number, as_of };
            if read.is_some_and(|read| !connection.is_among(read.as_of)) {
                return Ok((Status::Exists, cas(0)));
            }
            let flags = [&*condition, &expiry, "c"];
            match connection.client().meta_set(name, &bytes[..], false, None, Some(&flags)).await {
                Ok(Some(MetaValue { status: Some(Status::Stored), cas: number, .. })) => {
                    Ok((Status::Stored, cas(server.check_cas(number)?)))
                }
                Ok(Some(MetaValue { status: Some(status), .. })) => Ok((status, cas(0))),
                Ok(_) => Err(StoreError::refused(NAME, "the server's answer to a write has no status")),
                Err(Error::Protocol(status @ (Status::NotStored | Status::Exists | Status::NotFound))) => {
                    Ok((status, cas(0)))
                }
                Err(Error::Protocol(Status::Error(ErrorKind::Server(cause)))) if cause.contains("too large") => {
                    Err(too_large(size, self.max_item_bytes))
                }
                Err(error) => Err(server.failed(error)),
            }
        });
        written.await
    }

    fn server_of(&self, key: &RecordKey) -> &Server {
        let number = u64::from_be_bytes(*key.as_bytes().first_chunk().expect("a key has 32 bytes"));
        let chosen = self.servers.iter().max_by_key(|server| server.weight(number));
        chosen.expect("there is at least one server")
    }

    /// The name of a key's item. It is safe in Memcached's line protocol, because the prefix is checked and the key is
    /// base64url text.
    fn name_of(&self, key: &RecordKey) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// The bytes that Memcached adds to an item's key and value, rounded up.
const ITEM_OVERHEAD: usize = 64;

fn too_large(size: usize, max_item_bytes: usize) -> StoreError {
    let cause = format!(
        "the session takes {size} bytes, and an item of Memcached holds {max_item_bytes}: start Memcached with a \
         larger `-I`, and give the store the same number by `with_max_item_bytes`"
    );
    StoreError::refused(NAME, cause)
}

/// The longest relative expiry. Memcached reads a larger number of seconds as a date.
const LONGEST_RELATIVE: i64 = 30 * 24 * 60 * 60;

/// The flag that makes Memcached delete an item after its end, to free memory. Whether the record has ended, the record
/// itself says.
///
/// Memcached counts whole seconds, and part of the present second has already passed, so it deletes an item up to 2 s
/// early. That is less than the delay with which the use of a session is written. Items with less than 60 s left are
/// kept 2 s longer instead.
fn expiry(ends: Time, now: Time) -> String {
    let left_ms = ends.unix_millis().saturating_sub(now.unix_millis());
    let seconds = match left_ms.div_euclid(1000) {
        _ if left_ms <= 0 => -1,
        seconds @ ..60 => seconds + 2,
        seconds @ ..=LONGEST_RELATIVE => seconds,
        // Memcached's dates end in 2038. An item that lives longer stays until it is evicted.
        _ => i32::try_from(ends.unix_millis().div_euclid(1000)).map_or(0, i64::from),
    };
    format!("T{seconds}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_goes_with_its_session() {
        let now = Time::from_unix_millis(1_800_000_000_000);
        let after = |ms: i64| expiry(Time::from_unix_millis(1_800_000_000_000 + ms), now);
        assert_eq!(after(-1), "T-1");
        assert_eq!(after(0), "T-1");
        assert_eq!(after(1), "T2");
        assert_eq!(after(59_999), "T61");
        assert_eq!(after(1_800_999), "T1800");
        assert_eq!(after(30 * 86_400_000), "T2592000");
    }

    #[test]
    fn more_than_thirty_days_are_a_date() {
        let now = Time::from_unix_millis(1_800_000_000_000);
        let after = |ms: i64| expiry(Time::from_unix_millis(1_800_000_000_000 + ms), now);
        assert_eq!(after(31 * 86_400_000), format!("T{}", 1_800_000_000 + 31 * 86_400));
        assert_eq!(after(1000 * 366 * 86_400_000), "T0");
        assert_eq!(expiry(Time::MAX, now), "T0");
        assert_eq!(expiry(Time::MAX, Time::from_unix_millis(i64::MIN)), "T0");
    }
}
