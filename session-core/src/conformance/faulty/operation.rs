/// An operation of a store, named like its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Store::create`](crate::store::Store::create).
    Create,
    /// [`Store::load`](crate::store::Store::load).
    Load,
    /// [`Store::version`](crate::store::Store::version).
    Version,
    /// [`Store::save`](crate::store::Store::save).
    Save,
    /// [`Store::touch`](crate::store::Store::touch).
    Touch,
    /// [`Store::renew`](crate::store::Store::renew).
    Renew,
    /// [`Store::moved`](crate::store::Store::moved).
    Moved,
    /// [`Store::delete`](crate::store::Store::delete).
    Delete,
    /// [`Store::purge_expired`](crate::store::Store::purge_expired).
    PurgeExpired,
    /// [`Store::list`](crate::store::Store::list).
    List,
    /// [`Store::of_principal`](crate::store::Store::of_principal).
    OfPrincipal,
    /// [`Store::delete_of_principal`](crate::store::Store::delete_of_principal).
    DeleteOfPrincipal,
    /// [`FastStore::fill`](crate::store::FastStore::fill).
    Fill,
    /// [`FastStore::bury`](crate::store::FastStore::bury).
    Bury,
    /// [`FastStore::bury_version`](crate::store::FastStore::bury_version).
    BuryVersion,
    /// [`Store::close`](crate::store::Store::close).
    Close,
}

use Operation::*;

impl Operation {
    /// The operations that change nothing.
    pub const READS: &[Operation] = &[Load, Version, Moved, List, OfPrincipal];

    /// The operations that change records.
    pub const WRITES: &[Operation] =
        &[Create, Save, Touch, Renew, Delete, PurgeExpired, DeleteOfPrincipal, Fill, Bury, BuryVersion];

    /// All operations.
    pub const ALL: &[Operation] = &[
        Create,
        Load,
        Version,
        Save,
        Touch,
        Renew,
        Moved,
        Delete,
        PurgeExpired,
        List,
        OfPrincipal,
        DeleteOfPrincipal,
        Fill,
        Bury,
        BuryVersion,
        Close,
    ];
}
