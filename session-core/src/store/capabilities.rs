/// What a store can do beyond the contract. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// [`Store::list`].
    pub list: bool,
    /// [`Store::of_principal`] and [`Store::delete_of_principal`].
    pub principals: bool,
}

impl Capabilities {
    /// All of them.
    pub const ALL: Capabilities = Capabilities { list: true, principals: true };
}

/// What one call of [`Store::purge_expired`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// How many expired records were deleted.
    pub expired: u64,
    /// How many records gave way to newer ones since the last call, in a store that was full.
    pub evicted: u64,
    /// Whether expired records may be left.
    pub more: bool,
}
