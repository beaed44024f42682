use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::operation::Operation;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The store can't be reached, and nothing happens there. The error says that it may pass.
    Down,
    /// The store does what it is asked, but the connection breaks before the answer arrives. The error says that
    /// it may pass.
    AnswerLost,
    /// The store says no, and nothing happens there. The error says that it does not pass.
    Refused,
    /// The store never answers, and nothing happens there.
    Silent,
}

/// What becomes of one call. The default: it succeeds at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    fault: Option<Fault>,
    before: Duration,
    after: Duration,
}

impl Plan {
    /// The call fails so, if it fails. It takes `before` until it has its effect, and `after` from then on until
    /// it is answered.
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

/// What becomes of the calls of a [`FaultyStore`](super::FaultyStore), and how many there were.
///
/// `Clone` shares the handle. A call is counted when it begins. It waits while it is [held](Faults::hold). Then it
/// takes the first plan that there is for it: of [`fail_next`](Faults::fail_next),
/// [`fail_every`](Faults::fail_every) and [`decide`](Faults::decide), in this order.
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
    /// Lets one call of this operation fail: the next one for which no earlier `fail_next` waits.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.0.lock().next.push((operation, fault));
    }

    /// Lets every call of these operations fail, until [`recover`](Faults::recover).
    pub fn fail_every(&self, operations: &[Operation], fault: Fault) {
        self.0.lock().every.extend(operations.iter().map(|operation| (*operation, fault)));
    }

    /// Asks the closure about every call, until [`recover`](Faults::recover). It must not use this handle.
    pub fn decide(&self, decide: impl FnMut(Operation) -> Plan + Send + 'static) {
        self.0.lock().decide = Some(Box::new(decide));
    }

    /// Lets no further call fail. Calls that are held stay so.
    pub fn recover(&self) {
        let mut state = self.0.lock();
        state.next.clear();
        state.every.clear();
        state.decide = None;
    }

    /// Holds every further call of these operations, before it has its effect. The gate lets them through.
    pub fn hold(&self, operations: &[Operation]) -> Gate {
        let gate = Gate(Arc::new(Semaphore::new(0)));
        self.0.lock().held.extend(operations.iter().map(|operation| (*operation, Arc::clone(&gate.0))));
        gate
    }

    /// How many calls of this operation have begun.
    pub fn calls(&self, operation: Operation) -> usize {
        self.0.lock().calls.get(&operation).copied().unwrap_or(0)
    }

    /// How many calls have begun.
    pub fn all_calls(&self) -> usize {
        self.0.lock().calls.values().sum()
    }

    /// Counts from zero again.
    pub fn forget_calls(&self) {
        self.0.lock().calls.clear();
    }

    pub(super) fn count(&self, operation: Operation) {
        *self.0.lock().calls.entry(operation).or_default() += 1;
    }

    /// Waits while calls of this operation are held.
    pub(super) async fn pass(&self, operation: Operation) {
        let gate = self.0.lock().held.get(&operation).cloned();
        // A gate that is dropped is closed as a semaphore, and lets everybody through.
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

/// Holds calls until it lets them through. Dropping it lets all of them through.
#[derive(Debug)]
#[must_use = "dropping it lets all calls through"]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// Lets so many calls through: those that wait, in their order, then those that come.
    pub fn let_through(&self, calls: usize) {
        self.0.add_permits(calls);
    }

    /// Lets all calls through, and those that come.
    pub fn open(self) {}
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.close();
    }
}
