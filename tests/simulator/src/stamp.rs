//! When something happened: events of a world have one order.

/// A moment of a world. No two events share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub number: u64,
    /// Milliseconds since the world began.
    pub at: u64,
}

/// Something that takes a while. It may never end: its answer was lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempt {
    /// When it was first tried.
    pub began: Option<Stamp>,
    /// When it was first acknowledged.
    pub done: Option<Stamp>,
}

impl Attempt {
    pub fn begin(&mut self, now: Stamp) {
        self.began.get_or_insert(now);
    }

    pub fn finish(&mut self, now: Stamp) {
        self.done.get_or_insert(now);
    }

    /// Whether it was acknowledged before then.
    pub fn was_done(&self, before: Stamp) -> bool {
        self.done.is_some_and(|done| done < before)
    }

    /// Whether it was acknowledged so long before then that no stale copy hides it.
    pub fn was_done_for(&self, staleness: u64, before: Stamp) -> bool {
        self.done.is_some_and(|done| done < before && done.at + staleness <= before.at)
    }
}
