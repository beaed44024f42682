//! Simulated worlds: the real code under browsers, attackers, several processes and stores that fail, all of it decided
//! by one seed.
//!
//! [`run`] makes the world of a seed and lets it go on to its end. Time passes only when everybody waits, and nothing is
//! decided by anything but the seed, so a world is the same at every run. `model/` knows what must be true, and says
//! what is not.
//!
//! | file | what it is |
//! |---|---|
//! | `setup.rs` | what a seed chooses in advance: stores, processes, faults |
//! | `world.rs` | the world, from its first request to its last |
//! | `actions.rs` | what happens next |
//! | `plan.rs`, `handler.rs`, `request.rs` | a request: what its handler does, and the way there and back |
//! | `browser.rs`, `admin.rs` | who asks |
//! | `process.rs`, `stores/`, `network.rs`, `clock.rs`, `random.rs` | what the real code stands on |
//! | `model/` | what was acknowledged, and what must be true therefore |
//! | `ending.rs` | after the last request |
//! | `story.rs` | what happened, for people |
//! | `device/` | worlds of another kind: the web layer, and browsers whose sessions are bound to their devices |

mod actions;
mod admin;
mod browser;
mod clock;
pub mod device;
mod ending;
mod handler;
mod model;
mod network;
mod plan;
mod process;
mod random;
mod request;
mod setup;
mod stamp;
mod stores;
mod story;
mod world;

pub use model::Violation;
pub use setup::Setup;
pub use story::Line;
pub use world::{Ended, run};
