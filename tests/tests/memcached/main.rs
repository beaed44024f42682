//! Memcached: every behaviour, and what takes a hold on the server.
#![cfg(feature = "memcached")]

mod addresses;
mod at_the_server;
mod clones;
mod conformance;
mod fast_tier;
mod faults;
mod processes;
mod several_servers;
mod support;
mod wrong_clocks;
