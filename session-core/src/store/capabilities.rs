/// What a store can do beyond the contract. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`Store::list`](super::Store::list).
    pub list: bool,
    /// [`Store::of_principal`](super::Store::of_principal) and
    /// [`Store::delete_of_principal`](super::Store::delete_of_principal).
    pub principals: bool,
}

impl Capabilities {
    /// Nothing beyond the contract.
    pub const NONE: Capabilities = Capabilities { list: false, principals: false };

    /// All of them.
    pub const ALL: Capabilities = Capabilities { list: true, principals: true };

    /// Adds [`Store::list`](super::Store::list).
    #[must_use]
    pub const fn with_list(mut self) -> Self {
        self.list = true;
        self
    }

    /// Adds [`Store::of_principal`](super::Store::of_principal) and
    /// [`Store::delete_of_principal`](super::Store::delete_of_principal).
    #[must_use]
    pub const fn with_principals(mut self) -> Self {
        self.principals = true;
        self
    }
}

/// What one call of [`Store::purge_expired`](super::Store::purge_expired) did. The default is nothing, and nothing left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// How many expired records were deleted.
    pub expired: u64,
    /// How many records gave way to newer ones since the last call, in a store that was full.
    pub evicted: u64,
    /// Whether expired records may be left.
    pub more: bool,
}

impl Purged {
    /// So many expired records were deleted, and there may be `more`. None were evicted.
    pub const fn new(expired: u64, more: bool) -> Self {
        Purged { expired, evicted: 0, more }
    }
}
