use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// Where the writers of one process that met a conflict take turns.
///
/// Most writers only look whether it is empty, which costs them nothing.
#[derive(Default)]
pub(crate) struct ConflictQueue {
    members: AtomicUsize,
    turn: Mutex<()>,
}

/// A turn; the next writer's begins when it is dropped.
pub(crate) struct Turn<'a> {
    _turn: MutexGuard<'a, ()>,
    _member: Member<'a>,
}

/// Counted from joining to leaving, also where waiting is cancelled.
struct Member<'a>(&'a AtomicUsize);

impl<'a> Member<'a> {
    fn join(members: &'a AtomicUsize) -> Self {
        members.fetch_add(1, Ordering::Relaxed);
        Member(members)
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ConflictQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.load(Ordering::Relaxed) == 0
    }

    /// Waits for a turn.
    pub(crate) async fn join(&self) -> Turn<'_> {
        let member = Member::join(&self.members);
        Turn { _turn: self.turn.lock().await, _member: member }
    }
}
