/// Which optional operations a store has. The default is none.
///
/// ```
/// use session_core::Capabilities;
///
/// let capabilities = Capabilities::NONE.with_list();
/// assert!(capabilities.list && !capabilities.principals);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether the store has [`Store::list`](super::Store::list).
    pub list: bool,
    /// Whether the store has [`Store::of_principal`](super::Store::of_principal) and
    /// [`Store::delete_of_principal`](super::Store::delete_of_principal).
    pub principals: bool,
    /// How many bytes of JSON a session may have so that the store can hold it. `None` if that is
    /// [`MAX_SESSION_BYTES`](crate::record::MAX_SESSION_BYTES), as for every session.
    ///
    /// A store that is written later refuses a larger one at once: see
    /// [`write_behind`](crate::tiered::TieredStoreBuilder::write_behind).
    pub max_session_bytes: Option<usize>,
}

impl Capabilities {
    /// No optional operation.
    pub const NONE: Capabilities = Capabilities { list: false, principals: false, max_session_bytes: None };

    /// All optional operations.
    pub const ALL: Capabilities = Capabilities { list: true, principals: true, max_session_bytes: None };

    /// Says that the store has [`Store::list`](super::Store::list).
    #[must_use]
    pub const fn with_list(mut self) -> Self {
        self.list = true;
        self
    }

    /// Says that the store has [`Store::of_principal`](super::Store::of_principal) and
    /// [`Store::delete_of_principal`](super::Store::delete_of_principal).
    #[must_use]
    pub const fn with_principals(mut self) -> Self {
        self.principals = true;
        self
    }

    /// Says that the store can't hold a session of more bytes of JSON.
    #[must_use]
    pub const fn with_max_session_bytes(mut self, bytes: usize) -> Self {
        self.max_session_bytes = Some(bytes);
        self
    }
}

/// What one call of [`Store::purge_expired`](super::Store::purge_expired) did. The default says that nothing was
/// deleted and nothing is left to delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// The number of expired records that were deleted.
    pub expired: u64,
    /// The number of records that were evicted since the last call because the store was full.
    pub evicted: u64,
    /// Whether expired records may be left.
    pub more: bool,
}

impl Purged {
    /// Says that `expired` records were deleted, and whether there may be `more`. No record was evicted.
    pub const fn new(expired: u64, more: bool) -> Self {
        Purged { expired, evicted: 0, more }
    }
}
