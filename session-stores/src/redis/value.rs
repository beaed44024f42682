use session_core::{Envelope, InvalidRecord, PrincipalKey, RecordKey, Time, Version};

/// The value under a session's key.
///
/// The scripts read and write the same bytes, and `lua/prelude.lua` repeats the layout:
///
/// | bytes | live record |
/// |---|---|
/// | 0 | `S` |
/// | 1..9 | version |
/// | 9..17 | accessed |
/// | 17..25 | idle timeout |
/// | 25..33 | absolute deadline; the largest number for none |
/// | 33..41 | until when a copy may be served; the largest number for ever |
/// | 41..49 | created |
/// | 49 | flags |
/// | 50..82 | hash of the principal; zeros for none |
/// | 82.. | body |
///
/// A pending record is `P`, the old key (zeros for a record that is being created) and the attempt (8 bytes), followed by
/// a live record. A moved record is `M`, the new key, the attempt, and until when it may be followed (0 if never). A
/// tombstone is `T` and its end.
pub(crate) enum Value {
    /// A session.
    Live(Copy),
    /// The new record of a renewal, which exists only if the old key has moved here in the same attempt.
    Pending(Pending),
    /// No session: the record has moved to another key.
    Moved(Moved),
    /// No session: a tombstone.
    Buried,
}

/// What a record that does not exist yet is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The key that it is to replace. `None` for a record that is being created.
    pub(crate) old: Option<RecordKey>,
    /// Tells attempts at the same write apart, so that a record whose writer gave up is not taken for that of a later
    /// attempt.
    pub(crate) attempt: u64,
}

/// Where a record has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) to: RecordKey,
    pub(crate) attempt: u64,
    /// Until when the new key may be told. `None` for a login, which leads nobody to the new session.
    pub(crate) until: Option<Time>,
}

/// A record, and until when it may be served. If Redis is the only store, that is for ever.
pub(crate) struct Copy {
    pub(crate) envelope: Envelope,
    pub(crate) until: Time,
}

const LIVE: u8 = b'S';
const PENDING: u8 = b'P';
const MOVED: u8 = b'M';
const BURIED: u8 = b'T';

/// Bytes before the body.
pub(crate) const HEAD: usize = 82;
const PERSISTENT: u8 = 1;
const PRINCIPAL: u8 = 2;
const NEVER: Time = Time::MAX;
const NOT_TOLD: Time = Time::from_unix_millis(0);
const NOBODY: [u8; 32] = [0; 32];

impl Value {
    pub(crate) fn parse(key: &RecordKey, bytes: &[u8]) -> Result<Self, InvalidRecord> {
        match bytes.first() {
            Some(&LIVE) => Copy::parse(*key, bytes).map(Value::Live),
            Some(&PENDING) => Pending::parse(bytes).map(Value::Pending),
            Some(&MOVED) => Moved::parse(bytes).map(Value::Moved),
            Some(&BURIED) => Ok(Value::Buried),
            Some(&kind) => Err(InvalidRecord::Format(kind)),
            None => Err(InvalidRecord::Truncated),
        }
    }
}

impl Pending {
    /// The first bytes of the record.
    pub(crate) fn head(&self) -> Vec<u8> {
        let old = self.old.as_ref().map_or(&NOBODY, |old| old.as_bytes());
        [&[PENDING][..], old, &self.attempt.to_be_bytes()].concat()
    }

    /// The first bytes of the record, up to its version.
    pub(crate) fn head_of(&self, version: Version) -> Vec<u8> {
        [&self.head()[..], &[LIVE], &self::version(version)].concat()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let old = field(bytes, 1)?;
        let old = (old != NOBODY).then(|| RecordKey::from_bytes(old));
        Ok(Pending { old, attempt: u64::from_be_bytes(field(bytes, 33)?) })
    }
}

impl Moved {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let until = time(self.until.unwrap_or(NOT_TOLD));
        [&[MOVED][..], self.to.as_bytes(), &self.attempt.to_be_bytes(), &until].concat()
    }

    fn parse(bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let until = Time::from_unix_millis(i64::from_be_bytes(field(bytes, 41)?));
        Ok(Moved {
            to: RecordKey::from_bytes(field(bytes, 1)?),
            attempt: u64::from_be_bytes(field(bytes, 33)?),
            until: (until != NOT_TOLD).then_some(until),
        })
    }
}

impl Copy {
    /// Whether the session is live and the copy may still be served.
    pub(crate) fn is_valid(&self, now: Time) -> bool {
        now < self.envelope.expires_at().min(self.until)
    }

    fn parse(key: RecordKey, bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let time = |at| field(bytes, at).map(|field| Time::from_unix_millis(i64::from_be_bytes(field)));
        let deadline = time(25)?;
        let principal: [u8; 32] = field(bytes, 50)?;
        let flags = bytes[49];
        let version = Version::from_number(u64::from_be_bytes(field(bytes, 1)?));
        let mut envelope = Envelope::new(key, version, bytes[HEAD..].to_vec());
        envelope.created = time(41)?;
        envelope.accessed = time(9)?;
        envelope.idle_timeout_ms = i64::from_be_bytes(field(bytes, 17)?);
        envelope.absolute_deadline = (deadline != NEVER).then_some(deadline);
        envelope.persistent = flags & PERSISTENT != 0;
        envelope.principal = (flags & PRINCIPAL != 0).then(|| PrincipalKey::from_bytes(principal));
        Ok(Copy { envelope, until: time(33)? })
    }
}

/// The bytes of a live record.
pub(crate) fn live(envelope: &Envelope, until: Time) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + envelope.body.len());
    bytes.push(LIVE);
    bytes.extend_from_slice(&version(envelope.version));
    bytes.extend_from_slice(&time(envelope.accessed));
    bytes.extend_from_slice(&envelope.idle_timeout_ms.to_be_bytes());
    bytes.extend_from_slice(&time(envelope.absolute_deadline.unwrap_or(NEVER)));
    bytes.extend_from_slice(&time(until));
    bytes.extend_from_slice(&time(envelope.created));
    let flag = |is: bool, flag| if is { flag } else { 0 };
    bytes.push(flag(envelope.persistent, PERSISTENT) | flag(envelope.principal.is_some(), PRINCIPAL));
    bytes.extend_from_slice(envelope.principal.as_ref().map_or(&[0; 32], |principal| principal.as_bytes()));
    bytes.extend_from_slice(&envelope.body);
    bytes
}

/// The value of a tombstone, which refuses copies until `until`.
pub(crate) fn tombstone(until: Time) -> Vec<u8> {
    [&[BURIED][..], &time(until)].concat()
}

/// A version in the bytes that scripts compare.
pub(crate) fn version(version: Version) -> [u8; 8] {
    version.get().to_be_bytes()
}

/// A time in the bytes that scripts read.
pub(crate) fn time(time: Time) -> [u8; 8] {
    time.unix_millis().to_be_bytes()
}

/// Reads a time that a script has returned.
pub(crate) fn parse_time(bytes: &[u8]) -> Option<Time> {
    Some(Time::from_unix_millis(i64::from_be_bytes(bytes.try_into().ok()?)))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], InvalidRecord> {
    let field = bytes.get(at..at + N).ok_or(InvalidRecord::Truncated)?;
    field.try_into().map_err(|_| InvalidRecord::Truncated)
}
