//! What happened, for people. Nothing is written until somebody wants to read it: a world that fails is run again.

use std::collections::HashMap;
use std::fmt;

use parking_lot::Mutex;
use session_core::RecordKey;
use tokio::time::Instant;

/// The story of a world.
pub struct Story {
    beginning: Instant,
    lines: Option<Mutex<Vec<Line>>>,
    /// The session under each key, and its name there.
    keys: Mutex<HashMap<RecordKey, (usize, String)>>,
}

/// One thing that happened.
pub struct Line {
    at: f64,
    /// The sessions that it is about. None: all of them.
    about: Vec<usize>,
    text: String,
}

impl Story {
    pub fn new(is_told: bool) -> Self {
        Story { beginning: Instant::now(), lines: is_told.then(Mutex::default), keys: Mutex::default() }
    }

    pub fn tell(&self, about: &[usize], text: impl FnOnce() -> String) {
        let Some(lines) = &self.lines else { return };
        let (at, about) = (self.beginning.elapsed().as_secs_f64(), about.to_vec());
        lines.lock().push(Line { at, about, text: text() });
    }

    /// From now on the story calls this key by that name.
    pub fn name_key(&self, key: RecordKey, session: usize, name: impl FnOnce() -> String) {
        if self.lines.is_some() {
            self.keys.lock().insert(key, (session, name()));
        }
    }

    /// Tells something about the session under this key; about all sessions without one.
    pub fn tell_of_key(&self, key: Option<&RecordKey>, text: impl FnOnce(&str) -> String) {
        if self.lines.is_none() {
            return;
        }
        let named = key.and_then(|key| self.keys.lock().get(key).cloned());
        match named {
            Some((session, name)) => self.tell(&[session], || text(&name)),
            None => self.tell(&[], || text("")),
        }
    }

    pub fn take_lines(&self) -> Vec<Line> {
        self.lines.as_ref().map(|lines| std::mem::take(&mut *lines.lock())).unwrap_or_default()
    }
}

impl Line {
    /// Whether the line is about one of these sessions, or about all.
    pub fn is_about(&self, sessions: &[usize]) -> bool {
        self.about.is_empty() || self.about.iter().any(|session| sessions.contains(session))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>10.3} s  {}", self.at, self.text)
    }
}
