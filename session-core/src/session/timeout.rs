use std::time::Duration;

use crate::error::ConfigError;

/// Longest timeout that is kept as it is; anything longer lives as long: a thousand years.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// A timeout in whole milliseconds. Zero is an error.
pub(crate) fn checked_timeout(timeout: Duration, name: &str) -> Result<Duration, ConfigError> {
    if timeout < Duration::from_millis(1) {
        return Err(ConfigError::new(format!(
            "the {name} timeout is {timeout:?}, which ends every session at once; give at least 1 ms"
        )));
    }
    Ok(Duration::from_millis(timeout.min(LONGEST_TIMEOUT).as_millis() as u64))
}
