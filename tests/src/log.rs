//! What is logged while a test runs.

use std::io::{self, Write};
use std::sync::{Arc, Once};

use parking_lot::Mutex;
use tracing::subscriber::DefaultGuard;

/// Lines of the log, at every level.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What is logged on this thread while the guard lives.
    pub fn capture() -> (Self, DefaultGuard) {
        // Other tests log at the same moment, and nobody looks. Without a listener for all of them, tracing remembers for the
        // whole process that nobody wants to see a line.
        static LISTENS: Once = Once::new();
        LISTENS.call_once(|| {
            let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(io::sink);
            let _ = tracing::subscriber::set_global_default(everything.finish());
        });
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        (log, tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish()))
    }

    /// All that was logged.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }

    /// How many lines have this text.
    pub fn lines_with(&self, text: &str) -> usize {
        self.text().lines().filter(|line| line.contains(text)).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
