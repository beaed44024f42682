use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::record::{Record, RecordKey};

/// Lets the writers of one session that met a conflict in one manager take turns. Each session has a queue of its own
/// for as long as somebody is in it, so nobody waits for the writers of another. Whoever has saved passes the record
/// on, so the next one need not load it.
///
/// Most writers only check that nobody waits for a session of the same shard, which costs one atomic read.
pub(crate) struct ConflictQueues {
    shards: Box<[Shard]>,
}

/// The queues of the sessions whose keys begin alike.
#[derive(Default)]
struct Shard {
    /// How many queues there are, so that a writer can pass by without the lock.
    used: AtomicUsize,
    queues: Mutex<HashMap<RecordKey, Queue>>,
}

#[derive(Default)]
struct Queue {
    members: usize,
    turn: Arc<tokio::sync::Mutex<LastSaved>>,
}

/// What the writer before has saved.
type LastSaved = Option<Record>;

/// The turn of one writer. When it is dropped, the next writer's turn begins.
pub(crate) struct Turn<'a> {
    // First the next one goes on, then this one leaves.
    last_saved: OwnedMutexGuard<LastSaved>,
    _member: Member<'a>,
}

/// A writer from joining to leaving, even if its waiting is cancelled.
struct Member<'a> {
    shard: &'a Shard,
    key: RecordKey,
}

impl Default for ConflictQueues {
    fn default() -> Self {
        ConflictQueues { shards: (0..64).map(|_| Shard::default()).collect() }
    }
}

impl ConflictQueues {
    fn shard(&self, key: &RecordKey) -> &Shard {
        &self.shards[usize::from(key.as_bytes()[0]) % self.shards.len()]
    }

    /// Whether writers of this session take turns at this moment.
    #[inline]
    pub(crate) fn is_contended(&self, key: &RecordKey) -> bool {
        let shard = self.shard(key);
        shard.used.load(Ordering::Relaxed) > 0 && shard.has_queue(key)
    }

    /// Joins the queue of this session and waits for a turn. Whoever drops the future leaves the queue.
    pub(crate) async fn join(&self, key: RecordKey) -> Turn<'_> {
        let (member, turn) = self.shard(&key).enter(key);
        Turn { last_saved: turn.lock_owned().await, _member: member }
    }
}

impl Turn<'_> {
    /// What the writer before has saved, unless another process or an ending came between.
    pub(crate) fn last_saved(&self) -> Option<Record> {
        self.last_saved.clone()
    }

    /// Passes on what was just saved.
    pub(crate) fn pass_on(&mut self, saved: Record) {
        *self.last_saved = Some(saved);
    }
}

impl Shard {
    #[cold]
    fn has_queue(&self, key: &RecordKey) -> bool {
        self.queues.lock().contains_key(key)
    }

    fn enter(&self, key: RecordKey) -> (Member<'_>, Arc<tokio::sync::Mutex<LastSaved>>) {
        let mut queues = self.queues.lock();
        let queue = queues.entry(key).or_default();
        queue.members += 1;
        let turn = Arc::clone(&queue.turn);
        self.used.store(queues.len(), Ordering::Relaxed);
        (Member { shard: self, key }, turn)
    }
}

impl Drop for Member<'_> {
    /// The last one takes the queue away.
    fn drop(&mut self) {
        let mut queues = self.shard.queues.lock();
        let Some(queue) = queues.get_mut(&self.key) else { return };
        queue.members -= 1;
        if queue.members == 0 {
            queues.remove(&self.key);
            if queues.is_empty() {
                // A burst leaves no memory behind.
                *queues = HashMap::new();
            }
            self.shard.used.store(queues.len(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;
    use crate::record::Version;
    use crate::time::Time;

    /// Both are in the same shard.
    const ONE: RecordKey = RecordKey::from_bytes([7; 32]);
    const OTHER: RecordKey = {
        let mut bytes = [7; 32];
        bytes[31] = 8;
        RecordKey::from_bytes(bytes)
    };

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_writer_waits_for_those_of_its_session_alone() {
        let queues = ConflictQueues::default();
        let mut first = pin!(queues.join(ONE));
        let Poll::Ready(mut first) = poll(first.as_mut()) else { panic!("nobody else is there") };
        assert_eq!(first.last_saved(), None);
        assert!(queues.is_contended(&ONE));
        assert!(!queues.is_contended(&OTHER));
        let mut second = pin!(queues.join(ONE));
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(pin!(queues.join(OTHER)).as_mut()).is_ready());
        let saved = Record::new(ONE, Version::from_number(7), Time::from_unix_millis(0), Duration::from_secs(60));
        first.pass_on(saved.clone());
        drop(first);
        let Poll::Ready(second) = poll(second.as_mut()) else { panic!("the turn is free") };
        assert_eq!(second.last_saved(), Some(saved));
    }

    #[test]
    fn nothing_is_left_of_writers_that_are_done_or_were_cancelled() {
        let queues = ConflictQueues::default();
        {
            let mut first = pin!(queues.join(ONE));
            let Poll::Ready(turn) = poll(first.as_mut()) else { panic!("nobody else is there") };
            let mut cancelled = Box::pin(queues.join(ONE));
            assert!(poll(cancelled.as_mut()).is_pending());
            drop(turn);
            drop(cancelled);
        }
        assert!(!queues.is_contended(&ONE));
        assert_eq!(queues.shard(&ONE).queues.lock().capacity(), 0);
    }
}
