use std::time::{Duration, Instant};

use super::link::Position;

/// How often all keys are looked at.
const INTERVAL: Duration = Duration::from_secs(3600);

/// How far a sweep through all keys has come.
#[derive(Default)]
pub(super) struct Sweep {
    /// Where to go on; none between two sweeps.
    positions: Vec<Position>,
    started: Option<Instant>,
}

/// What a sweep looks at next.
pub(super) enum Step {
    Start,
    /// Here, and later at the others.
    GoOn(Position, Vec<Position>),
}

impl Sweep {
    /// The next step, if a sweep is under way or due.
    ///
    /// A step that fails or is cancelled ends this sweep, as nobody says where to go on; the next one
    /// begins anew.
    pub(super) fn next(&mut self) -> Option<Step> {
        match self.positions.pop() {
            Some(position) => Some(Step::GoOn(position, std::mem::take(&mut self.positions))),
            None => self.is_due().then_some(Step::Start),
        }
    }

    pub(super) fn has_started(&mut self) {
        self.started = Some(Instant::now());
    }

    pub(super) fn go_on_at(&mut self, positions: Vec<Position>) {
        self.positions = positions;
    }

    fn is_due(&self) -> bool {
        self.started.is_none_or(|started| started.elapsed() >= INTERVAL)
    }
}
