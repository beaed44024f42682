//! Sessions in a real PostgreSQL server.

#![cfg(feature = "postgres")]

mod at_the_server;
mod clones;
mod conformance;
mod failover;
mod faults;
mod full_disk;
mod pgbouncer;
mod processes;
mod renewals;
mod rights;
mod schema;
mod support;
mod tls;
mod wrong_clocks;
