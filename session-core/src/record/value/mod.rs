//! Rust values as JSON, and back.
//!
//! What `to_json` takes, `read` gives back equal; what can't be given back is refused. This room may know errors. It
//! may not know names, records or codecs.

mod json_size;
mod map_key;
mod memory_size;
mod reading;
mod refusal;
mod tally;
mod to_json;

pub use json_size::MAX_SESSION_BYTES;
pub(super) use json_size::{text_bytes, value_bytes};
pub(super) use memory_size::owned_bytes;
pub(crate) use reading::read;
pub(super) use refusal::Refusal;
pub(super) use to_json::to_json;
