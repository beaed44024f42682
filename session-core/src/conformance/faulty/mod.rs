//! A store that fails, waits and counts calls as a test tells it to.
//!
//! [`FaultyStore`] wraps any store. Its [`Faults`] decide the result of each call, and count the calls:
//!
//! ```
//! use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
//! use session_core::{MemoryStore, NewSession, SessionManager};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), session_core::Error> {
//! let store = FaultyStore::new(MemoryStore::new());
//! let sessions = SessionManager::new(store.clone());
//!
//! store.faults().fail_next(Operation::Create, Fault::Refused);
//! assert!(sessions.create(NewSession::new()).await.is_err());
//!
//! let session = sessions.create(NewSession::new()).await?;
//! store.faults().fail_every(Operation::READS, Fault::Refused);
//! assert!(sessions.get(session.id().as_str()).await.is_err());
//!
//! store.faults().recover();
//! assert!(sessions.get(session.id().as_str()).await?.is_some());
//! assert_eq!(store.faults().calls(Operation::Create), 2);
//! # Ok(()) }
//! ```
//!
//! This room may know the contract of stores, pauses, and the store in memory, which it wraps by default. It may not
//! know sessions or the manager.

mod faults;
mod operation;
mod store;

pub use faults::{Fault, Faults, Gate, Plan};
pub use operation::Operation;
pub use store::FaultyStore;
