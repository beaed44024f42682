//! Device Bound Session Credentials: a browser proves that it holds a key, which can't leave the device.
//!
//! `settings.rs` is what an application asks for, and `binder.rs` what a layer does with it around each request.
//! `endpoint.rs` answers what the browser asks of the layer itself, at addresses that `place.rs` finds, and in the words of
//! `answer.rs`. `stamp.rs` makes and checks challenges and the values of the bound cookie. What a session keeps of its
//! device is core's.
//!
//! A proof is a signed token in a header. `jws.rs` takes it apart, `json.rs` reads the objects in it, `public_key.rs`
//! verifies its signature, and `proof.rs` says what each of the two kinds of proofs must have. None of them knows HTTP,
//! stores or the time.

mod answer;
mod bad_proof;
mod binder;
mod endpoint;
mod identifier;
mod json;
mod jws;
mod navigation;
mod place;
mod proof;
mod public_key;
mod settings;
mod stamp;

pub use bad_proof::BadProof;
pub(crate) use binder::{Binder, BindingLayer};
pub(crate) use endpoint::serve;
pub(crate) use navigation::{ComeAgain, comes_from_elsewhere};
pub(crate) use place::Place;
pub use proof::{Registration, refresh, registration};
pub use public_key::PublicKey;
pub use settings::DeviceBound;
