//! What an application holds: the session's handle, what a new one starts with, and names of attributes.
//!
//! This room turns what an application asks for into changes of a visit. It may not know the manager, and
//! calls no store.

mod attr_key;
mod new_session;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod session;

pub use attr_key::{AttrKey, AttrName, Name, WriteName};
pub use new_session::NewSession;
pub(crate) use new_session::checked_timeout;
pub use session::Session;
