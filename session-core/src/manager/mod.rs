//! Sessions without a request: [`SessionManager`], its builder, and purging in the background.
//!
//! This is the top room. It may know all other rooms; none of them may know it. What an application may set is
//! in `builder.rs`, which makes the environment that visits share.

mod builder;
mod into_manager;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod manager;
mod purge;

pub use builder::SessionManagerBuilder;
pub use into_manager::IntoSessionManager;
pub use manager::SessionManager;
