//! Opens the store that the options name.
//!
//! Stores that outlive the process are in `lasting.rs`, which needs the feature `stores`.

#[cfg(feature = "stores")]
mod lasting;

use session_axum::{AnyStore, MemoryStore};

use crate::address::StoreAddress;
use crate::options::Options;

/// Opens the store of `--store`, and that of `--fast` before it.
pub async fn open(options: &Options) -> anyhow::Result<AnyStore> {
    match (&options.store, &options.fast) {
        (StoreAddress::Memory, None) => Ok(AnyStore::new(MemoryStore::with_max_sessions(options.max_sessions))),
        (StoreAddress::Memory, Some(_)) => {
            anyhow::bail!("--fast can't stand before --store memory; choose another --store, or leave out --fast")
        }
        #[cfg(feature = "stores")]
        _ => lasting::open(options).await,
        #[cfg(not(feature = "stores"))]
        _ => anyhow::bail!(
            "this demo was built with the store in memory only; run it with `cargo run -p demo-app --features stores`"
        ),
    }
}
