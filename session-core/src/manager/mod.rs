//! Sessions without a request: the manager, its settings, and purging in the background.
//!
//! The top room: it may know all others, and none of them knows it.

mod builder;
mod into_manager;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod manager;
mod purge;

pub use builder::SessionManagerBuilder;
pub use into_manager::IntoSessionManager;
pub use manager::SessionManager;
