//! Attributes that an older release of the application has written are brought up to date when they are loaded.

use crate::error::{Error, StoreError, causes_without_values};
use crate::record::Record;

use super::environment::Environment;
use super::upgrades::Upgrades;

type Loaded = Result<Option<Record>, StoreError>;

impl Environment {
    /// The function for this record, if it is older. Sessions of another audience, or of a later release of this
    /// library, are left alone.
    fn upgrades_of(&self, record: &Record) -> Option<&Upgrades> {
        let upgrades = self.upgrades.as_ref()?;
        let is_ours = || record.audience == self.rules.audience && !record.is_beyond_us();
        (upgrades.is_behind(record) && is_ours()).then_some(upgrades)
    }

    /// Whether what was loaded is older, so that the application's function is to be called: without the lock of the
    /// state.
    #[inline(always)]
    pub(super) fn has_to_upgrade(&self, loaded: &Loaded) -> bool {
        self.upgrades.is_some() && matches!(loaded, Ok(Some(record)) if self.upgrades_of(record).is_some())
    }

    /// What was loaded, brought up to date. The caller does not hold the lock of the state.
    pub(crate) fn up_to_date(&self, loaded: Loaded) -> Result<Loaded, Error> {
        match loaded {
            Ok(Some(record)) => match self.upgrades_of(&record) {
                Some(upgrades) => upgrades.upgraded(record).map(|record| Ok(Some(record))),
                None => Ok(Ok(Some(record))),
            },
            other => Ok(other),
        }
    }

    /// Brings the records of a list up to date. One that can't be stays in the list as it is: it still has to be found by
    /// whoever wants to end it.
    pub(crate) fn upgrade_listed(&self, records: &mut [Record]) {
        for record in records {
            match self.upgrades_of(record).map(|upgrades| upgrades.upgraded(record.clone())) {
                None => {}
                Some(Ok(upgraded)) => *record = upgraded,
                Some(Err(error)) => self.warn_upgrade_failed(record, &error),
            }
        }
    }

    fn warn_upgrade_failed(&self, record: &Record, error: &Error) {
        let Some(times) = self.warnings.upgrade_failed.due() else { return };
        let (session, causes) = (record.key.fingerprint(), causes_without_values(error));
        tracing::warn!(%session, times, %error, causes, "a session is listed with its attributes as they are stored");
    }
}
