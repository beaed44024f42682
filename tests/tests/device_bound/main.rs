//! Sessions that are bound to the devices of their browsers, over HTTP.

#![cfg(feature = "device-bound")]

mod application;
mod chromium;
mod cost;
mod demo;
mod endings;
mod messages;
mod modelled;
mod places;
mod policies;
mod scripts;
mod software_browser;
mod thief;
mod troubles;
