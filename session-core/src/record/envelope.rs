use std::fmt;

use crate::time::Time;

use super::invalid::{DroppedRecords, InvalidRecord};
use super::key::RecordKey;
use super::principal_key::PrincipalKey;
use super::version::Version;

/// A record in the form that stores of bytes keep: fields that a store reads, and a body that it does not.
///
/// A store with columns writes each field into a column. A store of keys and values writes
/// [`to_bytes`](Envelope::to_bytes). In both cases [`open`](Envelope::open) returns the record only if
/// everything fits the key that was asked for.
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{Envelope, JsonCodec, Record, RecordKey, Time, Version};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (key, now) = (RecordKey::from_bytes([7; 32]), Time::from_unix_millis(1_767_225_600_000));
/// let record = Record::new(key, Version::from_number(1 << 32), now, Duration::from_secs(1800));
///
/// let bytes = Envelope::seal(&record, &JsonCodec)?.to_bytes();
/// assert_eq!(Envelope::from_bytes(key, &bytes)?.open(&JsonCodec)?, record);
///
/// // Bytes that somebody copied to another key are refused.
/// let other = RecordKey::from_bytes([8; 32]);
/// assert!(Envelope::from_bytes(other, &bytes)?.open(&JsonCodec).is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// The record's key.
    pub key: RecordKey,
    /// Changes with every save; [`Store::save`](crate::store::Store::save) compares it.
    pub version: Version,
    /// When the session was started.
    pub created: Time,
    /// When the session was last used.
    pub accessed: Time,
    /// The idle timeout in milliseconds: how long the session lives after `accessed`.
    pub idle_timeout_ms: i64,
    /// When the session ends, however much it is used. `None` for never.
    pub absolute_deadline: Option<Time>,
    /// Whether the session's cookie survives closing the browser.
    pub persistent: bool,
    /// The hash of the principal, for an index. `None` for an anonymous session.
    pub principal: Option<PrincipalKey>,
    /// A header (format, key, length), then the bytes of the codec. A store keeps it as it is.
    pub body: Vec<u8>,
}

/// The number of bytes that [`Envelope::to_bytes`] writes before the body.
const HEAD: usize = 8 * 5 + 1 + 32;
const NEVER: i64 = i64::MAX;

const PERSISTENT: u8 = 1;
const PRINCIPAL: u8 = 2;

impl Envelope {
    /// Makes an envelope whose other fields are zero or empty: a store with columns begins with it when it reads
    /// a row, and sets every field.
    ///
    /// Until the times are set, it has expired. The conformance suite finds a field that was forgotten.
    pub const fn new(key: RecordKey, version: Version, body: Vec<u8>) -> Self {
        let epoch = Time::from_unix_millis(0);
        Envelope {
            key,
            version,
            created: epoch,
            accessed: epoch,
            idle_timeout_ms: 0,
            absolute_deadline: None,
            persistent: false,
            principal: None,
            body,
        }
    }

    /// When the session ends if it is not used again: the earlier of its two deadlines.
    pub fn expires_at(&self) -> Time {
        let idle = self.accessed.unix_millis().saturating_add(self.idle_timeout_ms.max(0));
        let idle = Time::from_unix_millis(idle);
        self.absolute_deadline.map_or(idle, |absolute| absolute.min(idle))
    }

    /// The bytes that an encrypting codec authenticates together with the body: the format and every field but
    /// `accessed`, which a touch changes without the body. Each save and each renewal makes the body anew.
    pub fn authenticated_part(&self) -> Vec<u8> {
        let deadline = self.absolute_deadline.map_or(NEVER, Time::unix_millis);
        let numbers = [self.created.unix_millis(), self.idle_timeout_ms, deadline];
        // The first byte is the layout of this part. It is not the format of the record, which follows.
        let mut part = vec![1, self.body.first().copied().unwrap_or_default(), u8::from(self.persistent)];
        part.extend_from_slice(self.key.as_bytes());
        part.extend_from_slice(&self.version.get().to_be_bytes());
        part.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        part.extend_from_slice(self.principal.as_ref().map_or(&[], |p| p.as_bytes()));
        part
    }

    /// Writes the whole envelope except its key, for a store of keys and values.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.body.len());
        let flag = |is: bool, flag| if is { flag } else { 0 };
        bytes.push(flag(self.persistent, PERSISTENT) | flag(self.principal.is_some(), PRINCIPAL));
        let deadline = self.absolute_deadline.map_or(NEVER, Time::unix_millis);
        let times = [self.created.unix_millis(), self.accessed.unix_millis(), self.idle_timeout_ms, deadline];
        bytes.extend_from_slice(&self.version.get().to_be_bytes());
        bytes.extend(times.iter().flat_map(|time| time.to_be_bytes()));
        bytes.extend_from_slice(self.principal.as_ref().map_or(&[0; 32][..], |p| p.as_bytes()));
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Does what [`from_bytes`](Envelope::from_bytes) does, but warns and returns `None` for bytes that do not fit.
    pub fn from_bytes_or_warn(key: RecordKey, bytes: &[u8], dropped: &DroppedRecords) -> Option<Self> {
        Envelope::from_bytes(key, bytes).inspect_err(|error| dropped.warn(Some(&key), error)).ok()
    }

    /// Reads what [`to_bytes`](Envelope::to_bytes) wrote for the record with this key.
    ///
    /// [`InvalidRecord::Truncated`] if bytes are missing. Everything else is checked by
    /// [`open`](Envelope::open).
    pub fn from_bytes(key: RecordKey, bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let (head, body) = bytes.split_at_checked(HEAD).ok_or(InvalidRecord::Truncated)?;
        let number = |at: usize| {
            let field = head[1 + 8 * at..][..8].try_into().expect("eight bytes");
            i64::from_be_bytes(field)
        };
        let time = |at| Time::from_unix_millis(number(at));
        let principal: [u8; 32] = head[41..73].try_into().expect("32 bytes");
        Ok(Envelope {
            key,
            version: Version::from_number(number(0) as u64),
            created: time(1),
            accessed: time(2),
            idle_timeout_ms: number(3),
            absolute_deadline: (number(4) != NEVER).then(|| time(4)),
            persistent: head[0] & PERSISTENT != 0,
            principal: (head[0] & PRINCIPAL != 0).then(|| PrincipalKey::from_bytes(principal)),
            body: body.to_vec(),
        })
    }
}

/// Shows how long the body is, because its values may be secret.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("key", &self.key)
            .field("version", &self.version)
            .field("created", &self.created)
            .field("accessed", &self.accessed)
            .field("idle_timeout_ms", &self.idle_timeout_ms)
            .field("absolute_deadline", &self.absolute_deadline)
            .field("persistent", &self.persistent)
            .field("principal", &self.principal)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}
