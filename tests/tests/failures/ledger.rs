use std::collections::BTreeSet;

/// What may be stored of one session, by what its visitor was told.
///
/// A write that failed may have taken effect, or may do so later, but never after a later write was acknowledged: it
/// expects a version that is gone.
#[derive(Debug)]
pub struct Ledger {
    /// The ids under which the session may be, more than one after a renewal of unknown outcome.
    pub ids: Vec<String>,
    counted: u64,
    /// How many more there may be.
    unknown_counts: u64,
    marks: BTreeSet<u64>,
    /// Whether a write was acknowledged since the last renewal of unknown outcome.
    pub is_settled: bool,
}

impl Ledger {
    pub fn new(id: String) -> Self {
        Ledger { ids: vec![id], counted: 0, unknown_counts: 0, marks: BTreeSet::from([0]), is_settled: true }
    }

    /// The session was read.
    pub fn found(&self, count: u64, mark: u64) {
        let last = self.counted + self.unknown_counts;
        assert!((self.counted..=last).contains(&count), "{count} is stored: {self:?}");
        assert!(self.marks.contains(&mark), "the mark {mark} is stored: {self:?}");
    }

    /// Counting was acknowledged: it gave this number.
    pub fn counted(&mut self, count: u64) {
        let last = self.counted + self.unknown_counts;
        assert!((self.counted + 1..=last + 1).contains(&count), "counted to {count}: {self:?}");
        (self.counted, self.unknown_counts, self.is_settled) = (count, 0, true);
    }

    pub fn may_have_counted(&mut self) {
        self.unknown_counts += 1;
    }

    pub fn marked(&mut self, mark: u64) {
        self.marks = BTreeSet::from([mark]);
        self.is_settled = true;
    }

    pub fn may_have_marked(&mut self, mark: u64) {
        self.marks.insert(mark);
    }

    pub fn may_have_moved(&mut self, id: String) {
        self.ids.push(id);
        self.is_settled = false;
    }

    /// The session is under this id alone; the others, which have ended.
    pub fn settle(&mut self, id: &str) -> Vec<String> {
        let (here, gone) = std::mem::take(&mut self.ids).into_iter().partition(|known| known == id);
        self.ids = here;
        gone
    }
}
