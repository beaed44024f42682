//! What is saved of a request, and when: through the router, on a store in memory and on one of bytes.

mod detached;
mod ending;
mod refusing;
mod save_on;
mod support;
mod upgrades;
