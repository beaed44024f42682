//! Sessions that are bound to the devices of their browsers, over HTTP.

#![cfg(feature = "device-bound")]

mod application;
mod chromium;
mod cost;
mod demo;
mod endings;
#[cfg(all(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
mod every_store;
mod messages;
mod modelled;
mod places;
mod policies;
mod scripts;
mod software_browser;
mod thief;
mod troubles;
