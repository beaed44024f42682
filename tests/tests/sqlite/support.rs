use std::cell::RefCell;
use std::path::PathBuf;

use session_stores::SqliteStore;
use tempfile::TempDir;

/// A file in a folder that ends with the test.
pub struct File {
    folder: TempDir,
}

impl File {
    pub fn new() -> Self {
        File { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("sessions.db")
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    pub async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.path()).await.expect("the file can be opened")
    }
}

/// A store on a file of the test's own, which ends with the test's thread.
pub async fn fresh_store() -> SqliteStore {
    thread_local! {
        static FILE: RefCell<Option<File>> = const { RefCell::new(None) };
    }
    let file = File::new();
    let store = file.open().await;
    FILE.set(Some(file));
    store
}
