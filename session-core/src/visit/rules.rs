use crate::record::{Audience, RecordFormat};

use super::renewals::Renewals;

/// What the settings of a manager say about each of its visits. All of them share it.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// In which records are written.
    pub(crate) record_format: RecordFormat,
    /// Whose sessions may be opened.
    pub(crate) audience: Audience,
    pub(crate) renewals: Renewals,
    /// Noted in each record that is written. 0 if the application does not number its attributes.
    pub(crate) attributes_version: u32,
}
