//! What the author of a store or a codec needs beside [`Store`](crate::Store) and
//! [`Record`](crate::Record).
//!
//! A store implements [`Store`](crate::Store). One that can stand before another in a
//! [`TieredStore`](crate::TieredStore) implements [`FastStore`] too, and one that answers without
//! waiting [`ImmediateStore`]. A store that keeps bytes seals each record in an [`Envelope`], whose body
//! a [`Codec`] makes. With the feature `conformance` the module `conformance` has the tests that every
//! store must pass.
//!
//! A crate that has nothing but a store depends on `session-core` alone, where all of this has the same
//! names.

#[cfg(feature = "conformance")]
pub use session_core::conformance;
pub use session_core::{
    Body, Buried, Capabilities, Codec, CodecError, Created, DroppedRecords, Envelope, FastStore, ImmediateStore,
    InvalidRecord, InvalidRecordKey, JsonCodec, MAX_SESSION_BYTES, PrincipalKey, Purged, Renewed, Saved, TierCounters,
    TieredStoreBuilder, Version,
};
