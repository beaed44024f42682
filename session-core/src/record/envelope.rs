use crate::time::Time;

use super::invalid::InvalidRecord;
use super::key::RecordKey;
use super::principal_key::PrincipalKey;
use super::version::Version;

/// A record as stores of bytes keep it: fields that they read, and a body that they don't.
///
/// A store with columns writes the fields; one without writes [`to_bytes`](Envelope::to_bytes).
/// Either way [`open`](Envelope::open) gives a record back only if everything fits the key that
/// was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// The record's key.
    pub key: RecordKey,
    /// Changes with every save.
    pub version: Version,
    /// When the session was started.
    pub created: Time,
    /// When it was last used.
    pub accessed: Time,
    /// How many milliseconds it lives on after `accessed`.
    pub idle_timeout_ms: i64,
    /// When it ends however much it is used.
    pub absolute_deadline: Option<Time>,
    /// Whether the client keeps the id when it is closed.
    pub persistent: bool,
    /// Who is signed in, hashed, for an index.
    pub principal: Option<PrincipalKey>,
    /// Format, key and length, then what the codec made of the values.
    pub body: Vec<u8>,
}

/// The first byte of a body, changed when its layout changes.
pub(super) const FORMAT: u8 = 1;
/// The fields of [`Envelope::to_bytes`] before the body.
const HEAD: usize = 8 * 5 + 1 + 32;
const NEVER: i64 = i64::MAX;

const PERSISTENT: u8 = 1;
const PRINCIPAL: u8 = 2;

impl Envelope {
    /// An envelope of a record that has expired: what a store with columns begins with when it reads a row.
    ///
    /// Set every other field from the row. One that is forgotten shows in the conformance suite, and ends
    /// sessions rather than prolonging them.
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

    /// When the session ends if it is not used again.
    pub fn expires_at(&self) -> Time {
        let idle = self.accessed.unix_millis().saturating_add(self.idle_timeout_ms.max(0));
        let idle = Time::from_unix_millis(idle);
        self.absolute_deadline.map_or(idle, |absolute| absolute.min(idle))
    }

    /// What an encrypting codec authenticates besides the body: all that never changes.
    pub fn fixed_part(&self) -> Vec<u8> {
        let mut fixed = vec![FORMAT];
        fixed.extend_from_slice(self.key.as_bytes());
        fixed.extend_from_slice(&self.created.unix_millis().to_be_bytes());
        fixed.extend_from_slice(&self.absolute_deadline.map_or(NEVER, Time::unix_millis).to_be_bytes());
        fixed.extend_from_slice(self.principal.as_ref().map_or(&[], |p| p.as_bytes()));
        fixed
    }

    /// The whole envelope but its key, for a store of keys and values.
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

    /// The envelope that [`to_bytes`](Envelope::to_bytes) made of the record of this key.
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
