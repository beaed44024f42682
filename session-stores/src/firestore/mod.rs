//! Sessions in Firestore.
//!
//! Every write has a precondition, that the document is still the one that was read before; the
//! record in it has the version that the contract speaks of. Only fields that Firestore indexes by
//! itself are asked for, so there is no index to set up.
//!
//! From top to bottom: the store, the documents of one collection with the calls to Google, and
//! what a record is as a document. Only the store knows codecs; the documents know no record.

mod document;
mod documents;
mod store;

pub use store::FirestoreStore;
