//! A machine whose clock is wrong by most of an hour, and a server whose clock is right.

use std::sync::Arc;
use std::time::Duration;

use session_core::{FastStore, ManualClock, NewSession, SessionManager, Store, Time};

use crate::records::{MINUTE, fresh_key, fresh_record, now, with};

const WRONG_BY: Duration = Duration::from_secs(50 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// S39: sessions live as long as they would with the right clock, whatever the server thinks of the time.
pub async fn a_wrong_clock_ends_no_session_early(store: &(impl Store + Clone)) {
    for idle_timeout in [30 * MINUTE, MONTH, 2 * MONTH] {
        for time in [now().saturating_sub(WRONG_BY), now().saturating_add(WRONG_BY)] {
            lives_until_it_is_idle(store, idle_timeout, time).await;
        }
    }
}

/// S39: copies and tombstones last as long as they would with the right clock.
pub async fn a_wrong_clock_loses_no_copy_and_no_tombstone(store: &impl FastStore) {
    for time in [now().saturating_sub(WRONG_BY), now().saturating_add(WRONG_BY)] {
        let until = time.saturating_add(5 * MINUTE);
        let record = with(fresh_record(), |record| (record.created, record.accessed) = (time, time));
        store.fill(&record, time, until).await.unwrap();
        assert_eq!(store.load(&record.key, time).await.unwrap().as_ref(), Some(&record));
        store.bury(&record.key, time, until).await.unwrap();
        store.fill(&record, time, until).await.unwrap();
        assert_eq!(store.load(&record.key, time).await.unwrap(), None, "the copy of a session that was ended is back");
    }
}

/// Two thirds of the timeout pass between uses, so that each of them has to lengthen it.
async fn lives_until_it_is_idle(store: &(impl Store + Clone), idle_timeout: Duration, time: Time) {
    let clock = Arc::new(ManualClock::at(time));
    let sessions = manager(store, idle_timeout, Arc::clone(&clock));
    let (ann, pause) = (format!("ann of {}", fresh_key()), idle_timeout * 2 / 3);
    let session = sessions.create(NewSession::new().principal(&ann)).await.unwrap();
    let id = session.id();
    clock.advance(pause);
    let session = sessions.get(id.as_str()).await.unwrap().expect("it was used lately");
    session.set_attr("Count", &1).unwrap();
    session.save().await.unwrap();
    clock.advance(pause);
    let session = sessions.get(id.as_str()).await.unwrap().expect("it was changed lately");
    session.renew_id().unwrap();
    session.save().await.unwrap();
    let id = session.id();
    clock.advance(pause);
    assert!(sessions.get(id.as_str()).await.unwrap().is_some(), "it was renewed lately");
    clock.advance(idle_timeout + MINUTE);
    assert!(sessions.get(id.as_str()).await.unwrap().is_none(), "it was idle for too long");

    let id = sessions.create(NewSession::new().principal(&ann)).await.unwrap().id();
    if store.capabilities().principals {
        assert_eq!(sessions.end_all_of(&ann).await.unwrap(), 1);
    } else {
        assert!(sessions.end(&id.key()).await.unwrap());
    }
    assert!(sessions.get(id.as_str()).await.unwrap().is_none(), "it was ended");
}

fn manager(store: &(impl Store + Clone), idle_timeout: Duration, clock: Arc<ManualClock>) -> SessionManager {
    let settings = SessionManager::builder(store.clone()).idle_timeout(idle_timeout).without_absolute_timeout();
    settings.clock(clock).without_background_purge().build().expect("these settings work")
}
