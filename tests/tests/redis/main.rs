//! Redis: every behaviour on one server and on a cluster, and what takes a hold on the servers.
#![cfg(feature = "redis")]

mod at_the_server;
mod clones;
mod cluster;
mod conformance;
mod ending;
mod failover;
mod fast_tier;
mod faults;
mod processes;
mod refused;
mod rights;
mod sentinel;
mod support;
mod tls;
mod tracked;
mod wrong_clocks;
