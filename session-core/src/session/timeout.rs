use std::time::Duration;

use crate::error::ConfigError;

/// 1000 years. A longer timeout is cut to this, so that adding it to any time of our age can't overflow.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// A timeout in whole milliseconds. Fails below 1 ms.
pub(crate) fn checked_timeout(timeout: Duration, setting: &str) -> Result<Duration, ConfigError> {
    if timeout < Duration::from_millis(1) {
        return Err(ConfigError::new(format!(
            "`{setting}` is {timeout:?}, which ends every session at once; it must be at least 1 ms"
        )));
    }
    Ok(Duration::from_millis(timeout.min(LONGEST_TIMEOUT).as_millis() as u64))
}
