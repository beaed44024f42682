//! Sessions in an SQLite file.

#![cfg(feature = "sqlite")]

mod clones;
mod conformance;
mod file;
mod notes;
mod processes;
mod support;
mod wrong_clocks;
