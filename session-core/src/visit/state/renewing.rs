use crate::id::SessionId;
use crate::record::{Adopted, Authenticated, FormSecret, Record, RecordKey, Renewal};
use crate::time::Time;

use super::super::renewals::Renewals;

/// A renewal that is to be done: the session's new id, and what the session gets together with it.
///
/// What makes an id worth more, such as an authentication, goes to the store in the same step as the new id. Whoever
/// holds the old one has nothing of it.
pub(crate) struct Renewing {
    pub(crate) id: SessionId,
    pub(crate) gains: Gains,
    /// The new id is offered to the client, and counts when the client presents it.
    pub(super) is_offer: bool,
}

/// What a session gets with a new id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gains {
    pub(crate) authenticated: Option<Authenticated>,
    /// The inner `None` means no absolute deadline.
    pub(crate) absolute_deadline: Option<Option<Time>>,
}

impl Gains {
    pub(super) fn are_none(&self) -> bool {
        self.authenticated.is_none() && self.absolute_deadline.is_none()
    }

    /// Joins these with later ones, which win.
    pub(super) fn followed_by(self, later: Gains) -> Gains {
        Gains {
            authenticated: later.authenticated.or(self.authenticated),
            absolute_deadline: later.absolute_deadline.or(self.absolute_deadline),
        }
    }

    pub(crate) fn apply_to(&self, record: &mut Record) {
        if let Some(authenticated) = &self.authenticated {
            authenticated.write(record);
            // Whoever knew the old id knows the secret, too, and perhaps that of another library.
            FormSecret::forget_in(record);
            Adopted::forget_in(record);
        }
        record.absolute_deadline = self.absolute_deadline.unwrap_or(record.absolute_deadline);
    }
}

impl Renewing {
    /// Completes the record under the new id. `old` was its key before, and `kept` is the secret of its forms.
    pub(super) fn complete(
        &self,
        record: &mut Record,
        old: RecordKey,
        kept: FormSecret,
        renewals: &Renewals,
        now: Time,
    ) {
        // An anonymous session may be one that signs somebody in by its renewal.
        if record.principal.is_some() {
            kept.keep_in(record);
        }
        self.gains.apply_to(record);
        if self.is_offer {
            Renewal::offer(record, old, now);
        } else if renewals.keep_old_ids() || Renewal::is_noted(record) {
            // Also what was noted while the manager kept old ids. Of an authentication, an old id gets nothing.
            let is_plain = self.gains.authenticated.is_none();
            let grace = renewals.grace.filter(|_| is_plain).unwrap_or_default();
            Renewal::replace(record, old, now, grace);
        }
    }
}
