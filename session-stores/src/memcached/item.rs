use std::time::Duration;

use session_core::{Envelope, InvalidRecord, RecordKey, Time};

/// What Memcached keeps under a record's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Record(Copy),
    /// A record that replaces `old` as soon as `old` has [moved](Item::Moved) to it. Until then it does not count.
    Pending {
        old: RecordKey,
        copy: Copy,
    },
    /// The record of this key has been renewed, and is now under the key `to`.
    Moved {
        to: RecordKey,
        until: Time,
    },
    /// A tombstone: the record of this key was deleted, and no copy may be stored before `until`.
    Buried {
        until: Time,
    },
}

/// A record, and until when it may be served. If Memcached is the only store, that is for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) until: Time,
    pub(super) envelope: Envelope,
}

impl Copy {
    pub(super) fn is_over(&self, now: Time) -> bool {
        self.ends() <= now
    }

    pub(super) fn ends(&self) -> Time {
        self.until.min(self.envelope.expires_at())
    }
}

const RECORD: u8 = b'R';
const PENDING: u8 = b'P';
const MOVED: u8 = b'M';
const BURIED: u8 = b'B';

impl Item {
    /// When Memcached may delete the item.
    pub(super) fn ends(&self) -> Time {
        match self {
            Item::Record(copy) | Item::Pending { copy, .. } => copy.ends(),
            // Memcached may delete an item up to 2 s early. For these that would bring back a record.
            Item::Moved { until, .. } | Item::Buried { until } => until.saturating_add(Duration::from_secs(3)),
        }
    }

    /// Turns the item into bytes: its kind, a time, the other key if there is one, the envelope if there is one.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (kind, until, key, envelope) = match self {
            Item::Record(Copy { until, envelope }) => (RECORD, until, None, Some(envelope)),
            Item::Pending { old, copy } => (PENDING, &copy.until, Some(old), Some(&copy.envelope)),
            Item::Moved { to, until } => (MOVED, until, Some(to), None),
            Item::Buried { until } => (BURIED, until, None, None),
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&until.unix_millis().to_be_bytes());
        bytes.extend(key.into_iter().flat_map(|key| key.as_bytes()));
        bytes.extend(envelope.into_iter().flat_map(Envelope::to_bytes));
        bytes
    }

    /// Reads the item that was stored under this key.
    pub(super) fn from_bytes(key: RecordKey, bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let (kind, rest) = bytes.split_first().ok_or(InvalidRecord::Truncated)?;
        let (until, rest) = rest.split_first_chunk().ok_or(InvalidRecord::Truncated)?;
        let until = Time::from_unix_millis(i64::from_be_bytes(*until));
        match *kind {
            RECORD => Ok(Item::Record(Copy { until, envelope: Envelope::from_bytes(key, rest)? })),
            PENDING => {
                let (old, rest) = other_key(rest)?;
                Ok(Item::Pending { old, copy: Copy { until, envelope: Envelope::from_bytes(key, rest)? } })
            }
            MOVED => Ok(Item::Moved { to: other_key(rest)?.0, until }),
            BURIED => Ok(Item::Buried { until }),
            unknown => Err(InvalidRecord::Format(unknown)),
        }
    }
}

fn other_key(bytes: &[u8]) -> Result<(RecordKey, &[u8]), InvalidRecord> {
    let (key, rest) = bytes.split_first_chunk().ok_or(InvalidRecord::Truncated)?;
    Ok((RecordKey::from_bytes(*key), rest))
}

#[cfg(test)]
mod tests {
    use session_core::{PrincipalKey, Version};

    use super::*;

    fn items() -> [Item; 4] {
        let until = Time::from_unix_millis(1_800_000_000_000);
        let version = Version::from_number(3 << 32 | 7);
        let mut envelope = Envelope::new(RecordKey::from_bytes([1; 32]), version, b"body".to_vec());
        envelope.created = Time::from_unix_millis(1_700_000_000_000);
        envelope.accessed = Time::from_unix_millis(1_700_000_001_000);
        envelope.idle_timeout_ms = 1_800_000;
        envelope.persistent = true;
        envelope.principal = Some(PrincipalKey::of("ann"));
        let other = RecordKey::from_bytes([2; 32]);
        [
            Item::Record(Copy { until: Time::MAX, envelope: envelope.clone() }),
            Item::Pending { old: other, copy: Copy { until, envelope } },
            Item::Moved { to: other, until },
            Item::Buried { until },
        ]
    }

    #[test]
    fn what_was_written_is_read() {
        for item in items() {
            assert_eq!(Item::from_bytes(RecordKey::from_bytes([1; 32]), &item.to_bytes()).unwrap(), item);
        }
    }

    #[test]
    fn cut_and_foreign_bytes_are_refused() {
        let key = RecordKey::from_bytes([1; 32]);
        for item in items() {
            for end in 0..item.to_bytes().len() - b"body".len() {
                assert!(Item::from_bytes(key, &item.to_bytes()[..end]).is_err(), "{item:?} cut at {end}");
            }
        }
        assert!(matches!(Item::from_bytes(key, b"{\"another\":\"application\"}"), Err(InvalidRecord::Format(b'{'))));
    }

    #[test]
    fn a_copy_ends_with_its_session() {
        let [Item::Record(copy), Item::Pending { copy: shorter, .. }, ..] = items() else { unreachable!() };
        assert_eq!(copy.ends(), copy.envelope.expires_at());
        assert!(copy.is_over(copy.ends()));
        let until = copy.ends().saturating_sub(std::time::Duration::from_secs(1));
        assert_eq!(Copy { until, ..shorter }.ends(), until);
    }
}
