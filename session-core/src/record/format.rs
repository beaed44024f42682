use super::attributes::Attributes;

/// The format in which a record is written as bytes.
///
/// Each release reads its own format, the one before, and the one after, which only adds
/// [extensions](super::Record::extensions). It writes the one before until the application says that all processes
/// read the new one: see
/// [`SessionManagerBuilder::record_format`](crate::manager::SessionManagerBuilder::record_format).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordFormat {
    /// Has the principal, audience, constants and attributes. This is the default.
    #[default]
    V1,
    /// Has what V1 has, and extensions. For a process that reads only V1, the record does not exist.
    V2,
}

impl RecordFormat {
    /// The format that a record's first byte names. `None` if this release can't read it.
    pub(super) fn of_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(RecordFormat::V1),
            // The format after V2 only adds extensions, which are kept as they are.
            2 | 3 => Some(RecordFormat::V2),
            _ => None,
        }
    }

    /// The format that a record with these extensions has. A reader of V1 would drop them when it saves the record;
    /// it refuses V2.
    pub(super) fn with(self, extensions: &Attributes) -> Self {
        if extensions.is_empty() { self } else { self.max(RecordFormat::V2) }
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            RecordFormat::V1 => 1,
            RecordFormat::V2 => 2,
        }
    }
}

/// Tells that a bearer token started the session. It is critical: a release that does not know it would open the session
/// by a cookie.
pub(super) const BY_BEARER: &str = "!bearer";

/// Has the key of the device to which the session is bound. It is critical: a release that does not know it would open
/// the session without asking the device.
pub(super) const BOUND: &str = "!device";

/// The critical extensions that this release knows.
const KNOWN: [&str; 2] = [BY_BEARER, BOUND];

/// Begins the name of a critical extension: one that every process must check before it uses the session, such
/// as a binding to a device.
const CRITICAL: char = '!';

/// The first critical extension that this release does not know.
pub(super) fn unknown_critical(extensions: &Attributes) -> Option<&str> {
    let mut names = extensions.iter().map(|(name, _)| name);
    names.find(|name| name.starts_with(CRITICAL) && !KNOWN.contains(name))
}
