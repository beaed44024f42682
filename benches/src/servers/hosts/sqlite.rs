//! SQLite has no server that would count, so statements are counted where sqlx logs them, which every
//! library here uses. `BEGIN` and `COMMIT` are not logged.

use std::sync::atomic::{AtomicU64, Ordering};

use log::{LevelFilter, Log, Metadata, Record};

use super::ServerWork;

pub struct Statements {
    all: AtomicU64,
    writing: AtomicU64,
}

static STATEMENTS: Statements = Statements { all: AtomicU64::new(0), writing: AtomicU64::new(0) };

impl Statements {
    /// Counts from now on.
    pub fn count() -> &'static Self {
        log::set_logger(&STATEMENTS).expect("nobody else counts");
        log::set_max_level(LevelFilter::Debug);
        &STATEMENTS
    }

    /// Nothing is logged, and so counted, any more.
    pub fn stop(&self) {
        log::set_max_level(LevelFilter::Off);
    }

    pub fn so_far(&self) -> ServerWork {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ServerWork { commands: of(&self.all), writes: of(&self.writing) }
    }
}

impl Log for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        self.all.fetch_add(1, Ordering::Relaxed);
        let text = record.args().to_string();
        let statement = text.split_once("summary=\"").map_or("", |(_, statement)| statement).to_ascii_lowercase();
        if ["insert", "update", "delete"].iter().any(|start| statement.starts_with(start)) {
            self.writing.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}
