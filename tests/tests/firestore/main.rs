//! Firestore: every behaviour on Google's emulator, and what takes a hold on it.
#![cfg(feature = "firestore")]

mod at_the_emulator;
mod clones;
mod conformance;
mod faults;
mod processes;
mod support;
mod wrong_clocks;
