//! Sessions in an SQLite file.

#![cfg(feature = "sqlite")]

mod conformance;
mod file;
mod processes;
mod support;
