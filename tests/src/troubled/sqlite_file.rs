use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use session_core::AnyStore;
use session_stores::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, Executor};
use tempfile::TempDir;

/// A file of SQLite, with connections that can be told that it is full or read-only.
pub(super) struct SqliteFile {
    folder: TempDir,
    state: Arc<State>,
    /// Who holds the lock for writing.
    locking: Arc<Mutex<Option<SqliteConnection>>>,
}

#[derive(Default)]
struct State {
    is_full: AtomicBool,
    is_read_only: AtomicBool,
}

impl State {
    /// What a connection is told before each use. SQLite makes the largest number of pages at least as many as there are.
    fn pragmas(&self) -> String {
        let pages = if self.is_full.load(Ordering::SeqCst) { 1 } else { i32::MAX };
        let read_only = self.is_read_only.load(Ordering::SeqCst);
        format!("PRAGMA max_page_count = {pages}; PRAGMA query_only = {read_only}")
    }
}

impl SqliteFile {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        SqliteFile { folder, state: Arc::default(), locking: Arc::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("sessions.db")
    }

    pub(super) async fn open(&self) -> AnyStore {
        // With the settings and the tables of the store's own.
        SqliteStore::open(self.path()).await.expect("the file can be opened");
        let options = SqliteConnectOptions::new().filename(self.path()).journal_mode(SqliteJournalMode::Wal);
        let (opened, reused) = (Arc::clone(&self.state), Arc::clone(&self.state));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(3))
            .after_connect(move |connection, _| {
                let pragmas = opened.pragmas();
                Box::pin(async move { connection.execute(sqlx::AssertSqlSafe(pragmas)).await.map(drop) })
            })
            .before_acquire(move |connection, _| {
                let pragmas = reused.pragmas();
                Box::pin(async move { connection.execute(sqlx::AssertSqlSafe(pragmas)).await.map(|_| true) })
            });
        AnyStore::new(SqliteStore::from_pool(pool.connect_lazy_with(options.busy_timeout(Duration::from_secs(4)))))
    }

    pub(super) fn set_full(&self, is_full: bool) {
        self.state.is_full.store(is_full, Ordering::SeqCst);
    }

    pub(super) fn set_read_only(&self, is_read_only: bool) {
        self.state.is_read_only.store(is_read_only, Ordering::SeqCst);
    }

    /// Another program begins to write, and comes to an end after that time, or not at all.
    pub(super) async fn lock(&self, time: Option<Duration>) {
        let options = SqliteConnectOptions::new().filename(self.path()).busy_timeout(Duration::from_secs(30));
        let mut connection = options.connect().await.expect("the file can be opened");
        connection.execute("BEGIN IMMEDIATE").await.expect("others write for a moment only");
        *self.locking.lock() = Some(connection);
        if let Some(time) = time {
            let locking = Arc::clone(&self.locking);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                unlock(&locking).await;
            });
        }
    }

    pub(super) async fn unlock(&self) {
        unlock(&self.locking).await;
    }
}

async fn unlock(locking: &Mutex<Option<SqliteConnection>>) {
    let locking = locking.lock().take();
    if let Some(mut connection) = locking {
        connection.execute("ROLLBACK").await.expect("it has the lock");
    }
}
