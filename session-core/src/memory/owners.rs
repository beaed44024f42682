//! Whose the sessions in memory are, and who takes most.
//!
//! A signed-in session belongs to its principal, an anonymous one to itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::record::{PrincipalKey, RecordKey};
use crate::time::Time;

use super::cell::Cell;
use super::kind::Kind;
use super::lock::{Mutex, MutexGuard};

/// Locked briefly, by callers that hold the lock of a shard of the index; never the other way round.
pub(super) struct Owners {
    principals: Box<[Mutex<Principals>]>,
    /// By kind. Locked last.
    large: [Large; 2],
}

/// The principals of one lock.
#[derive(Default)]
struct Principals {
    /// The sessions of each, in the order in which they were started.
    sessions: BTreeSet<(PrincipalKey, Time, RecordKey)>,
    /// What they weigh together.
    weights: HashMap<PrincipalKey, u64>,
}

/// The bytes of a principal's key, or of an anonymous session's.
type Owner = [u8; 32];

#[derive(Default)]
struct Large {
    /// Owners whose sessions weigh 2 or more, by their weight.
    by_weight: Mutex<BTreeSet<(u64, Owner)>>,
    /// The number of owners, however much they weigh.
    count: AtomicUsize,
}

impl Large {
    /// The sessions of this owner weigh something else than before. 0 for an owner without any.
    fn reweigh(&self, owner: Owner, before: u64, after: u64) {
        if before.max(after) > 1 {
            let mut by_weight = self.by_weight.lock();
            by_weight.remove(&(before, owner));
            if after > 1 {
                by_weight.insert((after, owner));
            }
        }
        match (before, after) {
            (0, 1..) => _ = self.count.fetch_add(1, Ordering::Relaxed),
            (1.., 0) => _ = self.count.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
    }

    /// The owner that takes most, if that is more than twice what the others take on average.
    fn largest(&self, total: usize) -> Option<Owner> {
        let (weight, owner) = *self.by_weight.lock().last()?;
        let others = self.count.load(Ordering::Relaxed).saturating_sub(1) as u64;
        let of_others = (total as u64).saturating_sub(weight);
        (weight.saturating_mul(others) > of_others.saturating_mul(2)).then_some(owner)
    }
}

impl Owners {
    pub(super) fn new() -> Self {
        Owners { principals: (0..64).map(|_| Mutex::default()).collect(), large: Default::default() }
    }

    pub(super) fn add(&self, cell: &Cell) {
        self.change(cell, 0, cell.weight(), |principals, session| _ = principals.sessions.insert(session));
    }

    pub(super) fn remove(&self, cell: &Cell) {
        self.change(cell, cell.weight(), 0, |principals, session| _ = principals.sessions.remove(&session));
    }

    /// A session that stays weighs something else than `before`.
    pub(super) fn reweigh(&self, cell: &Cell, before: u32) {
        self.change(cell, before, cell.weight(), |_, _| {});
    }

    fn change(
        &self,
        cell: &Cell,
        before: u32,
        after: u32,
        list: impl FnOnce(&mut Principals, (PrincipalKey, Time, RecordKey)),
    ) {
        let (before, after) = (u64::from(before), u64::from(after));
        let Some(principal) = cell.principal().map(PrincipalKey::of) else {
            return self.large[Kind::Anonymous as usize].reweigh(*cell.key().as_bytes(), before, after);
        };
        let mut principals = self.principals(&principal);
        list(&mut principals, (principal, cell.created(), *cell.key()));
        let all_before = principals.weights.get(&principal).copied().unwrap_or(0);
        let all_after = all_before + after - before;
        match all_after {
            0 => _ = principals.weights.remove(&principal),
            weight => _ = principals.weights.insert(principal, weight),
        }
        self.large[Kind::SignedIn as usize].reweigh(*principal.as_bytes(), all_before, all_after);
    }

    fn principals(&self, principal: &PrincipalKey) -> MutexGuard<'_, Principals> {
        self.principals[usize::from(principal.as_bytes()[0]) % self.principals.len()].lock()
    }

    /// The keys of a principal's sessions, the oldest session first.
    pub(super) fn keys_of(&self, principal: &PrincipalKey) -> Vec<RecordKey> {
        self.principals(principal).keys_of(principal).collect()
    }

    /// The oldest session of the owner that takes most, if one takes more than twice what the others take on average; not
    /// the `newest`, if it is known and the owner has others. `total` is what all sessions of the kind weigh.
    pub(super) fn first_to_give_way(&self, kind: Kind, total: usize, newest: Option<&RecordKey>) -> Option<RecordKey> {
        let owner = self.large[kind as usize].largest(total)?;
        match kind {
            Kind::Anonymous => Some(RecordKey::from_bytes(owner)),
            Kind::SignedIn => {
                let principal = PrincipalKey::from_bytes(owner);
                let principals = self.principals(&principal);
                // Several may have been started in the same millisecond.
                let [first, second] = std::array::from_fn(|n| principals.keys_of(&principal).nth(n));
                if newest.is_some() && first.as_ref() == newest { second.or(first) } else { first }
            }
        }
    }
}

impl Principals {
    fn keys_of(&self, &principal: &PrincipalKey) -> impl Iterator<Item = RecordKey> {
        let first = (principal, Time::from_unix_millis(i64::MIN), RecordKey::from_bytes([0; 32]));
        let sessions = self.sessions.range(first..);
        sessions.take_while(move |(owner, ..)| *owner == principal).map(|(_, _, key)| *key)
    }
}
