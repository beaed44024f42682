//! Firestore: every behaviour on Google's emulator, and what takes a hold on it.
#![cfg(feature = "firestore")]

mod conformance;
mod support;
