//! Sessions of another library are taken over: an old one becomes a session of ours under a fresh id, once, whoever asks
//! for it at the same moment.
//!
//! An old session has a *place*: the key that is a hash of its old id. The first request *reserves* the place by a record
//! that is a note and no session, and renews that record into the session. So the session is made in one step of the
//! store, and leaves a moved note at the place. The note leads every other request with the old id to the session,
//! wherever it is by then, and once the session has ended it says that nothing is left to be taken over.
//!
//! All requests tell the client the same id, because each makes it of the old id and of a secret that is stored for 60 s
//! (`notes.rs`). This room may know sessions, visits and stores. It decides what happens before a visit has a session; what
//! happens to the session afterwards is the decider's.

mod adopt;
mod end;
mod ended_principals;
mod notes;
mod old_session;

pub(crate) use ended_principals::refuse_old_sessions_of;
pub use old_session::{EndOld, LoadOld, OldSession};
