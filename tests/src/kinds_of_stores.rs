use session_core::{AnyStore, MemoryStore};

/// A store, and what it needs for as long as it is used.
pub struct KindOfStore {
    /// The store.
    pub store: AnyStore,
    #[cfg(feature = "sqlite")]
    _folder: Option<tempfile::TempDir>,
}

/// An empty store in memory, and one that keeps bytes, if this build has it: for tests of what should not depend on the
/// store.
///
/// # Panics
///
/// If no file can be made.
pub async fn kinds_of_stores() -> Vec<KindOfStore> {
    let memory = KindOfStore {
        store: AnyStore::new(MemoryStore::new()),
        #[cfg(feature = "sqlite")]
        _folder: None,
    };
    vec![
        memory,
        #[cfg(feature = "sqlite")]
        in_file().await,
    ]
}

#[cfg(feature = "sqlite")]
async fn in_file() -> KindOfStore {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("sessions.db");
    let store = session_stores::SqliteStore::open(file).await.expect("the file can be opened");
    KindOfStore { store: AnyStore::new(store), _folder: Some(folder) }
}
