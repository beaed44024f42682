//! What an application holds: the session's handle, what a new one starts with, and names of attributes.
//!
//! This room turns what an application asks for into changes of a visit. It may not know the manager, and
//! calls no store.

mod attr_key;
mod new_session;
mod opening;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod session;
mod timeout;

pub use attr_key::{AttrKey, AttrName, Name, WriteName};
pub use new_session::NewSession;
pub use session::Session;
pub(crate) use timeout::checked_timeout;
