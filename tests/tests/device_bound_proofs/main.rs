//! Proofs of device bound sessions: what is accepted, and what never is.
#![cfg(feature = "device-bound")]

mod differential;
mod forged;
mod forger;
mod verified;
