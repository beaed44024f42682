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
/// A pending record is `P` and the old key (zeros for a record that is being created), followed by a live record. A
/// moved record is `M` and the new key. A tombstone is `T` and its end.
pub(crate) enum Value {
    /// A session.
    Live(Copy),
    /// The new record of a renewal, which exists only if the old key has moved here.
    Pending {
        /// The old key. `None` for a record that is being created.
        old: Option<RecordKey>,
    },
    /// No session: a record that has moved to another key, or a tombstone.
    Gone,
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

impl Value {
    pub(crate) fn parse(key: &RecordKey, bytes: &[u8]) -> Result<Self, InvalidRecord> {
        match bytes.first() {
            Some(&LIVE) => Copy::parse(*key, bytes).map(Value::Live),
            Some(&PENDING) => {
                let old: [u8; 32] = field(bytes, 1)?;
                Ok(Value::Pending { old: (old != [0; 32]).then(|| RecordKey::from_bytes(old)) })
            }
            Some(&MOVED | &BURIED) => Ok(Value::Gone),
            Some(&kind) => Err(InvalidRecord::Format(kind)),
            None => Err(InvalidRecord::Truncated),
        }
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

/// The first bytes of a pending record: its kind, and the key that it is to replace.
pub(crate) fn pending_head(old: Option<&RecordKey>) -> Vec<u8> {
    marked(PENDING, old.map_or(&[0; 32], |old| old.as_bytes()))
}

/// The value under the old key after a renewal.
pub(crate) fn moved(new: &RecordKey) -> Vec<u8> {
    marked(MOVED, new.as_bytes())
}

/// The value of a tombstone, which refuses copies until `until`.
pub(crate) fn tombstone(until: Time) -> Vec<u8> {
    marked(BURIED, &time(until))
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

fn marked(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind], rest].concat()
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], InvalidRecord> {
    let field = bytes.get(at..at + N).ok_or(InvalidRecord::Truncated)?;
    field.try_into().map_err(|_| InvalidRecord::Truncated)
}
