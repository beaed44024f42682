use crate::error::RandomError;

/// Where session ids come from.
///
/// The default is the operating system's generator. One of your own is for tests, or for
/// hardware; it must be cryptographically secure.
pub trait RandomSource: Send + Sync + 'static {
    /// Fills the buffer. An error means that no session can be started, never that a weaker
    /// id is used.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buffer).map_err(RandomError::new)
    }
}
