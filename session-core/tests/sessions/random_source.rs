use std::sync::atomic::{AtomicU64, Ordering};

use session_core::{RandomError, RandomSource};

/// Gives each of the numbers that it counts through several times before the next.
pub struct Repeating {
    pub times: u64,
    drawn: AtomicU64,
}

impl Repeating {
    pub fn each(times: u64) -> Self {
        Repeating { times, drawn: AtomicU64::new(0) }
    }
}

impl RandomSource for Repeating {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        let number = self.drawn.fetch_add(1, Ordering::SeqCst) / self.times;
        buffer.fill(0);
        buffer[..8].copy_from_slice(&number.to_le_bytes());
        Ok(())
    }
}

/// Gives random bytes that many times, then fails.
pub struct Exhausted {
    left: AtomicU64,
}

impl Exhausted {
    pub fn after(draws: u64) -> Self {
        Exhausted { left: AtomicU64::new(draws) }
    }
}

impl RandomSource for Exhausted {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.checked_sub(1).ok_or_else(|| RandomError::new("no entropy"))?, Ordering::SeqCst);
        session_core::SystemRandom.fill(buffer)
    }
}
