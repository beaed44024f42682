//! Sessions of another library are taken over. The other library is made up here; `tests/adopt` has the real ones.

mod ending;
mod every_store;
mod failing;
mod once;
mod rolling;
mod secrets;
mod support;
mod taking_over;
