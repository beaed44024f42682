//! Sessions that are bound to a device: who may open them, and what a login leaves of them.

use crate::error::StoreError;
use crate::id::SessionId;
use crate::record::{
    Admission, DeviceBinding, DeviceChange, DeviceCheck, DeviceSecret, Record, RecordKey, admission, is_known_to_device,
};
use crate::store::Created;
use crate::time::Time;

use super::notice::Notice;
use super::operation::Operation;
use super::state::{Intent, State, Stored};

impl State {
    /// Takes what the request shows of its device, before the session is opened.
    pub(in crate::visit) fn show_device(&mut self, check: Box<dyn DeviceCheck>) {
        self.device = Some(check);
    }

    /// Whether this request may open a session that the presented id has led to. A session that is bound is for whoever
    /// proves to have its key.
    #[inline(always)]
    pub(super) fn admits(&mut self, record: &Record, presented: RecordKey, now: Time) -> bool {
        record.extensions.is_empty() || self.admits_to_bound(record, presented, now)
    }

    fn admits_to_bound(&mut self, record: &Record, presented: RecordKey, now: Time) -> bool {
        let key = record.key;
        let principal = || record.principal.clone();
        match admission(record, self.device.as_deref(), now) {
            Admission::Free => {}
            Admission::Proven { begins } => self.note_of_device(begins.map(DeviceChange::Reach)),
            Admission::Skipped { is_first } => {
                self.note_of_device(is_first.then_some(DeviceChange::Skip { at: now }));
                self.notices.push(Notice::DeviceSkipped { key, principal: principal() });
            }
            Admission::Reported => {
                self.notices.push(Notice::DeviceRefused { key, principal: principal(), is_reported: true });
            }
            Admission::Refused => {
                // A driver that has to wait begins anew.
                if !self.unproven().contains(&presented) {
                    self.others_mut().unproven.push(presented);
                    self.notices.push(Notice::DeviceRefused { key, principal: principal(), is_reported: false });
                }
                return false;
            }
        }
        true
    }

    fn note_of_device(&mut self, change: Option<DeviceChange>) {
        // Whoever only looks changes nothing.
        if !self.only_looks {
            self.changes.device = change.map(Box::new);
        }
    }

    /// The device itself asks about the session, which is no use of it.
    pub(super) fn opened_for_device(
        &mut self,
        operation: &mut Operation<'_>,
        id: &SessionId,
        found: &mut Option<Record>,
    ) {
        if let Some(record) = found.take() {
            let has_other_id = record.key != id.key();
            self.stored = Some(Stored { id: id.clone(), record, has_other_id });
            operation.is_done = true;
        }
    }

    /// Changes what the session keeps of its device.
    pub(in crate::visit) fn change_device(&mut self, change: DeviceChange) {
        self.changes.device = Some(Box::new(change));
    }

    /// The sessions that were presented and are bound, without a proof.
    pub(super) fn unproven(&self) -> &[RecordKey] {
        self.others().map_or(&[], |others| &others.unproven)
    }

    /// Whether the request has presented a session that is bound, without a proof.
    pub(in crate::visit) fn is_unproven(&self) -> bool {
        !self.unproven().is_empty()
    }

    /// Whether a login has replaced a session that the request has presented.
    pub(in crate::visit) fn is_replaced(&self) -> bool {
        self.others().is_some_and(|others| others.is_replaced)
    }

    /// Whether the client may come again with a proof of the session that it has presented without one.
    pub(crate) fn waits_for_proof(&self) -> bool {
        self.is_unproven() && self.device.as_ref().is_some_and(|device| device.may_come_again())
    }

    /// A session that begins by itself ends none: neither one that is bound, as its owner may come again with a proof, nor
    /// one that a renewal has just given another id. Where the request has ended its session before, that is still done.
    pub(super) fn leave_others_alone(&mut self) {
        let removes = matches!(self.intent, Intent::Remove);
        if !self.also_presented().is_empty() {
            let others = self.others_mut();
            others.also_presented.retain(|key| removes && !others.unproven.contains(key));
        }
    }

    /// The key of the id that the request has presented, if a device may still ask about its session.
    pub(super) fn key_known_to_device(&self, now: Time) -> Option<RecordKey> {
        let stored = self.stored.as_ref().filter(|stored| is_known_to_device(&stored.record, now))?;
        Some(stored.id.key())
    }

    /// Whether the renewal that is on its way comes with a new authentication.
    pub(super) fn authenticates(&self) -> bool {
        matches!(&self.intent, Intent::Renew(renewing) if renewing.gains.authenticated.is_some())
    }

    /// Lets the session that was just started be bound to a device.
    pub(crate) fn let_bind(&mut self, secret: DeviceSecret, now: Time) {
        if let Some(started) = self.started.as_mut().filter(|started| started.record.principal.is_some()) {
            secret.offer_in(&mut started.record, now);
        }
    }

    /// The stored session, if its client may now bind it to its device.
    pub(in crate::visit) fn offered_binding(&self) -> Option<&Record> {
        let record = &self.stored.as_ref().filter(|_| self.offers_binding)?.record;
        DeviceBinding::of(record)?.key().is_none().then_some(record)
    }

    /// Without the note, a late request of the device ends the browser's side of the next binding. The login succeeds.
    pub(super) fn replaced_was_noted(&mut self, operation: &mut Operation<'_>, noted: Result<Created, StoreError>) {
        operation.replaced = None;
        if noted.is_err() {
            self.notices.push(Notice::StoreFailed);
        }
    }
}
