use session_core::{Envelope, InvalidRecord, RecordKey, Time};

/// What Memcached keeps under a record's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Record(Copy),
    Pending(Pending),
    Moved(Moved),
    /// A tombstone: the record of this key was deleted, and no copy may be stored before `until`.
    Buried {
        until: Time,
    },
}

/// A record that replaces `old` as soon as `old` has [moved](Moved) to it in the same attempt. Until then it does not
/// count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) old: RecordKey,
    /// Tells attempts at the same renewal apart, so that a record whose writer gave up is not taken for that of a later
    /// attempt.
    pub(super) attempt: u64,
    pub(super) copy: Copy,
}

/// The record of this key has been renewed, and is now under the key `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) to: RecordKey,
    pub(super) attempt: u64,
    /// Until when the new key may be told. `None` for a login, which leads nobody to the new session.
    pub(super) told_until: Option<Time>,
    /// Until when the item is kept. As long as the new record is pending, it decides whether there is one.
    pub(super) kept_until: Time,
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
const NOT_TOLD: Time = Time::from_unix_millis(0);

impl Item {
    /// When Memcached may delete the item.
    pub(super) fn ends(&self) -> Time {
        match self {
            Item::Record(copy) | Item::Pending(Pending { copy, .. }) => copy.ends(),
            Item::Moved(Moved { kept_until: until, .. }) | Item::Buried { until } => *until,
        }
    }

    /// Turns the item into bytes: its kind, a time, then the link to the other key and what else there is.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Item::Record(Copy { until, envelope }) => [&kind(RECORD, *until)[..], &envelope.to_bytes()].concat(),
            Item::Pending(Pending { old, attempt, copy: Copy { until, envelope } }) => {
                [&kind(PENDING, *until)[..], &link(old, *attempt), &envelope.to_bytes()].concat()
            }
            Item::Moved(Moved { to, attempt, told_until, kept_until }) => {
                let told_until = told_until.unwrap_or(NOT_TOLD).unix_millis();
                [&kind(MOVED, *kept_until)[..], &link(to, *attempt), &told_until.to_be_bytes()].concat()
            }
            Item::Buried { until } => kind(BURIED, *until).to_vec(),
        }
    }

    /// Reads the item that was stored under this key.
    pub(super) fn from_bytes(key: RecordKey, bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let (kind, rest) = bytes.split_first().ok_or(InvalidRecord::Truncated)?;
        let (until, rest) = parse_time(rest)?;
        match *kind {
            RECORD => Ok(Item::Record(Copy { until, envelope: Envelope::from_bytes(key, rest)? })),
            PENDING => {
                let (old, attempt, rest) = parse_link(rest)?;
                let copy = Copy { until, envelope: Envelope::from_bytes(key, rest)? };
                Ok(Item::Pending(Pending { old, attempt, copy }))
            }
            MOVED => {
                let (to, attempt, rest) = parse_link(rest)?;
                let told_until = Some(parse_time(rest)?.0).filter(|until| *until != NOT_TOLD);
                Ok(Item::Moved(Moved { to, attempt, told_until, kept_until: until }))
            }
            BURIED => Ok(Item::Buried { until }),
            unknown => Err(InvalidRecord::Format(unknown)),
        }
    }
}

fn kind(kind: u8, until: Time) -> [u8; 9] {
    let mut bytes = [kind; 9];
    bytes[1..].copy_from_slice(&until.unix_millis().to_be_bytes());
    bytes
}

fn link(key: &RecordKey, attempt: u64) -> [u8; 40] {
    let mut bytes = [0; 40];
    bytes[..32].copy_from_slice(key.as_bytes());
    bytes[32..].copy_from_slice(&attempt.to_be_bytes());
    bytes
}

fn parse_time(bytes: &[u8]) -> Result<(Time, &[u8]), InvalidRecord> {
    let (time, rest) = bytes.split_first_chunk().ok_or(InvalidRecord::Truncated)?;
    Ok((Time::from_unix_millis(i64::from_be_bytes(*time)), rest))
}

fn parse_link(bytes: &[u8]) -> Result<(RecordKey, u64, &[u8]), InvalidRecord> {
    let (key, rest) = bytes.split_first_chunk().ok_or(InvalidRecord::Truncated)?;
    let (attempt, rest) = rest.split_first_chunk().ok_or(InvalidRecord::Truncated)?;
    Ok((RecordKey::from_bytes(*key), u64::from_be_bytes(*attempt), rest))
}

#[cfg(test)]
mod tests {
    use session_core::{PrincipalKey, Version};

    use super::*;

    fn items() -> [Item; 5] {
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
            Item::Pending(Pending { old: other, attempt: 7, copy: Copy { until, envelope } }),
            Item::Moved(Moved { to: other, attempt: 7, told_until: Some(until), kept_until: until }),
            Item::Moved(Moved { to: other, attempt: 8, told_until: None, kept_until: until }),
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
        let [Item::Record(copy), Item::Pending(Pending { copy: shorter, .. }), ..] = items() else { unreachable!() };
        assert_eq!(copy.ends(), copy.envelope.expires_at());
        assert!(copy.is_over(copy.ends()));
        let until = copy.ends().saturating_sub(std::time::Duration::from_secs(1));
        assert_eq!(Copy { until, ..shorter }.ends(), until);
    }
}
