//! Worlds of devices: the real layer of `session-axum` with device bound sessions, under browsers that bind theirs as
//! Chromium does, and a thief who has copied what a request of the owner showed.
//!
//! [`run`] makes the world of a seed. Stores, their faults, and the clocks of processes are as in any world; the way
//! between browsers and processes fails too. `tests/simulate --devices` makes them. A seed means one world of each kind.
//!
//! | file | what it is |
//! |---|---|
//! | `setup.rs` | what a seed chooses in advance |
//! | `world.rs` | the world, from its first request to its last |
//! | `actions.rs` | what happens next, and what the owners of browsers do |
//! | `thief.rs` | what a thief tries |
//! | `way.rs` | messages that are lost, late or slow between a browser and a process |
//! | `application.rs` | the layer, and handlers that say whom they see |
//! | `browser/` | a browser, by itself |
//! | `message.rs`, `keys.rs` | what they say to each other, and what signs it |
//! | `truth/` | what must be true |
//! | `ending.rs` | after the last request |

mod actions;
mod application;
mod browser;
mod ending;
mod keys;
mod message;
mod setup;
mod thief;
mod truth;
mod way;
mod world;

pub use browser::{Answering, Browser, Ending, Event, Outside, Sending, Started};
pub use message::{Challenge, Closed, Offer, Request, Response};
pub use setup::{Setup, WayFaults};
pub use world::run;
