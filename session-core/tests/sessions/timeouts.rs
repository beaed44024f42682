use session_core::{ManualClock, Time};

use super::*;

fn managed_with(
    settings: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder,
) -> (SessionManager, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (build(settings(SessionManager::builder(MemoryStore::new()).clock(Arc::clone(&clock)))), clock)
}

/// R9, G13.
#[tokio::test]
async fn valid_a_millisecond_before_the_idle_deadline_and_refused_at_it() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, NewSession::new()).await;
    let deadline = session.created().saturating_add(30 * MINUTE);
    assert_eq!(session.expires_at(), deadline);
    clock.set(deadline);
    assert!(!is_alive(&sessions, &session.id()).await);
    clock.set(deadline.saturating_sub(MILLISECOND));
    assert!(is_alive(&sessions, &session.id()).await);
}

/// R10, G13.
#[tokio::test]
async fn valid_a_millisecond_before_the_absolute_deadline_and_refused_at_it() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, NewSession::new()).await;
    let deadline = session.created().saturating_add(24 * HOUR);
    while sessions.now().saturating_add(20 * MINUTE) < deadline {
        clock.advance(20 * MINUTE);
        assert!(is_alive(&sessions, &session.id()).await);
    }
    clock.set(deadline.saturating_sub(MILLISECOND));
    assert_eq!(found(&sessions, &session.id()).await.unwrap().expires_at(), deadline);
    clock.set(deadline);
    assert!(!is_alive(&sessions, &session.id()).await);
}

/// R35.
#[tokio::test]
async fn renewing_does_not_move_the_absolute_deadline() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, NewSession::new().idle_timeout(24 * HOUR)).await;
    let deadline = session.expires_at();
    clock.advance(HOUR);
    session.renew_id().unwrap();
    session.save().await.unwrap();
    assert_eq!(session.expires_at(), deadline);
    clock.set(deadline);
    assert!(!is_alive(&sessions, &session.id()).await);
}

/// R35.
#[tokio::test]
async fn signing_in_again_starts_both_anew() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, NewSession::new().idle_timeout(24 * HOUR)).await;
    clock.advance(23 * HOUR);
    let visit = request(&sessions, &session.id()).await;
    let again = visit.start(NewSession::new().idle_timeout(24 * HOUR).keep(&visit.session().unwrap())).unwrap();
    assert_eq!(again.created(), sessions.now());
    assert_eq!(again.expires_at(), sessions.now().saturating_add(24 * HOUR));
    issued(answer(&visit).await);
}

/// A13, CVE-2024-35220.
#[tokio::test]
async fn loading_again_does_not_move_the_deadline() {
    let (sessions, clock) = managed_with(|builder| builder.absolute_timeout(HOUR).idle_timeout(HOUR));
    let session = created(&sessions, NewSession::new()).await;
    for _ in 0..3 {
        clock.advance(20 * MINUTE - SECOND);
        assert!(is_alive(&sessions, &session.id()).await);
    }
    clock.advance(3 * SECOND);
    assert!(!is_alive(&sessions, &session.id()).await);
}

/// F7.
#[tokio::test]
async fn a_clock_going_backward_neither_expires_nor_extends() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, NewSession::new()).await;
    let start = sessions.now();
    clock.set(start.saturating_sub(10 * HOUR));
    let again = found(&sessions, &session.id()).await.unwrap();
    again.set_attr("Color", "red").unwrap();
    again.save().await.unwrap();
    assert_eq!(again.expires_at(), start.saturating_add(30 * MINUTE));
    clock.set(start.saturating_add(30 * MINUTE));
    assert!(!is_alive(&sessions, &session.id()).await);
}

/// F7.
#[tokio::test]
async fn a_clock_jumping_forward_expires() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, NewSession::new().without_absolute_timeout()).await;
    let visit = request(&sessions, &session.id()).await;
    clock.advance(HOUR);
    visit.session().unwrap().set_attr("Color", "red").unwrap();
    assert_unchanged(answer(&visit).await);
    assert!(!is_alive(&sessions, &session.id()).await);
    assert_gone(session.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await);
}

#[tokio::test]
async fn use_is_written_once_in_a_thirtieth_of_the_idle_timeout_and_once_a_minute_at_least() {
    for (idle_timeout, interval) in [(30 * SECOND, SECOND), (30 * MINUTE, MINUTE), (300 * HOUR, MINUTE)] {
        let (sessions, clock) = managed(MemoryStore::new());
        let session = created(&sessions, NewSession::new().idle_timeout(idle_timeout).without_absolute_timeout()).await;
        let start = session.created();
        clock.advance(interval - MILLISECOND);
        assert_eq!(accessed_as_stored(&sessions, &session).await, start);
        assert_eq!(accessed_as_stored(&sessions, &session).await, start);
        clock.advance(MILLISECOND);
        assert_eq!(accessed_as_stored(&sessions, &session).await, start);
        assert_eq!(accessed_as_stored(&sessions, &session).await, start.saturating_add(interval));
    }
}

/// What the store had when a request came; the request's end may have written another.
async fn accessed_as_stored(sessions: &SessionManager, session: &Session) -> Time {
    let visit = request(sessions, &session.id()).await;
    let accessed = visit.session().unwrap().accessed();
    assert_unchanged(answer(&visit).await);
    accessed
}

/// R9.
#[tokio::test]
async fn a_session_ends_at_most_one_interval_early_and_never_late() {
    let (sessions, clock) = managed_with(|builder| builder.idle_timeout(30 * MINUTE).without_absolute_timeout());
    let session = created(&sessions, NewSession::new()).await;
    // The last use is just too soon after the one before to be written.
    clock.advance(MINUTE - MILLISECOND);
    assert!(is_alive(&sessions, &session.id()).await);
    let last_use = sessions.now();
    clock.set(last_use.saturating_add(29 * MINUTE));
    assert!(is_alive(&sessions, &session.id()).await);
    let last_use = sessions.now();
    clock.set(last_use.saturating_add(30 * MINUTE));
    assert!(!is_alive(&sessions, &session.id()).await);
}

#[tokio::test]
async fn saving_counts_as_use() {
    let (sessions, clock) = managed(MemoryStore::new());
    let session = created(&sessions, NewSession::new()).await;
    clock.advance(29 * MINUTE);
    session.set_attr("Color", "red").unwrap();
    session.save().await.unwrap();
    clock.advance(30 * MINUTE - MILLISECOND);
    assert!(is_alive(&sessions, &session.id()).await);
}

#[tokio::test]
async fn each_session_may_have_its_own_timeouts() {
    let (sessions, clock) = managed(MemoryStore::new());
    let short = created(&sessions, NewSession::new().idle_timeout(MINUTE)).await;
    let ending = created(&sessions, NewSession::new().absolute_timeout(10 * MINUTE)).await;
    let remembered = NewSession::new().idle_timeout(720 * HOUR).absolute_timeout(8760 * HOUR).persistent(true);
    let remembered = created(&sessions, remembered).await;
    let eternal = NewSession::new().idle_timeout(100_000 * HOUR).without_absolute_timeout();
    let eternal = created(&sessions, eternal).await;
    clock.advance(MINUTE);
    assert!(!is_alive(&sessions, &short.id()).await);
    clock.advance(9 * MINUTE);
    assert!(!is_alive(&sessions, &ending.id()).await);
    clock.advance(700 * HOUR);
    assert!(is_alive(&sessions, &remembered.id()).await);
    clock.advance(90_000 * HOUR);
    assert!(!is_alive(&sessions, &remembered.id()).await);
    assert!(is_alive(&sessions, &eternal.id()).await);
}

/// B58.
#[tokio::test]
async fn a_changed_idle_timeout_is_kept() {
    let (sessions, clock) = managed(MemoryStore::new());
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    session.set_idle_timeout(2 * HOUR).unwrap();
    assert_eq!(session.idle_timeout(), 2 * HOUR);
    assert_eq!(session.expires_at(), sessions.now().saturating_add(2 * HOUR));
    answer(&visit).await.unwrap();
    clock.advance(2 * HOUR - MILLISECOND);
    assert_eq!(found(&sessions, &id).await.unwrap().idle_timeout(), 2 * HOUR);
}

#[tokio::test]
async fn a_changed_persistence_is_kept_and_told() {
    let (sessions, clock) = managed(MemoryStore::new());
    let id = created(&sessions, NewSession::new()).await.id();
    clock.advance(20 * MINUTE);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().set_persistent(true).unwrap();
    let keep_for = keep_for(&id, answer(&visit).await);
    assert_eq!(keep_for, Some(24 * HOUR - 20 * MINUTE));

    let visit = request(&sessions, &id).await;
    assert!(visit.session().unwrap().persistent());
    visit.session().unwrap().set_persistent(true).unwrap();
    assert_unchanged(answer(&visit).await);

    let visit = request(&sessions, &id).await;
    visit.session().unwrap().set_persistent(false).unwrap();
    assert_eq!(self::keep_for(&id, answer(&visit).await), None);
}

#[track_caller]
fn keep_for(id: &SessionId, committed: Result<Committed, Error>) -> Option<Duration> {
    match committed {
        Ok(Committed::Issue(issued)) if issued.id == *id => issued.keep_for,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_persistent_session_that_never_ends_is_kept_for_ever() {
    let sessions = sessions();
    let visit = sessions.visit();
    let session = visit.start(NewSession::new().persistent(true).without_absolute_timeout()).unwrap();
    assert_eq!(keep_for(&session.id(), answer(&visit).await), Some(Duration::MAX));
}

#[tokio::test]
async fn a_timeout_of_zero_is_an_error_that_says_what_to_do() {
    let sessions = sessions();
    for new in [NewSession::new().idle_timeout(Duration::ZERO), NewSession::new().absolute_timeout(Duration::ZERO)] {
        let error = sessions.create(new).await.unwrap_err();
        assert!(matches!(&error, Error::Config(_)) && error.to_string().contains("at least"), "{error}");
    }
    let session = created(&sessions, NewSession::new()).await;
    assert!(session.set_idle_timeout(Duration::from_micros(999)).is_err());
    assert_eq!(session.idle_timeout(), 30 * MINUTE);
    assert!(SessionManager::builder(MemoryStore::new()).idle_timeout(Duration::ZERO).build().is_err());
    assert!(SessionManager::builder(MemoryStore::new()).absolute_timeout(Duration::ZERO).build().is_err());
}

/// A21, RUSTSEC-2017-0005 and its like.
#[tokio::test]
async fn no_timeout_is_too_long() {
    let (sessions, clock) = managed(MemoryStore::new());
    let new = NewSession::new().idle_timeout(Duration::MAX).absolute_timeout(Duration::MAX).persistent(true);
    let session = created(&sessions, new).await;
    session.set_idle_timeout(Duration::MAX).unwrap();
    session.save().await.unwrap();
    clock.advance(999 * 365 * 24 * HOUR);
    assert!(is_alive(&sessions, &session.id()).await);
    clock.set(Time::MAX);
    assert!(!is_alive(&sessions, &session.id()).await);
    clock.set(Time::from_unix_millis(i64::MIN));
    assert!(is_alive(&sessions, &session.id()).await);
}

#[tokio::test]
async fn purging_says_the_truth_about_what_is_left() {
    let store = MemoryStore::new();
    let (sessions, clock) = managed(store.clone());
    for _ in 0..1000 {
        created(&sessions, NewSession::new().idle_timeout(MINUTE)).await;
    }
    let living = created(&sessions, NewSession::new()).await;
    clock.advance(MINUTE);
    // One batch, because the time is over at once.
    let first = sessions.purge_expired(Duration::ZERO).await.unwrap();
    assert!(first.more && first.expired > 0 && first.expired < 1000, "{first:?}");
    let rest = sessions.purge_expired(HOUR).await.unwrap();
    assert_eq!((first.expired + rest.expired, rest.more), (1000, false));
    assert_eq!(store.len(), 1);
    assert!(is_alive(&sessions, &living.id()).await);
    assert_eq!(sessions.counters().expired, 1000);
}

#[tokio::test]
async fn expired_sessions_are_purged_in_the_background() {
    let store = MemoryStore::new();
    let clock = Arc::new(ManualClock::default());
    let (noticed, mut notices) = tokio::sync::mpsc::unbounded_channel();
    let builder = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).purge_interval(MILLISECOND);
    let observer = move |event: session_core::Event<'_>| {
        if let session_core::Event::Expired { count, .. } = event {
            let _ = noticed.send(count);
        }
    };
    let sessions = builder.observer(observer).build().unwrap();
    created(&sessions, NewSession::new()).await;
    clock.advance(HOUR);
    assert_eq!(notices.recv().await, Some(1));
    assert!(store.is_empty());
}

/// F17 at a size for every day; the benches have the large one.
#[tokio::test]
async fn all_that_expire_at_once_are_purged_while_a_live_one_stays_readable() {
    const EXPIRING: u64 = 10_000;
    let store = MemoryStore::new();
    let (sessions, clock) = managed(store.clone());
    for _ in 0..EXPIRING {
        created(&sessions, NewSession::new().idle_timeout(MINUTE)).await;
    }
    let live = created(&sessions, NewSession::new().attr("Count", &7)).await.id();
    clock.advance(MINUTE);
    let mut purged = 0;
    loop {
        // One batch each, so that the live one is read in between.
        let batch = sessions.purge_expired(Duration::ZERO).await.unwrap();
        purged += batch.expired;
        let read = found(&sessions, &live).await.expect("it lives half an hour");
        assert_eq!(read.attr("Count").unwrap(), Some(7));
        if !batch.more {
            break;
        }
    }
    assert_eq!((purged, store.len()), (EXPIRING, 1));
    assert_eq!(sessions.counters().expired, EXPIRING);
}
