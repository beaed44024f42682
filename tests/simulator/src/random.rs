//! Random ids of a process, the same at every run.

use fastrand::Rng;
use parking_lot::Mutex;
use session_core::{RandomError, RandomSource};

/// Only in a simulation may ids be so predictable.
pub struct Seeded(Mutex<Rng>);

impl Seeded {
    pub fn new(rng: Rng) -> Self {
        Seeded(Mutex::new(rng))
    }
}

impl RandomSource for Seeded {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        self.0.lock().fill(buffer);
        Ok(())
    }
}
