//! Sessions of another library are taken over: the setting (`adoption.rs`), its cookies in a request (`old_cookies.rs`),
//! and what one request does about them (`adopting.rs`). How an old session becomes one of ours, once, is decided in
//! session-core.

pub(crate) mod adopting;
pub(crate) mod adoption;
mod old_cookies;
