use std::collections::VecDeque;

use crate::error::{Error, RandomError, StoreError};
use crate::id::{PresentedIds, SessionId};
use crate::record::{Attribute, PrincipalKey, Record, RecordKey, Version};
use crate::store::{Created, Deleted, Renewed, Saved};
use crate::time::Time;

/// How often an operation follows a session that was renewed, each time before it could write. A write takes no longer than
/// a renewal, so whoever renews as fast as possible is overtaken long before.
const MAX_NOTES: u32 = 100_000;

/// What a visit wants from the store, and how far it has come. The last step is [`Step::Done`].
pub(in crate::visit) struct Operation<'a> {
    pub(super) goal: Goal<'a>,
    /// How many of the presented ids were looked up.
    pub(super) looked_up: usize,
    /// An id without a record, to which notes are followed, as it may have been replaced.
    pub(super) opening: Option<(&'a SessionId, RecordKey)>,
    /// What the record that is being loaded is for.
    pub(super) loading: Loading<'a>,
    /// How often another writer was faster.
    pub(super) conflicts: u32,
    /// How often the session was followed.
    notes: u32,
    /// The key under which the session was found that is to end, if it has moved there.
    pub(super) ending: Option<RecordKey>,
    /// The presented id that may end its session, as far as the store knows.
    pub(super) may_end: Option<RecordKey>,
    /// The number of generated ids that were taken.
    pub(super) taken_ids: u32,
    /// Another id is needed before the next attempt.
    pub(super) needs_id: bool,
    pub(super) has_turn: bool,
    /// The update that was computed and is to be saved.
    pub(super) update: Option<Attribute>,
    /// The store has had the session during this operation.
    pub(super) was_there: bool,
    pub(super) is_done: bool,
    /// The largest number of sessions that one principal may have.
    pub(super) limit: Option<usize>,
    /// On the heap, as few logins are one too many.
    pub(super) excess: Option<Box<Excess>>,
    pub(super) now: Time,
}

pub(super) enum Goal<'a> {
    /// Find the session of the first id that has one.
    Open(&'a PresentedIds),
    /// Store everything that the request did. The response waits for it.
    Commit,
    /// Store changes of attributes and settings. The commit stores the rest.
    SaveChanges,
    /// Store everything that was done, without a request or after it.
    SaveAll,
    /// Changes of attributes and settings together with an update that the application computes.
    Update,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Loading<'a> {
    Nothing,
    /// The session of an id that the request presents.
    Opened(&'a SessionId),
    /// What another writer saved: the changes are applied to that.
    Reloaded,
    /// To find out whether the session still exists.
    Confirmed,
    /// Where moved notes lead: the record of this key is gone, and the session may have a new id.
    Note(RecordKey),
    /// The session that a presented id is to end, to find out whether it may.
    ToEnd(RecordKey),
    /// The session to which moved notes lead from such an id.
    ToEndByNote(RecordKey),
}

/// The sessions of a principal beyond the limit, which end after a login.
pub(super) enum Excess {
    /// The principal's sessions are to be listed.
    Unlisted,
    ToEnd(VecDeque<RecordKey>),
}

impl Excess {
    /// The first of the sessions has ended. After the last, the principal's sessions are listed again, as others may have
    /// signed in meanwhile.
    pub(super) fn ended(&mut self) -> Option<RecordKey> {
        let Excess::ToEnd(keys) = self else { return None };
        let ended = keys.pop_front();
        if keys.is_empty() {
            *self = Excess::Unlisted;
        }
        ended
    }
}

impl<'a> Operation<'a> {
    fn new(goal: Goal<'a>) -> Self {
        Operation {
            goal,
            looked_up: 0,
            opening: None,
            loading: Loading::Nothing,
            conflicts: 0,
            notes: 0,
            ending: None,
            may_end: None,
            taken_ids: 0,
            needs_id: false,
            has_turn: false,
            update: None,
            was_there: false,
            is_done: false,
            limit: None,
            excess: None,
            now: Time::MAX,
        }
    }

    /// Counts that the session is followed. Fails if that is too often: somebody renews it all the time.
    pub(super) fn follow(&mut self) -> Result<(), Error> {
        self.notes += 1;
        if self.notes < MAX_NOTES { Ok(()) } else { Err(Error::Conflict { attempts: self.notes }) }
    }

    /// Takes the update that was computed.
    pub(in crate::visit) fn put(&mut self, update: Attribute) {
        self.update = Some(update);
    }

    /// When the last step was decided.
    pub(in crate::visit) fn now(&self) -> Time {
        self.now
    }

    /// Whether the next step would be [`Step::Done`] anyway.
    pub(in crate::visit) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether the id that was looked up last came in an outdated form.
    #[inline]
    pub(super) fn found_outdated(&self) -> bool {
        matches!(self.goal, Goal::Open(presented) if presented.is_outdated(self.looked_up - 1))
    }

    pub(in crate::visit) fn open(presented: &'a PresentedIds) -> Self {
        Operation::new(Goal::Open(presented))
    }

    pub(in crate::visit) fn update() -> Self {
        Operation::new(Goal::Update)
    }

    /// Ends the sessions beyond the limit, after one of its principal was stored.
    pub(in crate::visit) fn enforce(limit: usize) -> Self {
        let excess = Some(Box::new(Excess::Unlisted));
        Operation { limit: Some(limit), excess, was_there: true, ..Operation::new(Goal::SaveChanges) }
    }

    pub(in crate::visit) fn save_changes() -> Self {
        Operation::new(Goal::SaveChanges)
    }

    pub(in crate::visit) fn save_all(limit: Option<usize>) -> Self {
        Operation { limit, ..Operation::new(Goal::SaveAll) }
    }

    pub(in crate::visit) fn commit(limit: Option<usize>) -> Self {
        Operation { limit, ..Operation::new(Goal::Commit) }
    }
}

/// What the decider must know of the world before each step.
pub(in crate::visit) struct Moment {
    pub(in crate::visit) now: Time,
    /// The mark of this write attempt, if the step is one.
    pub(in crate::visit) mark: u32,
    /// Whether writers of the visit's session wait for each other.
    pub(in crate::visit) is_contended: bool,
    /// After how many conflicts a writer waits for its turn.
    pub(in crate::visit) hasty_attempts: u32,
}

/// One thing to be done next. Records to be written are [`State::outgoing`](super::State::outgoing).
#[derive(Debug, PartialEq, Eq)]
pub(in crate::visit) enum Step {
    /// Nothing is left to do.
    Done,
    /// The application's update is to be computed from the present value.
    Compute,
    /// Another id is to be drawn.
    Draw,
    /// Wait behind other writers of this session.
    TakeTurn(RecordKey),
    Load(RecordKey),
    Create,
    Save {
        expected: Version,
    },
    Renew {
        old: RecordKey,
        expected: Version,
        /// Until when a moved note leads to the new key.
        moved_until: Option<Time>,
    },
    /// Load the record to which moved notes lead from this key.
    Follow(RecordKey),
    Touch(RecordKey),
    Delete(RecordKey),
    ListOf(PrincipalKey),
}

/// What came of a step.
pub(in crate::visit) enum Answer {
    /// The update is [in the operation](Operation::put). The [edits](super::State::edits) when the value was
    /// read that it was computed from.
    Computed(u64),
    Drawn(Result<SessionId, RandomError>),
    /// The writer's turn has come. With the record that the writer before has saved, if it has.
    HasTurn {
        last_saved: Option<Record>,
    },
    Loaded(Result<Option<Record>, StoreError>),
    Created(Result<Created, StoreError>),
    Saved(Result<Saved, StoreError>),
    Renewed(Result<Renewed, StoreError>),
    Touched(Result<(), StoreError>),
    Followed(Result<Option<Record>, StoreError>),
    Deleted(Result<Deleted, StoreError>),
    /// The store has followed the moved notes itself. With the key that the session was under.
    Ended(Result<Option<RecordKey>, StoreError>),
    Listed(Result<Vec<Record>, StoreError>),
}
