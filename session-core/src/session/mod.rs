//! What an application holds: [`Session`], the contents of a [`NewSession`], and the names of attributes.
//!
//! This room turns method calls into changes of a visit, and gives a visit its methods that return a
//! [`Session`] (`opening.rs`), and records theirs that take the name of an attribute (`record_attrs.rs`). It may know visits, records, ids and errors. It may not know the manager, and it
//! never calls a store: loading and saving is the visit's work.

mod attr_key;
mod attribute_upgrade;
mod authentication;
mod forms;
mod keep;
mod new_session;
mod opening;
mod record_attrs;
mod remember;
#[expect(clippy::module_inception, reason = "the file is named after its main type")]
mod session;
mod timeout;

pub use attr_key::{AttrKey, AttrName, Name, WriteName};
pub use attribute_upgrade::AttributeUpgrade;
pub use authentication::Authentication;
pub use new_session::NewSession;
pub use session::Session;
pub(crate) use timeout::AskedLifetime;
