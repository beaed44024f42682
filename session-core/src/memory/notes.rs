//! What the records of a store in memory weigh, and what moka does not know of them yet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::record::RecordKey;

use super::budget::{Budget, Share};
use super::cell::Cell;
use super::kind::Kind;

/// What happened to a record.
pub(super) struct Note {
    pub(super) key: RecordKey,
    pub(super) kind: Kind,
    pub(super) what: What,
    pub(super) weight: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Made,
    /// It weighs something else than before.
    Resized,
    Used,
    Gone,
    /// Gone because moka evicted it.
    Evicted,
}

/// What the records of each kind weigh, and the changes that moka does not know yet.
pub(crate) struct Notes {
    tallies: [Tally; 2],
    list: Mutex<VecDeque<Note>>,
    /// What is to be done with the notes: a [`Due`] as a number.
    pub(super) due: AtomicU8,
    /// Set while moka learns of the records that are there, which may take 1 s. Notes may wait meanwhile, as
    /// long as the store is not over its bound.
    pub(super) is_listing: AtomicBool,
}

struct Tally {
    bounds: Bounds,
    weight: AtomicUsize,
    /// Whether moka learns of this kind. Changes under the lock of the list, so that the list never has notes
    /// of a kind that is not watched.
    is_watched: AtomicBool,
}

/// Thresholds: what the sessions of one kind weigh together, and the number of notes.
#[derive(Clone, Copy)]
struct Bounds {
    /// With more, moka evicts.
    weight: usize,
    /// With more, those who take most give way, so that moka need not evict what others use.
    crowded: usize,
    /// With at least so much, the kind is watched: moka learns of its changes.
    watched: usize,
    /// With less, it is no longer watched.
    unwatched: usize,
    /// With so many notes the thread wakes up. With twice as many, requests help.
    notes: usize,
}

impl Bounds {
    fn of(Share { weight, .. }: Share) -> Self {
        let watched = weight - weight / 4;
        let crowded = weight - weight / 16;
        Bounds { weight, crowded, watched, unwatched: watched / 2, notes: (weight / 16).clamp(1, 256) }
    }
}

impl Tally {
    fn new(share: Share) -> Self {
        Tally { bounds: Bounds::of(share), weight: AtomicUsize::new(0), is_watched: AtomicBool::new(false) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Due {
    Nothing,
    /// The thread is to be woken up.
    Wake,
    /// The thread does not keep up, so the request that leaves a note passes notes on itself.
    Help,
}

impl Notes {
    pub(crate) fn new(budget: &Budget) -> Self {
        let tally = |kind| Tally::new(budget.share(kind));
        Notes {
            tallies: Kind::ALL.map(tally),
            list: Mutex::default(),
            due: AtomicU8::new(Due::Nothing as u8),
            is_listing: AtomicBool::new(false),
        }
    }

    /// Leaves a note of what happened to each of these cells. The caller holds the lock of their shard: notes
    /// of one record must be left in order, and a thread that lists a shard must see every change before, and
    /// get a note of every change after.
    pub(crate) fn leave<'a>(&self, cells: impl IntoIterator<Item = &'a Cell>, what: What) {
        for cell in cells {
            let note = Note { key: *cell.key(), kind: cell.kind(), what, weight: cell.weight() };
            let all = self.count(&note);
            self.add(note, all);
        }
    }

    /// A cell that stays weighs something else than `before`.
    pub(crate) fn reweigh(&self, cell: &Cell, before: u32) {
        let all = &self.tally(cell.kind()).weight;
        // Up first: what is on the way to another number is never below 0.
        all.fetch_add(cell.weight() as usize, Ordering::Relaxed);
        let all = all.fetch_sub(before as usize, Ordering::Relaxed) - before as usize;
        self.add(Note { key: *cell.key(), kind: cell.kind(), what: What::Resized, weight: cell.weight() }, all);
    }

    /// What all sessions of a kind weigh, if those who take most are to give way.
    pub(crate) fn crowd(&self, kind: Kind) -> Option<usize> {
        let Tally { bounds, weight, .. } = self.tally(kind);
        let weight = weight.load(Ordering::Relaxed);
        (weight > bounds.crowded).then_some(weight)
    }

    /// Whether the sessions of a kind weigh so much that the next ones must not wait for moka.
    pub(crate) fn is_overfull(&self, kind: Kind) -> bool {
        let Tally { bounds: Bounds { weight: bound, notes, .. }, weight, .. } = self.tally(kind);
        weight.load(Ordering::Relaxed) > bound.saturating_add(2 * notes)
    }

    fn add(&self, note: Note, all: usize) {
        let kind = note.kind;
        let waiting = self.note(note);
        let due = self.due_after(kind, all, waiting);
        if due != Due::Nothing {
            self.due.store(due as u8, Ordering::Relaxed);
        }
    }

    fn tally(&self, kind: Kind) -> &Tally {
        &self.tallies[kind as usize]
    }

    /// Counts the record in or out. Returns what the records of this kind weigh.
    fn count(&self, note: &Note) -> usize {
        let (all, weight) = (&self.tally(note.kind).weight, note.weight as usize);
        match note.what {
            What::Made => all.fetch_add(weight, Ordering::Relaxed) + weight,
            What::Used | What::Resized => all.load(Ordering::Relaxed),
            What::Gone | What::Evicted => all.fetch_sub(weight, Ordering::Relaxed) - weight,
        }
    }

    /// Adds a note. Returns the number of notes, if the kind is watched.
    fn note(&self, note: Note) -> Option<usize> {
        let is_watched = &self.tally(note.kind).is_watched;
        if !is_watched.load(Ordering::Relaxed) || note.what == What::Evicted {
            return None;
        }
        let mut list = self.list.lock();
        if is_watched.load(Ordering::Relaxed) {
            list.push_back(note);
        }
        Some(list.len())
    }

    fn due_after(&self, kind: Kind, all: usize, waiting: Option<usize>) -> Due {
        let Bounds { weight, watched, unwatched, notes, .. } = self.tally(kind).bounds;
        let is_over = all >= weight.saturating_add(notes);
        match waiting {
            _ if is_over => Due::Help,
            Some(waiting) if waiting >= 2 * notes && !self.is_listing.load(Ordering::Relaxed) => Due::Help,
            Some(waiting) if waiting >= notes || all < unwatched => Due::Wake,
            None if all >= watched && !self.tally(kind).is_watched.load(Ordering::Relaxed) => Due::Wake,
            _ => Due::Nothing,
        }
    }

    pub(super) fn should_be_watched(&self, kind: Kind) -> bool {
        let Tally { bounds: Bounds { watched, unwatched, .. }, weight, is_watched } = self.tally(kind);
        weight.load(Ordering::Relaxed) >= if is_watched.load(Ordering::Relaxed) { *unwatched } else { *watched }
    }

    pub(super) fn watch(&self, kind: Kind, is_watched: bool) {
        let mut list = self.list.lock();
        list.retain(|note| note.kind != kind);
        self.tally(kind).is_watched.store(is_watched, Ordering::Relaxed);
    }

    /// What the sessions of a kind may weigh.
    pub(super) fn bound(&self, kind: Kind) -> usize {
        self.tally(kind).bounds.weight
    }

    pub(super) fn weight(&self, kind: Kind) -> usize {
        self.tally(kind).weight.load(Ordering::Relaxed)
    }

    /// Takes the first notes, at most `limit`. Returns them, and whether there are more.
    pub(super) fn take(&self, limit: usize) -> (VecDeque<Note>, bool) {
        let mut list = self.list.lock();
        if list.len() <= limit {
            return (std::mem::take(&mut list), false);
        }
        (list.drain(..limit).collect(), true)
    }
}
