use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// Lets the writers of one process that met a conflict take turns.
///
/// Most writers only check that it is empty, which costs one atomic read.
#[derive(Default)]
pub(crate) struct ConflictQueue {
    members: AtomicUsize,
    turn: Mutex<()>,
}

/// The turn of one writer. When it is dropped, the next writer's turn begins.
pub(crate) struct Turn<'a> {
    _turn: MutexGuard<'a, ()>,
    _member: Member<'a>,
}

/// Counts a writer from joining to leaving, even if its waiting is cancelled.
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

    /// Joins the queue and waits for a turn.
    pub(crate) async fn join(&self) -> Turn<'_> {
        let member = Member::join(&self.members);
        Turn { _turn: self.turn.lock().await, _member: member }
    }
}
