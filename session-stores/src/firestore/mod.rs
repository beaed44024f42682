//! Sessions in Google's Firestore.
//!
//! Every write of a record has a precondition: the document must still be the one that was read before. The record in
//! it has the version that the contract of stores compares. A renewal leaves its moved note in a collection beside that
//! of the records, so neither a query nor an older release takes it for a record. Queries use only fields that Firestore
//! indexes by itself, so there is no index to set up.
//!
//! From top to bottom: the store (`store.rs`), ending sessions that may be renewed meanwhile (`ending.rs`), the documents of one
//! collection and the calls to Google (`documents.rs`), and the form of a record as a document (`document.rs`). Only the
//! store knows codecs, and `documents.rs` knows no records. This room may not know another backend.

mod document;
mod documents;
mod ending;
mod store;

pub use store::FirestoreStore;
