use std::io;
use std::sync::Once;

use parking_lot::Mutex;
use session_core::{Counters, Event};
use tracing::Level;
use tracing::subscriber::DefaultGuard;

use super::*;

/// What is logged on this thread, from most to least.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn capture() -> (Log, DefaultGuard) {
        // Other tests log at the same moment, and nobody looks. Without a listener for all of them, tracing remembers for the
        // whole process that nobody wants to see a line.
        static LISTENS: Once = Once::new();
        LISTENS.call_once(|| {
            let everything = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(io::sink);
            let _ = tracing::subscriber::set_global_default(everything.finish());
        });
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(super) fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.0.lock()).lines().map(str::to_owned).collect()
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn observed(observer: impl session_core::Observer) -> (SessionManager, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (build(SessionManager::builder(MemoryStore::new()).clock(Arc::clone(&clock)).observer(observer)), clock)
}

/// A life with one event of each kind.
async fn live_a_life(sessions: &SessionManager, clock: &ManualClock) -> Vec<SessionId> {
    let session = created(sessions, NewSession::new().principal("ann")).await;
    let first = session.id();
    session.renew_id().unwrap();
    session.save().await.unwrap();
    let second = session.id();
    session.remove();
    session.save().await.unwrap();
    assert!(!is_alive(sessions, &first).await);
    assert!(sessions.get("malformed").await.unwrap().is_none());
    let third = created(sessions, NewSession::new().principal("ann")).await.id();
    sessions.end_all_of("ann").await.unwrap();
    let fourth = created(sessions, NewSession::new()).await.id();
    clock.advance(HOUR);
    sessions.purge_expired(HOUR).await.unwrap();
    vec![first, second, third, fourth]
}

fn kind(event: Event<'_>) -> &'static str {
    match event {
        Event::Created { .. } => "created",
        Event::Renewed { .. } => "renewed",
        Event::Ended { .. } => "ended",
        Event::EndedAll { .. } => "ended all",
        Event::Expired { .. } => "expired",
        Event::Evicted { .. } => "evicted",
        Event::RejectedId => "rejected",
        _ => "unknown",
    }
}

/// R37, R38.
#[tokio::test]
async fn observers_are_told_of_every_event() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let (sessions, clock) = observed(move |event: Event<'_>| telling.lock().push(kind(event)));
    live_a_life(&sessions, &clock).await;
    let expected =
        ["created", "renewed", "ended", "rejected", "rejected", "created", "ended all", "created", "expired"];
    assert_eq!(*told.lock(), expected);
}

/// R37: an audit tells a login over a session from a new id.
#[tokio::test]
async fn an_observer_tells_a_login_over_a_session_from_a_new_id() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let (sessions, _) = observed(move |event: Event<'_>| {
        if let Event::Renewed { principal, started, .. } = event {
            telling.lock().push((principal.map(str::to_owned), started));
        }
    });
    let session = created(&sessions, NewSession::new()).await;
    session.renew_id().unwrap();
    session.save().await.unwrap();
    let mut presented = PresentedIds::default();
    presented.push(session.id().as_str());
    let visit = sessions.visit();
    visit.open(&presented).await.unwrap();
    visit.start(NewSession::new().principal("ann")).unwrap();
    visit.commit().await.unwrap();
    assert_eq!(*told.lock(), [(None, false), (Some("ann".to_owned()), true)]);
}

/// R37.
#[tokio::test]
async fn counters_say_how_often_things_happened() {
    let (sessions, clock) = managed(MemoryStore::new());
    live_a_life(&sessions, &clock).await;
    let Counters { created, renewed, ended, expired, evicted, rejected_ids, conflicts, store_errors, .. } =
        sessions.counters();
    assert_eq!((created, renewed, ended, expired, evicted), (3, 1, 2, 1, 0));
    assert_eq!((rejected_ids, conflicts, store_errors), (2, 0, 0));
}

#[tokio::test]
async fn junk_beside_a_valid_id_is_not_counted_and_no_id_at_all_neither() {
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let mut presented = PresentedIds::default();
    presented.push("junk");
    presented.push(id.as_str());
    sessions.visit().open(&presented).await.unwrap();
    sessions.visit().open(&PresentedIds::default()).await.unwrap();
    assert_eq!(sessions.counters().rejected_ids, 0);
}

/// A7, CVE-2021-34428.
#[tokio::test]
async fn an_observer_that_panics_changes_nothing() {
    let (log, _guard) = Log::capture();
    let (sessions, clock) = observed(|_: Event<'_>| panic!("the observer fails"));
    for id in live_a_life(&sessions, &clock).await {
        assert!(!is_alive(&sessions, &id).await);
    }
    assert!(log.warnings().iter().any(|line| line.contains("observer")));
}

/// R25.
#[tokio::test]
async fn no_id_is_in_any_log_or_debug_output() {
    let (log, _guard) = Log::capture();
    let (sessions, clock) = managed(MemoryStore::new());
    let ids = live_a_life(&sessions, &clock).await;
    let session = created(&sessions, NewSession::new()).await;
    let visit = request(&sessions, &session.id()).await;
    session.set_attr("Color", "red").unwrap();
    let mut printed = log.lines().join("\n");
    printed += &format!("{session:?} {visit:?} {sessions:?} {:?} {:?}", session.id(), session.handle());
    session.renew_id().unwrap();
    printed += &format!("{session:?} {:?}", sessions.list(10).await.unwrap());
    drop(session);
    printed += &log.lines().join("\n");
    assert!(printed.contains("session created"), "something was logged");
    for id in ids.iter().chain([&visit.session().unwrap().id()]) {
        assert!(!printed.contains(id.as_str()));
        // Nor enough of the handle to end a session by it.
        assert!(!printed.contains(&id.key().to_string()[..12]));
    }
}

#[tokio::test]
async fn a_handle_dropped_with_unsaved_changes_leaves_one_warning() {
    let (log, _guard) = Log::capture();
    let sessions = sessions();
    let id = created(&sessions, NewSession::new()).await.id();
    let visit = request(&sessions, &id).await;
    let session = visit.session().unwrap();
    assert_unchanged(answer(&visit).await);
    drop(visit);
    session.set_attr("Color", "red").unwrap();
    let clone = session.clone();
    drop(session);
    assert!(log.warnings().is_empty());
    drop(clone);
    assert_eq!(log.warnings().len(), 1, "{:?}", log.warnings());
    assert!(log.warnings()[0].contains("save()"));
}

#[tokio::test]
async fn a_handle_dropped_with_an_unsaved_removal_leaves_one_warning() {
    let (log, _guard) = Log::capture();
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    session.remove();
    drop(session);
    assert_eq!(log.warnings().len(), 1, "{:?}", log.warnings());
}

#[tokio::test(start_paused = true)]
async fn use_that_can_not_be_noted_leaves_one_warning() {
    let (log, _guard) = Log::capture();
    let store = faulty();
    let (sessions, clock) = managed(store.clone());
    let id = created(&sessions, NewSession::new()).await.id();
    clock.advance(2 * MINUTE);
    store.faults().fail_next(Operation::Touch, Fault::Refused);
    assert_unchanged(answer(&request(&sessions, &id).await).await);
    // It is noted beside the request.
    tokio::time::sleep(MINUTE).await;
    assert_eq!(log.warnings().len(), 1, "{:?}", log.warnings());
    for says in ["could not be stored", "faulty: refused the operation", "disk full"] {
        assert!(log.warnings()[0].contains(says), "{:?}", log.warnings());
    }
    assert_eq!(sessions.counters().store_errors, 1);
}

#[tokio::test]
async fn nothing_is_warned_of_where_nothing_is_lost() {
    let (log, _guard) = Log::capture();
    let sessions = sessions();
    let session = created(&sessions, NewSession::new()).await;
    session.set_attr("Color", "red").unwrap();
    session.save().await.unwrap();
    drop(session.clone());
    session.set_attr("Color", "blue").unwrap();
    session.discard();
    let id = session.id();
    drop(session);
    // A cancelled or panicked handler.
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().set_attr("Color", "blue").unwrap();
    drop(visit);
    let visit = request(&sessions, &id).await;
    visit.session().unwrap().remove();
    answer(&visit).await.unwrap();
    drop(visit);
    assert_eq!(log.warnings(), Vec::<String>::new());
}

/// T24.
#[tokio::test]
async fn an_ended_session_is_told_with_its_principal_where_that_is_known() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let (clock, store) = (Arc::new(ManualClock::default()), MemoryStore::new());
    let builder = SessionManager::builder(store).clock(Arc::clone(&clock)).max_sessions_per_principal(1);
    let sessions = build(builder.observer(move |event: Event<'_>| {
        if let Event::Ended { handle, principal, .. } = event {
            telling.lock().push((*handle, principal.map(str::to_owned)));
        }
    }));
    let signed_in = async |principal: &str| created(&sessions, NewSession::new().principal(principal)).await;
    let ann = Some("ann".to_owned());

    // A logout.
    let session = signed_in("ann").await;
    let visit = request(&sessions, &session.id()).await;
    visit.session().unwrap().remove();
    answer(&visit).await.unwrap();
    assert_eq!(told.lock().split_off(0), [(session.handle(), ann.clone())]);

    // By a handle that it had, and for its user.
    for by_anybody in [true, false] {
        let session = signed_in("ann").await;
        let handle = session.handle();
        session.renew_id().unwrap();
        session.save().await.unwrap();
        let ended = if by_anybody { sessions.end(&handle).await } else { sessions.end_one_of("ann", &handle).await };
        assert!(ended.unwrap());
        assert_eq!(told.lock().split_off(0), [(session.handle(), ann.clone())]);
    }

    // By the limit.
    let first = signed_in("ann").await;
    clock.advance(SECOND);
    signed_in("ann").await;
    assert_eq!(told.lock().split_off(0), [(first.handle(), ann)]);

    // Anonymous, and not loaded.
    let session = created(&sessions, NewSession::new()).await;
    assert!(sessions.end(&session.handle()).await.unwrap());
    assert_eq!(told.lock().split_off(0), [(session.handle(), None)]);
    let session = signed_in("bob").await;
    let mut presented = PresentedIds::default();
    presented.push(session.id().as_str());
    let visit = sessions.visit();
    visit.end(&presented);
    answer(&visit).await.unwrap();
    assert_eq!(told.lock().split_off(0), [(session.handle(), None)]);
}

/// Only observers ask whose it was, so the store is asked no more than before without one.
#[tokio::test]
async fn a_store_that_cannot_tell_whose_session_it_is_ends_it_all_the_same() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let store = faulty();
    let sessions = build(SessionManager::builder(store.clone()).attempts(1).observer(move |event: Event<'_>| {
        if let Event::Ended { principal, .. } = event {
            telling.lock().push(principal.map(str::to_owned));
        }
    }));
    let session = created(&sessions, NewSession::new().principal("ann")).await;
    store.faults().fail_next(Operation::Load, Fault::Refused);
    assert!(sessions.end(&session.handle()).await.unwrap());
    assert_eq!(*told.lock(), [None]);
    let (unobserved, _) = managed(store.clone());
    let session = created(&unobserved, NewSession::new().principal("ann")).await;
    store.faults().fail_every(&[Operation::Load], Fault::Refused);
    assert!(unobserved.end(&session.handle()).await.unwrap());
    // Whose it is must be known to whoever ends it for a user.
    let error = unobserved.end_one_of("ann", &session.handle()).await.unwrap_err();
    assert!(error.is_store_failure());
}
