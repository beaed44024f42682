//! Device Bound Session Credentials: a browser proves that it holds a key, which can't leave the device.
//!
//! A proof is a signed token in a header. `jws.rs` takes it apart, `json.rs` reads the objects in it, `public_key.rs`
//! verifies its signature, and `proof.rs` says what each of the two kinds of proofs must have. None of them knows HTTP,
//! stores or the time.

mod bad_proof;
mod json;
mod jws;
mod proof;
mod public_key;

pub use bad_proof::BadProof;
pub use proof::{Registration, refresh, registration};
pub use public_key::PublicKey;
