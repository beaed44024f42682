use std::time::Duration;

/// How sessions get new ids.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Renewals {
    /// After which time a session with a principal is offered a new id. `None` for never.
    pub(crate) every: Option<Duration>,
    /// How long an old id goes on. `None` if renewing ends it at once.
    pub(crate) grace: Option<Duration>,
}

impl Renewals {
    /// Whether an id may lead to a session that has another one by now.
    pub(crate) fn keep_old_ids(&self) -> bool {
        self.every.is_some() || self.grace.is_some()
    }

    /// How long the old id goes on when an offer is taken.
    pub(crate) fn grace_of_offers(&self) -> Duration {
        self.grace.unwrap_or(Duration::from_secs(10))
    }
}
