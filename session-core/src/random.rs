//! The source of random bytes for session ids.
//!
//! This room may know errors, and nothing else.

use crate::error::RandomError;

/// The source of the random bytes of session ids.
///
/// The default is [`SystemRandom`]. Write your own for hardware or for tests. Outside of tests it must be
/// cryptographically secure, or ids can be guessed.
pub trait RandomSource: Send + Sync + 'static {
    /// Fills the whole buffer with random bytes. After an error no session is started: a weaker id is never used.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError>;
}

/// The random generator of the operating system. This is the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buffer).map_err(RandomError::new)
    }
}
