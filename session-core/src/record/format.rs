use super::attributes::Attributes;

/// How a record is written as bytes.
///
/// A process reads the format before its own, its own, and the one after it: a later format only adds
/// [extensions](super::Record::extensions). It writes the one before until it is told that all processes read the
/// next: see [`SessionManagerBuilder::record_format`](crate::SessionManagerBuilder::record_format).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordFormat {
    /// Principal, constants and attributes. The default.
    #[default]
    V1,
    /// The same, and extensions. A process that reads only V1 takes such a record for none.
    V2,
}

impl RecordFormat {
    /// The format of a record's first byte; `None` for one that can't be read.
    pub(super) fn of_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(RecordFormat::V1),
            // What comes after V2 only adds extensions, which are kept as they are.
            2 | 3 => Some(RecordFormat::V2),
            _ => None,
        }
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            RecordFormat::V1 => 1,
            RecordFormat::V2 => 2,
        }
    }
}

/// The extensions that this release knows.
const KNOWN: [&str; 0] = [];

/// Marks the name of an extension without which a session must not be used, such as a binding to a device.
const CRITICAL: char = '!';

/// The first critical extension that this release does not know.
pub(super) fn unknown_critical(extensions: &Attributes) -> Option<&str> {
    let mut names = extensions.iter().map(|(name, _)| name);
    names.find(|name| name.starts_with(CRITICAL) && !KNOWN.contains(name))
}
