use std::time::Duration;

use crate::error::Error;
use crate::record::{Attribute, Attributes, Authenticated, LONGEST_COOKIE, Record, RecordKey};
use crate::store::{Created, Saved};
use crate::time::Time;
use crate::visit::Environment;

use super::notes::{Attempts, create, note};
use super::old_session::hash;

const ENDED_AT: &str = "ended_at";

/// Where it is noted that all sessions of a user were ended.
fn mark_of(environment: &Environment, principal: &str) -> RecordKey {
    hash("adopt ended:", &[environment.rules.audience.as_str(), principal])
}

/// Refuses the old sessions of a user from now on, other than those that say that the user signed in later. For as long as
/// old sessions are taken over; does nothing if none are.
///
/// Call it before ending what is in the store. Whoever takes an old session over looks afterwards.
pub(crate) async fn refuse_old_sessions_of(environment: &Environment, principal: &str) -> Result<(), Error> {
    let (now, store) = (environment.now(), &environment.store);
    let Some(life) = life_of_marks(environment, now).filter(|_| !principal.is_empty()) else { return Ok(()) };
    let key = mark_of(environment, principal);
    let noted = Attributes::of([Attribute::new(ENDED_AT, &now.unix_millis())?].into_iter());
    let mut attempts = Attempts::new();
    loop {
        attempts.next().await?;
        let mut record = note(environment, key, life)?;
        record.attributes = noted.clone();
        // Not anonymous, as a flood of visitors without a user pushes out what has none. No user is called so.
        record.principal = Some(key.to_string().into());
        if create(environment, record).await? == Created::Done {
            return Ok(());
        }
        let Some(before) = store.load(&key, now).await? else {
            // It has expired and was not purged yet.
            store.delete(&key).await?;
            continue;
        };
        let version = before.version.next(environment.next_mark());
        let record = Record { version, attributes: noted.clone(), ..before.clone() };
        if store.save(&record, before.version).await? == Saved::Done {
            return Ok(());
        }
    }
}

/// Whether all sessions of the user were ended after this one, which was just taken over, had begun.
pub(super) async fn is_refused(environment: &Environment, record: &Record) -> Result<bool, Error> {
    let Some(principal) = record.principal.as_deref() else { return Ok(false) };
    let mark = environment.store.load(&mark_of(environment, principal), environment.now()).await?;
    let ended_at = mark.and_then(|mark| mark.attributes.get(ENDED_AT)?.as_i64()).map(Time::from_unix_millis);
    Ok(ended_at.is_some_and(|ended_at| Authenticated::time(record).is_none_or(|at| at <= ended_at)))
}

/// For how long a mark is needed. `None` if no old session is taken over any more.
fn life_of_marks(environment: &Environment, now: Time) -> Option<Duration> {
    match environment.old_sessions.until()? {
        // No browser keeps a cookie for longer.
        Time::MAX => Some(LONGEST_COOKIE),
        until => (now < until).then(|| until.since(now)),
    }
}
