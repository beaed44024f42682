use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::operation::Operation;

/// The way in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The store can't be reached; the operation has no effect. The error says that repeating may help.
    Down,
    /// The operation takes effect, but the connection breaks before the answer arrives. The error says that
    /// repeating may help.
    AnswerLost,
    /// The store refuses; the operation has no effect. The error says that repeating does not help.
    Refused,
    /// The store never answers; the operation has no effect.
    Silent,
}

/// What one call does. The default is to succeed at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    fault: Option<Fault>,
    before: Duration,
    after: Duration,
}

impl Plan {
    /// Makes a plan for a call that fails with `fault`, or succeeds for `None`. The call waits for `before`, then
    /// takes effect, then waits for `after` until it is answered.
    pub const fn new(fault: Option<Fault>, before: Duration, after: Duration) -> Self {
        Plan { fault, before, after }
    }

    pub(super) const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    pub(super) const fn before(&self) -> Duration {
        self.before
    }

    pub(super) const fn after(&self) -> Duration {
        self.after
    }
}

/// Decides what the calls of a [`FaultyStore`](super::FaultyStore) do, and counts them.
///
/// `Clone` shares the handle. A call is counted when it begins. It waits while it is [held](Faults::hold). Then the
/// first of these that applies decides: [`fail_next`](Faults::fail_next), [`fail_every`](Faults::fail_every),
/// [`decide`](Faults::decide). Otherwise it succeeds.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: Vec<(Operation, Fault)>,
    every: BTreeMap<Operation, Fault>,
    decide: Option<Box<dyn FnMut(Operation) -> Plan + Send>>,
    held: BTreeMap<Operation, Arc<Semaphore>>,
    calls: BTreeMap<Operation, usize>,
}

impl Faults {
    /// Makes the next call of this operation fail. Called twice, it makes the next two calls fail, and so on.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.0.lock().next.push((operation, fault));
    }

    /// Makes every call of these operations fail, until [`recover`](Faults::recover).
    pub fn fail_every(&self, operations: &[Operation], fault: Fault) {
        self.0.lock().every.extend(operations.iter().map(|operation| (*operation, fault)));
    }

    /// Asks the closure for the plan of every call, until [`recover`](Faults::recover). The closure must not use
    /// this handle: that is a deadlock.
    pub fn decide(&self, decide: impl FnMut(Operation) -> Plan + Send + 'static) {
        self.0.lock().decide = Some(Box::new(decide));
    }

    /// Ends all faults and plans. Calls that are held stay held.
    pub fn recover(&self) {
        let mut state = self.0.lock();
        state.next.clear();
        state.every.clear();
        state.decide = None;
    }

    /// Holds every later call of these operations before it takes effect. The gate lets them through.
    pub fn hold(&self, operations: &[Operation]) -> Gate {
        let gate = Gate(Arc::new(Semaphore::new(0)));
        self.0.lock().held.extend(operations.iter().map(|operation| (*operation, Arc::clone(&gate.0))));
        gate
    }

    /// The number of calls of this operation that have begun.
    pub fn calls(&self, operation: Operation) -> usize {
        self.0.lock().calls.get(&operation).copied().unwrap_or(0)
    }

    /// The number of calls of all operations that have begun.
    pub fn all_calls(&self) -> usize {
        self.0.lock().calls.values().sum()
    }

    /// Sets all counts to zero.
    pub fn forget_calls(&self) {
        self.0.lock().calls.clear();
    }

    pub(super) fn count(&self, operation: Operation) {
        *self.0.lock().calls.entry(operation).or_default() += 1;
    }

    /// Waits while calls of this operation are held.
    pub(super) async fn pass(&self, operation: Operation) {
        let gate = self.0.lock().held.get(&operation).cloned();
        // Dropping the gate closes the semaphore; `acquire` then fails, and the call goes on.
        if let Some(gate) = gate
            && let Ok(permit) = gate.acquire().await
        {
            permit.forget();
        }
    }

    pub(super) fn plan(&self, operation: Operation) -> Plan {
        let mut state = self.0.lock();
        let next = state.next.iter().position(|(planned, _)| *planned == operation);
        let fault = next.map(|next| state.next.remove(next).1).or_else(|| state.every.get(&operation).copied());
        match (fault, &mut state.decide) {
            (Some(fault), _) => Plan { fault: Some(fault), ..Plan::default() },
            (None, Some(decide)) => decide(operation),
            (None, None) => Plan::default(),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("calls", &self.0.lock().calls).finish_non_exhaustive()
    }
}

/// Holds calls until a test lets them through. Dropping the gate lets all of them through.
#[derive(Debug)]
#[must_use = "dropping the gate lets all calls through"]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// Lets this many calls through: first those that wait, in their order, then later ones.
    pub fn let_through(&self, calls: usize) {
        self.0.add_permits(calls);
    }

    /// Lets all calls through: those that wait, and all later ones.
    pub fn open(self) {}
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.close();
    }
}
