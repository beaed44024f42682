//! Refuses what another site sends in a visitor's name: cross-site request forgery (CSRF).
//!
//! Browsers say where a request comes from; `verdict.rs` judges by that, and compares origins (`origin.rs`). The layer
//! (`protection.rs`) asks it, and where a browser is too old to say anything, it asks for a token (`token.rs`), which is in
//! a header or in the form (`form_field.rs`).

mod form_field;
mod origin;
mod protection;
mod token;
mod verdict;

#[cfg(feature = "testing")]
pub(crate) use origin::Origin;
pub use protection::{CrossOriginProtection, CrossOriginService};
pub use token::CsrfToken;
