use std::str::FromStr;

use session_core::{AnyStore, MemoryStore};

use crate::options::Options;

/// Which store, as `--store` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAddress {
    /// In this process's memory.
    Memory,
}

/// The text names no store.
#[derive(Debug, thiserror::Error)]
#[error("no such store; give memory")]
pub struct UnknownStore;

impl FromStr for StoreAddress {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        match text {
            "memory" => Ok(StoreAddress::Memory),
            _ => Err(UnknownStore),
        }
    }
}

/// Opens the store that the options name.
pub async fn open(options: &Options) -> anyhow::Result<AnyStore> {
    match options.store {
        StoreAddress::Memory => Ok(AnyStore::new(MemoryStore::with_max_sessions(options.max_sessions))),
    }
}
