//! What a request is answered that gets no further: whoever has no session, a stale one, or one that can't be loaded.
//!
//! An extractor or a guard refuses, and says why (`refusal.rs`). The layer knows what was asked for (`asked.rs`) and what
//! its settings say (`answers.rs`), and makes the response: a way to a page of the application (`page.rs`), with a way back
//! (`way_back.rs`), or a status with a text or JSON. This room may not know visits and extractors.

mod answers;
mod asked;
mod page;
mod refusal;
mod way_back;

pub(crate) use answers::{Answers, AskedAnswers};
pub(crate) use asked::{Asked, Unanswered};
pub use asked::{ClientKind, Refused};
pub use refusal::Refusal;
pub(crate) use way_back::is_own_path;
