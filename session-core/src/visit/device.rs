//! What a device asks about its session: to register its key, and to be given a new proof. It is no use of the session.

use crate::error::Error;
use crate::event::DeviceRefusal;
use crate::id::PresentedIds;
use crate::record::{DeviceBinding, DeviceChange, DeviceCheck, Record};
use crate::time::Time;

use super::drive::drive;
use super::state::Operation;
use super::visit::Visit;

/// The session about which a device asks.
pub enum DeviceSession {
    /// It is there. With its record, of which [`DeviceBinding::of`] reads what concerns the device.
    Found(Box<Record>),
    /// A login has replaced it within the last 60 s.
    Replaced,
    /// There is none.
    Missing,
}

impl Visit {
    /// Takes what the request shows of its device. Call it before [`open`](Visit::open). Without it, a session that is
    /// bound to a device is not opened.
    pub fn show_device(&self, check: Box<dyn DeviceCheck>) {
        self.0.state.lock().show_device(check);
    }

    /// Whether the request has presented a session that is bound to a device, and has not shown a proof of it. `false`
    /// before [`open`](Visit::open).
    pub fn is_unproven(&self) -> bool {
        self.0.state.lock().is_unproven()
    }

    /// The session that this visit has started or authenticated, and that may be bound to the device of its client. `None`
    /// before the commit, and if the host [binds none](super::visit::Host::binds_devices).
    pub fn offered_binding(&self) -> Option<Record> {
        self.0.state.lock().offered_binding().cloned()
    }

    /// Looks up the session for a request of the device itself, in place of [`open`](Visit::open). It needs no proof, is
    /// no use of the session, and follows a plain renewal of the last 60 s.
    ///
    /// [`Error::Store`] if the store failed: it is unknown whether there is a session.
    pub async fn find_for_device(&self, presented: &PresentedIds) -> Result<DeviceSession, Error> {
        {
            let mut state = self.0.state.lock();
            state.carried = presented.carried();
            state.without_use();
        }
        let _turn = self.turn().await;
        let mut operation = Operation::open_for_device(presented);
        drive(self, &mut operation, &mut None).await?;
        self.note_opened();
        let state = self.0.state.lock();
        Ok(match state.stored() {
            Some(stored) => DeviceSession::Found(Box::new(stored.record.clone())),
            None if state.is_replaced() => DeviceSession::Replaced,
            None => DeviceSession::Missing,
        })
    }

    /// Registers the key of the device in the session that was [found](Visit::find_for_device), and saves it. Returns the
    /// record as it then is: it may have a key that was registered before, or none if it was offered anew meanwhile. `None`
    /// if the session has ended.
    ///
    /// [`Error::Store`] if the store failed: the key may be registered or not, and the same call may be repeated.
    pub async fn register_device(&self, key: &str, now: Time) -> Result<Option<Record>, Error> {
        let change = self.0.state.lock().stored().and_then(|stored| DeviceChange::register(key, &stored.record, now));
        self.save_of_device(change).await
    }

    /// Ends the grace for requests without proof, so that the next one begins another. As
    /// [`register_device`](Visit::register_device).
    pub async fn end_skips(&self) -> Result<Option<Record>, Error> {
        self.save_of_device(Some(DeviceChange::EndSkips)).await
    }

    async fn save_of_device(&self, change: Option<DeviceChange>) -> Result<Option<Record>, Error> {
        if let Some(change) = change {
            self.0.state.lock().change_device(change);
        }
        self.commit().await?;
        let state = self.0.state.lock();
        Ok(state.stored().filter(|_| state.is_present()).map(|stored| stored.record.clone()))
    }

    /// Tells that a key was registered.
    pub fn report_registered(&self, record: &Record) {
        debug_assert!(DeviceBinding::of(record).is_some_and(|binding| binding.key().is_some()));
        self.environment().report_registered(record);
    }

    /// Tells that a request of the device was refused.
    pub fn report_device_refused(&self, record: &Record, reason: DeviceRefusal) {
        self.environment().report_device_refused(record, reason);
    }

    /// The present time by the manager's clock.
    pub fn now(&self) -> Time {
        self.environment().now()
    }
}
