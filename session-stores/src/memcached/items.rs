use std::sync::Arc;
use std::time::Duration;

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
    pub(super) async fn add(&self, key: &RecordKey, item: &Item, now: Time) -> Result<Option<Cas>, StoreError> {
        let (status, cas) = self.write(key, item, None, now).await?;
        Ok((status == Status::Stored).then_some(cas))
    }

    pub(super) async fn replace(
        &self,
        key: &RecordKey,
        cas: Cas,
        item: &Item,
        now: Time,
    ) -> Result<Replaced<Cas>, StoreError> {
        Ok(match self.write(key, item, Some(cas), now).await? {
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
    async fn write(
        &self,
        key: &RecordKey,
        item: &Item,
        read: Option<Cas>,
        now: Time,
    ) -> Result<(Status, Cas), StoreError> {
        let (name, bytes) = (self.name_of(key), item.to_bytes());
        let size = ITEM_OVERHEAD + name.len() + bytes.len();
        // Checked here, because the server would refuse the item and delete the one that is there.
        if size > self.max_item_bytes {
            return Err(too_large(size, self.max_item_bytes));
        }
        let server = self.server_of(key);
        let condition = read.map_or("ME".to_owned(), |cas| format!("C{}", cas.number));
        let expiry = expiry(item.ends(), now.max(SystemClock.now().saturating_sub(MOST_WRONG)));
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

/// The longest duration that Memcached takes. A larger number of seconds is a date of its clock.
const LONGEST_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Memcached counts whole seconds, and part of the present one has passed already, so it deletes an item up to 2 s
/// early. One more makes it late whatever was cut off.
const LATE_SECONDS: i64 = 3;

/// How wrong a clock may be. What was over longer ago, such as a record from somewhere else, is deleted at once.
const MOST_WRONG: Duration = Duration::from_secs(24 * 60 * 60);

/// The flag that makes Memcached delete an item after its end, to free memory. Whether the record has ended, the record
/// itself says.
///
/// A duration from `now`, which is by the clock that has set the end: Memcached's may say anything. What lives longer
/// than the longest duration stays until a write that finds less left, or until it is evicted, which happens to the items
/// first that were not used for longest.
fn expiry(ends: Time, now: Time) -> String {
    let left_ms = ends.unix_millis().saturating_sub(now.unix_millis());
    let seconds = match left_ms / 1000 + LATE_SECONDS {
        _ if left_ms <= 0 => -1,
        seconds @ ..=LONGEST_SECONDS => seconds,
        _ => 0,
    };
    format!("T{seconds}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn after(ms: i64) -> String {
        expiry(Time::from_unix_millis(NOW + ms), Time::from_unix_millis(NOW))
    }

    #[test]
    fn an_item_goes_soon_after_its_session() {
        assert_eq!(after(-1), "T-1");
        assert_eq!(after(0), "T-1");
        assert_eq!(after(1), "T3");
        assert_eq!(after(59_999), "T62");
        assert_eq!(after(1_800_999), "T1803");
    }

    #[test]
    fn what_is_longer_than_memcacheds_longest_duration_is_no_date() {
        let days = |days: i64| days * 86_400_000;
        assert_eq!(after(days(30) - 3000), "T2592000");
        for ms in [days(30) - 2000, days(30), days(31), days(366_000)] {
            assert_eq!(after(ms), "T0", "{ms}");
        }
        assert_eq!(expiry(Time::MAX, Time::from_unix_millis(NOW)), "T0");
        assert_eq!(expiry(Time::MAX, Time::from_unix_millis(i64::MIN)), "T0");
    }
}
