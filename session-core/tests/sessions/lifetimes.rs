//! Timeouts that fit each other, ids that a client is told again, and requests that only look.

use super::*;

#[track_caller]
fn assert_refused(error: impl std::fmt::Display, says: &[&str]) {
    let message = error.to_string();
    for word in says {
        assert!(message.contains(word), "{message:?} does not say {word:?}");
    }
}

fn builder() -> SessionManagerBuilder {
    SessionManager::builder(MemoryStore::new()).clock(ManualClock::default()).without_background_purge()
}

#[tokio::test]
async fn an_idle_timeout_that_is_longer_than_the_absolute_one_is_refused_with_the_fix() {
    let fix = ["`idle_timeout`", "`absolute_timeout`", "`without_absolute_timeout`"];
    for builder in [builder().idle_timeout(2 * HOUR).absolute_timeout(HOUR), builder().idle_timeout(25 * HOUR)] {
        assert_refused(builder.build().unwrap_err(), &fix);
    }
    let sessions = build(builder().absolute_timeout(8 * HOUR));
    for new in [
        NewSession::new().idle_timeout(9 * HOUR),
        NewSession::new().idle_timeout(2 * HOUR).absolute_timeout(HOUR),
        NewSession::new().idle_timeout(2 * HOUR).absolute_timeout(HOUR).persistent(true),
    ] {
        let error = sessions.create(new).await.unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{error:?}");
        assert_refused(error, &fix);
    }
    let session = created(&sessions, NewSession::new()).await;
    assert_refused(session.set_idle_timeout(8 * HOUR + MILLISECOND).unwrap_err(), &fix[..2]);
    assert_eq!(session.idle_timeout(), 30 * MINUTE);
    session.set_idle_timeout(8 * HOUR).unwrap();
}

#[tokio::test]
async fn timeouts_that_fit_are_accepted() {
    // An absolute timeout that is shorter than the idle timeout that nobody asked for.
    let sessions = build(builder().absolute_timeout(10 * MINUTE));
    created(&sessions, NewSession::new()).await;
    created(&sessions, NewSession::new().absolute_timeout(5 * MINUTE)).await;
    created(&sessions, NewSession::new().idle_timeout(HOUR).absolute_timeout(HOUR)).await;
    let endless = NewSession::new().idle_timeout(1000 * DAY).without_absolute_timeout();
    let session = created(&sessions, endless).await;
    session.set_idle_timeout(2000 * DAY).unwrap();
    build(builder().idle_timeout(24 * HOUR));
    build(builder().idle_timeout(1000 * DAY).without_absolute_timeout());
}

#[tokio::test]
async fn remember_me_that_the_default_would_cut_to_a_day_is_refused_with_the_fix() {
    let fix = ["`absolute_timeout`", "`idle_timeout`", "`without_absolute_timeout`"];
    assert_refused(builder().persistent(true).build().unwrap_err(), &["`persistent`"]);
    assert_refused(builder().persistent(true).idle_timeout(30 * DAY).build().unwrap_err(), &fix);
    let sessions = build(builder());
    for new in [NewSession::new().persistent(true), NewSession::new().persistent(true).idle_timeout(30 * DAY)] {
        assert_refused(sessions.create(new).await.unwrap_err(), &fix);
    }
    let month = || NewSession::new().persistent(true).idle_timeout(30 * DAY);
    created(&sessions, month().absolute_timeout(30 * DAY)).await;
    created(&sessions, month().without_absolute_timeout()).await;
    created(&sessions, NewSession::new().persistent(false)).await;
    // The manager's setting counts as said.
    created(&build(builder().absolute_timeout(24 * HOUR)), NewSession::new().persistent(true)).await;
    created(&build(builder().persistent(true).without_absolute_timeout()), NewSession::new()).await;
}

/// A request that only reads: what the client is told, and for how long it keeps it.
async fn read(sessions: &SessionManager, id: &SessionId) -> Option<Duration> {
    let committed = answer(&request(sessions, id).await).await.unwrap();
    // The touch runs beside the request.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    match committed {
        Committed::Unchanged => None,
        Committed::Issue(issued) if issued.id == *id => issued.keep_for,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_persistent_session_without_end_is_told_its_id_once_a_day_while_it_is_used() {
    for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
        let (sessions, clock) = managed(store.clone());
        let endless = NewSession::new().persistent(true).idle_timeout(300 * DAY).without_absolute_timeout();
        let id = created(&sessions, endless).await.id();
        store.faults().forget_calls();
        let mut told = 0;
        for request in 1..=500 * 4 {
            clock.advance(6 * HOUR);
            let keep_for = read(&sessions, &id).await;
            assert_eq!(keep_for, (request % 4 == 0).then_some(Duration::MAX), "request {request}");
            // Only the first request of the day is told.
            assert_eq!(read(&sessions, &id).await, None);
            told += usize::from(keep_for.is_some());
        }
        assert_eq!(told, 500);
        // As many writes as there are touches, and one look more for each answer that tells the id.
        assert_eq!(store.faults().calls(Operation::Touch), 500 * 4);
        assert_eq!(store.faults().calls(Operation::Load), 2 * 500 * 4 + told);
        assert_eq!(store.faults().all_calls(), 3 * 500 * 4 + told);
    }
}

#[tokio::test]
async fn an_id_is_told_again_after_a_long_absence_and_when_the_handler_saves() {
    let (sessions, clock) = managed(MemoryStore::new());
    let endless = NewSession::new().persistent(true).idle_timeout(1000 * DAY).without_absolute_timeout();
    let id = created(&sessions, endless).await.id();
    clock.advance(399 * DAY);
    assert_eq!(read(&sessions, &id).await, Some(Duration::MAX));
    clock.advance(DAY);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().update_attr("Count", |n: Option<u8>| n.unwrap_or(0) + 1).await.unwrap();
    assert_eq!(issued(answer(&visit).await), id);
    clock.advance(DAY);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().set_attr("Color", "red").unwrap();
    assert_eq!(issued(answer(&visit).await), id);
    assert_eq!(read(&sessions, &id).await, None);
}

#[tokio::test]
async fn an_id_that_a_browser_keeps_to_the_end_is_told_once() {
    let (sessions, clock) = managed(MemoryStore::new());
    let lives = |days: u32| NewSession::new().idle_timeout(30 * DAY).absolute_timeout(days * DAY).persistent(true);
    let short = created(&sessions, lives(400)).await.id();
    let closed = created(&sessions, lives(401).persistent(false)).await.id();
    let long = created(&sessions, lives(401)).await.id();
    for day in 1..400 {
        clock.advance(DAY);
        assert_eq!(read(&sessions, &short).await, None);
        assert_eq!(read(&sessions, &closed).await, None);
        assert_eq!(read(&sessions, &long).await, Some((401 - day) * DAY));
    }
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_is_not_told_again() {
    let (sessions, clock) = managed(MemoryStore::new());
    let endless = NewSession::new().persistent(true).idle_timeout(30 * DAY).without_absolute_timeout();
    let session = created(&sessions, endless).await;
    clock.advance(DAY);
    let visit = request(&sessions, &session.id()).await;
    session.remove();
    session.save().await.unwrap();
    assert_unchanged(answer(&visit).await);
}

#[tokio::test]
async fn an_id_in_an_outdated_form_is_told_again_if_it_has_a_session() {
    for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
        let (sessions, _) = managed(store.clone());
        let id = created(&sessions, NewSession::new()).await.id();
        let unknown = created(&self::sessions(), NewSession::new()).await.id();
        let present = async |texts: &[(&str, bool)]| {
            let mut presented = PresentedIds::default();
            for (text, is_outdated) in texts {
                if *is_outdated { presented.push_outdated(text) } else { presented.push(text) }
            }
            let visit = sessions.visit();
            visit.open(&presented).await.unwrap();
            answer(&visit).await
        };
        store.faults().forget_calls();
        let (id, unknown) = (id.as_str(), unknown.as_str());
        assert_eq!(issued(present(&[(id, true)]).await).as_str(), id);
        assert_eq!(issued(present(&[("junk", true), (unknown, false), (id, true)]).await).as_str(), id);
        assert_unchanged(present(&[(unknown, true), (id, false)]).await);
        assert_unchanged(present(&[(unknown, true)]).await);
        assert_unchanged(present(&[("junk", true)]).await);
        // Nothing is written for it.
        assert_eq!(store.faults().calls(Operation::Load), store.faults().all_calls());
    }
}

#[tokio::test]
async fn a_request_that_only_looks_changes_nothing_and_is_no_use() {
    for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
        let (sessions, clock) = managed(store.clone());
        let id = created(&sessions, NewSession::new().attr("Flash", "saved")).await.id();
        let look = async |act: fn(&Visit)| {
            let visit = sessions.visit();
            visit.look_only();
            let mut presented = PresentedIds::default();
            presented.push(id.as_str());
            visit.open(&presented).await.unwrap();
            act(&visit);
            assert_unchanged(answer(&visit).await);
        };
        store.faults().forget_calls();
        clock.advance(29 * MINUTE);
        look(|_| {}).await;
        look(|visit| {
            assert_eq!(visit.session().unwrap().take_attr::<String>("Flash").unwrap().unwrap(), "saved");
        })
        .await;
        look(|visit| visit.session().unwrap().renew_id().unwrap()).await;
        look(|visit| visit.session().unwrap().remove()).await;
        look(|visit| drop(visit.start(NewSession::new().principal("ann")).unwrap())).await;
        look(|visit| {
            visit.session().unwrap().remove();
            drop(visit.start(NewSession::new()).unwrap());
        })
        .await;
        assert_eq!(store.faults().calls(Operation::Load), store.faults().all_calls());
        clock.advance(MINUTE - MILLISECOND);
        let session = found(&sessions, &id).await.unwrap();
        assert_eq!(session.attr::<String>("Flash").unwrap().unwrap(), "saved");
        // Without a session, too.
        let visit = sessions.visit();
        visit.look_only();
        visit.open(&PresentedIds::default()).await.unwrap();
        visit.start(NewSession::new()).unwrap();
        assert_unchanged(answer(&visit).await);
        assert_eq!(store.inner().len(), 1);
        // The deadline did not move.
        clock.advance(MILLISECOND + 30 * MINUTE);
        assert!(!is_alive(&sessions, &id).await);
    }
}

#[tokio::test]
async fn what_a_request_that_only_looks_saves_by_itself_is_saved() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    visit.look_only();
    let session = visit.session().unwrap();
    session.update_attr("Count", |n: Option<u8>| n.unwrap_or(0) + 1).await.unwrap();
    session.set_attr("Color", "red").unwrap();
    session.save().await.unwrap();
    session.set_attr("Color", "blue").unwrap();
    assert_unchanged(answer(&visit).await);
    let session = found(&sessions, &id).await.unwrap();
    assert_eq!((session.attr("Count").unwrap(), session.attr("Color").unwrap()), (Some(1), Some("red".to_owned())));
}

/// With offers of new ids: an id that another has replaced, or that is about to be replaced, is not told again.
#[tokio::test]
async fn an_id_that_has_a_successor_is_not_told_again() {
    for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
        let clock = Arc::new(ManualClock::default());
        let builder = SessionManager::builder(store).clock(Arc::clone(&clock)).persistent(true).idle_timeout(30 * DAY);
        let sessions = build(builder.without_absolute_timeout().renew_every(DAY));
        let outdated = async |id: &SessionId, looks: bool| {
            let mut presented = PresentedIds::default();
            presented.push_outdated(id.as_str());
            let visit = sessions.visit();
            if looks {
                visit.look_only();
            }
            assert!(visit.open(&presented).await.unwrap().is_some());
            answer(&visit).await
        };
        let old = created(&sessions, NewSession::new().principal("ann")).await.id();
        clock.advance(DAY);
        // Nothing is offered to a request that only looks; the cookie takes its new form.
        assert_eq!(issued(outdated(&old, true).await), old);
        let new = issued(outdated(&old, false).await);
        assert_ne!(new, old);
        assert_unchanged(outdated(&old, false).await);
        // From its first use on, the new one is the session's.
        assert_eq!(issued(outdated(&new, false).await), new);
        assert_unchanged(outdated(&old, false).await);
        assert_eq!(issued(outdated(&new, false).await), new);
    }
}

/// The use of a long request is noted once more before the session expires under it, but not of one that only looks.
#[tokio::test]
async fn a_long_request_that_only_looks_keeps_nothing() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    assert!(visit.keep_in_use().is_some());
    visit.look_only();
    assert!(visit.keep_in_use().is_none());
}
