use crate::error::Error;
use crate::event::Event;
use crate::id::SessionId;
use crate::record::{Adopted, Authenticated, Record, RecordKey, Renewal, Version};
use crate::session::{NewSession, Session};
use crate::store::Renewed;
use crate::time::Time;
use crate::visit::{Environment, LONGEST_OFFER, Visit};

use super::ended_principals::is_refused;
use super::notes::{Attempts, Notes, SERVES_FOR};
use super::old_session::{LoadOld, OLD_STORE, OldSession};

/// The session that an old one has become, and the id that leads to it.
struct Found {
    id: SessionId,
    record: Record,
    /// It was made just now.
    is_new: bool,
}

impl Visit {
    /// Gives the visit the session that an old one has become, or becomes now. `None` if nothing is left of the old one: the
    /// old store does not have it, or it was taken over or ended before. Call it after [`open`](Visit::open) has found
    /// nothing. The commit then tells the client the session's id.
    ///
    /// For an old id that is presented again within 60 s, until the client presents its new id, the answer is the same
    /// session under the same id, and the old store is not asked. Later it is the same session under another id, if the
    /// old store still has the old one.
    ///
    /// The session is in the store when this returns. The future may be dropped at any time: the next call goes on from
    /// there.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the old store or the store failed, [`Error::Conflict`] if others were faster at each of 30
    /// attempts, and those of [`start`](Visit::start).
    pub async fn adopt(&self, old: &OldSession, load: &LoadOld<'_>) -> Result<Option<Session>, Error> {
        if self.is_unproven() {
            // The client may come again with a proof of the device to which its session is bound.
            return Ok(None);
        }
        let adopting = Adopting { notes: Notes { environment: self.environment(), old }, load };
        let Some(Found { id, record, is_new }) = adopting.find().await? else { return Ok(None) };
        if is_new {
            let (handle, principal) = (&record.key, record.principal.as_deref());
            self.environment().events.emit(Event::Adopted { handle, principal });
        }
        self.take_over(&id, record, is_new).await?;
        Ok(self.session())
    }

    /// Whether the session, which was found by its id, was taken over within the last 60 s. Call
    /// [`note_new_id_is_known`](Visit::note_new_id_is_known) then.
    pub fn is_new_id_to_be_noted(&self) -> bool {
        self.secret_of_new_id().is_some()
    }

    /// The client has presented the id of its session, so the old id leads there no longer, unless the old store still has
    /// it.
    pub async fn note_new_id_is_known(&self) -> Result<(), Error> {
        if let Some(secret_at) = self.secret_of_new_id() {
            self.environment().store.delete(&secret_at).await?;
        }
        Ok(())
    }

    fn secret_of_new_id(&self) -> Option<RecordKey> {
        let Adopted { secret_at, at, .. } = self.0.state.lock().stored_record().and_then(Adopted::of)?;
        let serves_until = Time::from_unix_millis(at).saturating_add(SERVES_FOR);
        (self.environment().now() < serves_until).then_some(secret_at)
    }
}

struct Adopting<'a> {
    notes: Notes<'a>,
    load: &'a LoadOld<'a>,
}

impl Adopting<'_> {
    fn environment(&self) -> &Environment {
        self.notes.environment
    }

    async fn find(&self) -> Result<Option<Found>, Error> {
        let (mut attempts, mut was_loaded) = (Attempts::new(), false);
        loop {
            let attempt = attempts.next().await?;
            if self.notes.is_over().await? {
                let followed = self.environment().store.follow(&self.notes.old.place(), self.environment().now()).await;
                let followed = self.environment().up_to_date(followed)??;
                let Some(record) = followed.filter(|record| self.is_of_this(record)) else { return Ok(None) };
                match self.again(record).await? {
                    Attempt::Found(found) => return Ok(Some(*found)),
                    Attempt::Refused => return Ok(None),
                    Attempt::Overtaken => continue,
                }
            }
            if was_loaded {
                // Nobody has taken it over, and the old store does not have it.
                return Ok(None);
            }
            match self.loaded().await? {
                // Another request may have taken it over, and ended it in the old store, since the look before.
                None => was_loaded = true,
                Some(new) => match self.take(new, attempt).await? {
                    Attempt::Found(found) => return Ok(Some(*found)),
                    Attempt::Refused => return Ok(None),
                    Attempt::Overtaken => {}
                },
            }
        }
    }

    /// What the old store has, unless its time is over.
    async fn loaded(&self) -> Result<Option<NewSession>, Error> {
        let environment = self.environment();
        let loaded = environment.store.elsewhere(OLD_STORE, self.load).await?;
        Ok(loaded.filter(|new| !new.is_over(environment.now())))
    }

    /// Whether this is the session that the old one has become, and not one that somebody has signed in to since.
    fn is_of_this(&self, record: &Record) -> bool {
        // What is bound to a device needs a proof of it, which no old id is.
        let is_ours = !record.is_beyond_us() && !record.is_device_bound();
        let is_ours = is_ours && record.audience == self.environment().rules.audience;
        is_ours && Adopted::of(record).is_some_and(|adopted| adopted.place == self.notes.old.place())
    }

    fn new_id(&self, secret: &[u8]) -> SessionId {
        self.notes.old.new_id(secret, self.environment().id_bytes)
    }

    /// The old id is presented again.
    async fn again(&self, record: Record) -> Result<Attempt, Error> {
        let Some(adopted) = Adopted::of(&record) else { return Ok(Attempt::Refused) };
        if let Some(secret) = self.notes.find_secret(&adopted.secret_at).await? {
            let id = self.new_id(&secret);
            if id.key() == record.key {
                return Ok(Attempt::Found(Box::new(Found { id, record, is_new: false })));
            }
        }
        if self.loaded().await?.is_none() {
            return Ok(Attempt::Refused);
        }
        // The old session still opens the session, but which id leads there nobody knows who does not hold it.
        let (secret_at, secret) = self.notes.new_secret().await?;
        let id = self.new_id(&secret);
        let (environment, now) = (self.environment(), self.environment().now());
        let mut renewed = Record { key: id.key(), version: record.version.next(environment.next_mark()), ..record };
        renewed.accessed = renewed.accessed.max(now);
        if environment.rules.renewals.keep_old_ids() || Renewal::is_noted(&renewed) {
            Renewal::replace(&mut renewed, record.key, now, std::time::Duration::ZERO);
        }
        Adopted { secret_at, at: now.unix_millis(), ..adopted }.write(&mut renewed);
        let until = Some(end_of(&renewed, now));
        match environment.store.renew(&record.key, record.version, &renewed, until).await? {
            Renewed::Done => {
                let (from, to, principal) = (&record.key, &renewed.key, renewed.principal.as_deref());
                environment.events.emit(Event::Renewed { from, to, principal, started: false });
                Ok(Attempt::Found(Box::new(Found { id, record: renewed, is_new: false })))
            }
            Renewed::Conflict | Renewed::Missing | Renewed::Exists => Ok(Attempt::Overtaken),
        }
    }

    /// The old session becomes one of ours.
    async fn take(&self, new: NewSession, attempt: u32) -> Result<Attempt, Error> {
        let (environment, old) = (self.environment(), self.notes.old);
        let mut record = new.started(environment)?.record;
        let Some(reserved) = self.notes.reserve(attempt).await? else { return Ok(Attempt::Overtaken) };
        let (secret_at, secret) = self.notes.new_secret().await?;
        let id = self.new_id(&secret);
        record.key = id.key();
        record.version = Version::first(environment.next_mark());
        Adopted { place: old.place(), secret_at, at: record.created.unix_millis() }.write(&mut record);
        Authenticated::was_elsewhere(&mut record);
        let until = Some(end_of(&record, record.created));
        if environment.store.renew(&old.place(), reserved, &record, until).await? != Renewed::Done {
            return Ok(Attempt::Overtaken);
        }
        // Afterwards: whoever ends all sessions of a user first leaves a mark, then ends what is there.
        if is_refused(environment, &record).await? {
            environment.store.end(&record.key).await?;
            return Ok(Attempt::Refused);
        }
        Ok(Attempt::Found(Box::new(Found { id, record, is_new: true })))
    }
}

/// What came of one attempt.
enum Attempt {
    Found(Box<Found>),
    /// The old store does not have it any more, or all sessions of its user were ended.
    Refused,
    /// Another request was faster.
    Overtaken,
}

/// Until when the old id leads to the session, or says that it is over.
pub(super) fn end_of(record: &Record, now: Time) -> Time {
    record.absolute_deadline.unwrap_or(now.saturating_add(LONGEST_OFFER))
}
