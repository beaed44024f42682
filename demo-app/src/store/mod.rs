//! Opens the store that the options name: the one place that knows what is behind an address.
//!
//! Stores that outlive the process are in `lasting`, which only a demo built with `--features
//! stores` has.

#[cfg(feature = "stores")]
mod lasting;

use session_axum::{AnyStore, MemoryStore};

use crate::address::StoreAddress;
use crate::options::Options;

/// Opens the store, with the tier that stands before it.
pub async fn open(options: &Options) -> anyhow::Result<AnyStore> {
    match (&options.store, &options.fast) {
        (StoreAddress::Memory, None) => Ok(AnyStore::new(MemoryStore::with_max_sessions(options.max_sessions))),
        (StoreAddress::Memory, Some(_)) => {
            anyhow::bail!("--fast stands before a store that lasts, and --store memory does not")
        }
        #[cfg(feature = "stores")]
        _ => lasting::open(options).await,
        #[cfg(not(feature = "stores"))]
        _ => anyhow::bail!(
            "this demo was built with the store in memory only: add --features stores to its cargo command"
        ),
    }
}
