use std::time::{Duration, Instant};

use super::link::Position;

/// How long to wait between two sweeps through all keys.
const INTERVAL: Duration = Duration::from_secs(3600);

/// The position of a sweep through all keys, between two calls of `purge_expired`.
#[derive(Default)]
pub(super) struct Sweep {
    /// Where the sweep continues, on each server. Empty between two sweeps.
    positions: Vec<Position>,
    started: Option<Instant>,
}

/// The next step of a sweep.
pub(super) enum Step {
    Start,
    /// Continues at this position, and later at the others.
    GoOn(Position, Vec<Position>),
}

impl Sweep {
    /// The next step, if a sweep is under way or due.
    ///
    /// A step that fails or is cancelled ends the sweep, because its next position is unknown. The next sweep begins
    /// anew.
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
