use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, RandomError, StoreError};
use crate::record::{Attribute, Attributes, Audience, Record, RecordKey, Version};
use crate::store::{Backoff, Created};
use crate::time::background;
use crate::visit::Environment;

use super::old_session::OldSession;

/// How long an old id leads to the session that was made of it although the old store no longer has it, unless the client
/// presents its new id earlier.
pub(super) const SERVES_FOR: Duration = Duration::from_secs(60);

/// How often a request tries again because others take the same old session over or end it. Each attempt means that another
/// request has got one step further, and there are few steps.
const ATTEMPTS: u32 = 30;

/// Pauses between these attempts. A store on several keys lets nobody get on where all try at once.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(200));

/// How often a request waits for the one that has reserved the place, before it goes on in its stead: it may have been
/// cancelled.
const PATIENCE: u32 = 4;

const SECRET_BYTES: usize = 32;
const SECRET: &str = "secret";

/// What the store has of an old session beside the session that was made of it.
pub(super) struct Notes<'a> {
    pub(super) environment: &'a Environment,
    pub(super) old: &'a OldSession,
}

impl Notes<'_> {
    /// Whether the old session was taken over, or was ended, within the life of what it became.
    pub(super) async fn is_over(&self) -> Result<bool, Error> {
        let Environment { store, .. } = self.environment;
        Ok(store.moved(&self.old.place(), self.environment.now()).await?.is_some())
    }

    /// The secret at this place, if its time is not over.
    pub(super) async fn find_secret(&self, at: &RecordKey) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.environment.store.load(at, self.environment.now()).await?;
        let text = found.as_ref().and_then(|record| record.attributes.get(SECRET)?.as_str());
        Ok(text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()))
    }

    /// Makes a secret, and puts it where nobody else puts one. So requests that take the same old session over make
    /// different ids, as whoever renews a session does, and the one that succeeds says where its secret is.
    pub(super) async fn new_secret(&self) -> Result<(RecordKey, Vec<u8>), Error> {
        let (mut at, mut secret) = ([0; 32], vec![0; SECRET_BYTES]);
        self.environment.random.fill(&mut at)?;
        self.environment.random.fill(&mut secret)?;
        let at = RecordKey::from_bytes(at);
        let mut record = note(self.environment, at, SERVES_FOR)?;
        let text = Attribute::new(SECRET, &URL_SAFE_NO_PAD.encode(&secret))?;
        record.attributes = Attributes::of([text].into_iter());
        match create(self.environment, record).await? {
            Created::Done => Ok((at, secret)),
            Created::Exists => Err(RandomError::new("a key of 32 random bytes is taken").into()),
        }
    }

    /// Reserves the place. Returns the version of the record that may be renewed there, perhaps by several requests, one of
    /// which succeeds. `None` if the old session is over, or another request has just reserved the place.
    pub(super) async fn reserve(&self, attempt: u32) -> Result<Option<Version>, Error> {
        let (store, place) = (&self.environment.store, self.old.place());
        for _ in 0..ATTEMPTS {
            let record = note(self.environment, place, SERVES_FOR)?;
            let own = record.version;
            let version = match create(self.environment, record).await? {
                Created::Done => Some(own),
                Created::Exists => store.load(&place, self.environment.now()).await?.map(|record| record.version),
            };
            // Only now: a store may take a record at a place that has a moved note. Where there is none now, this
            // reservation is not later than the session.
            let is_over = self.is_over().await?;
            if version.is_some() && !is_over {
                return Ok(version.filter(|version| *version == own || attempt >= PATIENCE));
            }
            // It is not to be renewed, or has expired and was not purged yet.
            store.delete(&place).await?;
            if is_over {
                return Ok(None);
            }
        }
        Err(busy())
    }
}

/// A record that is no session. Its version is random, so that it is never taken for another one of the same place.
pub(super) fn note(environment: &Environment, key: RecordKey, life: Duration) -> Result<Record, RandomError> {
    let (now, mut mark) = (environment.now(), [0; 4]);
    environment.random.fill(&mut mark)?;
    let mut record = Record::new(key, Version::first(u32::from_ne_bytes(mark)), now, life);
    record.absolute_deadline = Some(now.saturating_add(life));
    record.audience = Audience::of_notes();
    record.format = environment.rules.record_format;
    Ok(record)
}

pub(super) async fn create(environment: &Environment, record: Record) -> Result<Created, StoreError> {
    // If it is unknown whether the first attempt arrived, the caller fails: the next request finds the note or not.
    environment.store.create(record, || None).await
}

fn busy() -> Error {
    Error::Conflict { attempts: ATTEMPTS }
}

/// The attempts of a request, with a pause before each but the first two: whoever was overtaken looks again at once.
pub(super) struct Attempts {
    next: u32,
    pauses: Box<dyn Iterator<Item = Duration> + Send>,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Attempts { next: 0, pauses: Box::new(BACKOFF.pauses()) }
    }

    /// The number of the next attempt, from 0 on. Fails after the last.
    pub(super) async fn next(&mut self) -> Result<u32, Error> {
        let attempt = self.next;
        self.next += 1;
        if attempt >= ATTEMPTS {
            return Err(busy());
        }
        if attempt >= 2
            && let Some(pause) = self.pauses.next()
        {
            background::pause(pause).await;
        }
        Ok(attempt)
    }
}
