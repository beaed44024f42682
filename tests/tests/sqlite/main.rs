//! Sessions in an SQLite file.

#![cfg(feature = "sqlite")]

mod clones;
mod conformance;
mod file;
mod processes;
mod support;
