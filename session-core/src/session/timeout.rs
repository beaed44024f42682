use std::time::Duration;

use crate::error::ConfigError;
use crate::time::Time;
use crate::visit::Lifetime;

/// 1000 years. A longer timeout is cut to this, so that adding it to any time of our age can't overflow.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// What an application says of how long sessions live. `None` leaves it to the default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AskedLifetime {
    pub(crate) idle_timeout: Option<Duration>,
    /// The inner `None` means no absolute timeout.
    pub(crate) absolute_timeout: Option<Option<Duration>>,
    pub(crate) persistent: Option<bool>,
    /// Stands for all three.
    pub(crate) remember: Option<Duration>,
    /// When the session ends. Stands for the absolute timeout, and for the idle timeout unless one is given.
    pub(crate) ends_at: Option<Time>,
}

impl AskedLifetime {
    /// Takes the defaults for what was left out. Fails if two settings contradict each other, because the one
    /// that ends sessions earlier would win in silence.
    pub(crate) fn or(self, defaults: Lifetime, now: Time) -> Result<Lifetime, ConfigError> {
        if let Some(end) = self.ends_at {
            return self.ending_at(end, defaults, now);
        }
        if let Some(time) = self.remember {
            return self.remembered(time);
        }
        let idle = self.idle_timeout.map(|timeout| checked_timeout(timeout, "idle_timeout")).transpose()?;
        let absolute_timeout = match self.absolute_timeout {
            Some(timeout) => timeout.map(|timeout| checked_timeout(timeout, "absolute_timeout")).transpose()?,
            None => defaults.absolute_timeout,
        };
        let absolute_is_stated = self.absolute_timeout.is_some() || defaults.absolute_is_stated;
        // An absolute timeout may be shorter than an idle timeout that nobody asked for here.
        if let (Some(idle), Some(absolute)) = (idle, absolute_timeout) {
            let fix =
                "give a longer `absolute_timeout` or a shorter `idle_timeout`, or call `without_absolute_timeout`";
            check_idle(idle, absolute, fix)?;
        }
        if self.persistent == Some(true) && !absolute_is_stated {
            let default = absolute_timeout.unwrap_or_default();
            return Err(ConfigError::new(format!(
                "`persistent` is set without an `absolute_timeout`, so the default would end the session {default:?} after \
                 its start; say how long it may live by `absolute_timeout` and `idle_timeout`, or call \
                 `without_absolute_timeout`"
            )));
        }
        Ok(Lifetime {
            idle_timeout: idle.unwrap_or(defaults.idle_timeout),
            absolute_timeout,
            absolute_is_stated,
            persistent: self.persistent.unwrap_or(defaults.persistent),
        })
    }

    fn ending_at(self, end: Time, defaults: Lifetime, now: Time) -> Result<Lifetime, ConfigError> {
        if self.remember.is_some() || self.absolute_timeout.is_some() {
            return Err(ConfigError::new(
                "`ends_at` says how long the session may live, and so does `remember` or `absolute_timeout`; leave one of them \
                 out",
            ));
        }
        if end <= now {
            return Err(ConfigError::new("the time of `ends_at` is over; leave the session out, or give a later time"));
        }
        let left = checked_timeout(end.since(now), "ends_at")?;
        let idle = self.idle_timeout.map(|timeout| checked_timeout(timeout, "idle_timeout")).transpose()?;
        Ok(Lifetime {
            // A longer one is no contradiction here: the end comes from elsewhere.
            idle_timeout: idle.map_or(left, |idle| idle.min(left)),
            absolute_timeout: Some(left),
            absolute_is_stated: true,
            persistent: self.persistent.unwrap_or(defaults.persistent),
        })
    }

    fn remembered(self, time: Duration) -> Result<Lifetime, ConfigError> {
        let asked = [
            ("idle_timeout", self.idle_timeout.is_some()),
            ("absolute_timeout", self.absolute_timeout.is_some()),
            ("persistent(false)", self.persistent == Some(false)),
        ];
        if let Some((other, _)) = asked.iter().find(|(_, is_asked_for)| *is_asked_for) {
            return Err(ConfigError::new(format!(
                "`remember` sets how long the session lives and that its cookie stays, so it contradicts `{other}`; leave \
                 one of them out"
            )));
        }
        let time = checked_timeout(time, "remember")?;
        Ok(Lifetime { idle_timeout: time, absolute_timeout: Some(time), absolute_is_stated: true, persistent: true })
    }
}

/// Fails if the session would end before its idle timeout is over, however much it is used.
pub(crate) fn check_idle(idle: Duration, absolute: Duration, fix: &str) -> Result<(), ConfigError> {
    if idle <= absolute {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "`idle_timeout` is {idle:?}, but `absolute_timeout` ends the session after {absolute:?}, used or not; {fix}"
    )))
}

/// A timeout in whole milliseconds. Fails below 1 ms.
pub(crate) fn checked_timeout(timeout: Duration, setting: &str) -> Result<Duration, ConfigError> {
    if timeout < Duration::from_millis(1) {
        return Err(ConfigError::new(format!(
            "`{setting}` is {timeout:?}, which ends every session at once; it must be at least 1 ms"
        )));
    }
    Ok(Duration::from_millis(timeout.min(LONGEST_TIMEOUT).as_millis() as u64))
}
