use crate::error::{Cause, Error};
use crate::record::{Record, attributes_version, note_attributes_version};

/// The version of the application's attributes, and its function that brings older ones up to date.
pub(crate) struct Upgrades {
    version: u32,
    run: Box<Run>,
}

/// Changes the attributes of a record that has this version.
type Run = dyn Fn(&mut Record, u32) -> Result<(), Cause> + Send + Sync;

impl Upgrades {
    pub(crate) fn new(
        version: u32,
        run: impl Fn(&mut Record, u32) -> Result<(), Cause> + Send + Sync + 'static,
    ) -> Self {
        Upgrades { version, run: Box::new(run) }
    }

    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn is_behind(&self, record: &Record) -> bool {
        attributes_version(record) < self.version
    }

    pub(super) fn upgraded(&self, mut record: Record) -> Result<Record, Error> {
        let from = attributes_version(&record);
        match (self.run)(&mut record, from) {
            Ok(()) => {
                // Noted at once, so that it counts towards the size of the session.
                note_attributes_version(&mut record, self.version);
                Ok(record)
            }
            Err(source) => Err(Error::Upgrade { from, to: self.version, source }),
        }
    }
}
