//! R11: sessions that get a new id every so often. Requests that were under way meanwhile, and logouts under an old id.

use std::sync::Arc;
use std::time::Duration;

use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use session_core::{
    Committed, Error, ManualClock, MemoryStore, NewSession, PresentedIds, Session, SessionId, SessionManager, Visit,
};

use super::{answer, assert_unchanged};

const EVERY: Duration = Duration::from_secs(15 * 60);
/// When an offer comes again that nobody has presented.
const AGAIN: Duration = EVERY.saturating_add(Duration::from_secs(60));
const GRACE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

struct World {
    sessions: SessionManager,
    clock: Arc<ManualClock>,
    store: FaultyStore,
}

/// With a store that is waited for, and one that answers at once.
fn worlds() -> [World; 2] {
    [FaultyStore::new(MemoryStore::new()), FaultyStore::at_once(MemoryStore::new())].map(|store| {
        let clock = Arc::new(ManualClock::default());
        let builder = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
        World { sessions: builder.renew_every(EVERY).build().unwrap(), clock, store }
    })
}

impl World {
    async fn sign_in(&self) -> SessionId {
        self.sessions.create(NewSession::new().principal("ann")).await.unwrap().id()
    }

    async fn open(&self, id: &SessionId) -> (Visit, Option<Session>) {
        let visit = self.sessions.visit();
        let session = visit.open(&presented(id)).await.unwrap();
        (visit, session)
    }

    /// One request. The new id if the response has one; the error if there is no session.
    async fn request(&self, id: &SessionId) -> Result<Option<SessionId>, ()> {
        let (visit, session) = self.open(id).await;
        let session = session.ok_or(())?;
        session.set_attr("Last", &self.sessions.now().unix_millis()).unwrap();
        Ok(told(answer(&visit).await.unwrap()))
    }

    async fn read(&self, id: &SessionId, name: &str) -> Option<u64> {
        let (_, session) = self.open(id).await;
        session?.attr(name).unwrap()
    }
}

fn presented(id: &SessionId) -> PresentedIds {
    let mut presented = PresentedIds::default();
    presented.push(id.as_str());
    presented
}

fn told(committed: Committed) -> Option<SessionId> {
    match committed {
        Committed::Issue(issued) => Some(issued.id),
        Committed::Unchanged => None,
        Committed::Forget => panic!("nobody has signed out"),
    }
}

#[tokio::test]
async fn a_new_id_is_offered_once_it_is_due_and_counts_when_it_is_presented() {
    for world in worlds() {
        let old = world.sign_in().await;
        world.clock.advance(EVERY - SECOND);
        assert_eq!(world.request(&old).await, Ok(None));
        world.clock.advance(SECOND);
        let new = world.request(&old).await.unwrap().expect("it is due");
        // Until it is presented, the old one counts, and nothing is offered again at once.
        world.clock.advance(5 * 60 * SECOND);
        assert_eq!(world.request(&old).await, Ok(None));
        assert_eq!(world.request(&new).await, Ok(None));
        assert_eq!(world.request(&old).await, Ok(None), "requests that were sent before go on");
        world.clock.advance(GRACE);
        assert_eq!(world.request(&old).await, Err(()));
        assert_eq!(world.request(&new).await, Ok(None));
        assert_eq!(world.sessions.sessions_of("ann").await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_login_keeps_what_a_session_has_that_was_offered_a_new_id() {
    for world in worlds() {
        let (id, other) = (world.sign_in().await, world.sessions.visit().start(NewSession::new()).unwrap().id());
        world.clock.advance(EVERY);
        assert!(world.request(&id).await.unwrap().is_some());
        let visit = world.sessions.visit();
        let mut both = presented(&other);
        both.push(id.as_str());
        let old = visit.open(&both).await.unwrap().unwrap();
        visit.start(NewSession::new().principal("ann").keep(&old)).unwrap();
        let new = told(answer(&visit).await.unwrap()).unwrap();
        assert!(world.read(&new, "Last").await.is_some());
        assert_eq!(world.read(&id, "Last").await, None);
    }
}

/// A process whose clock is ahead does not take the first offer for an old one.
#[tokio::test]
async fn an_offer_that_nobody_has_presented_is_not_followed_by_another_at_once() {
    for world in worlds() {
        let old = world.sign_in().await;
        world.clock.advance(EVERY);
        world.request(&old).await.unwrap().expect("it is due");
        world.clock.advance(AGAIN - SECOND);
        assert_eq!(world.request(&old).await, Ok(None));
        world.clock.advance(SECOND);
        assert!(world.request(&old).await.unwrap().is_some(), "the response seems to be lost");
    }
}

#[tokio::test]
async fn a_response_that_is_lost_costs_nothing() {
    for world in worlds() {
        let old = world.sign_in().await;
        let mut offers = Vec::new();
        for _ in 0..5 {
            world.clock.advance(AGAIN);
            offers.push(world.request(&old).await.unwrap().expect("it is due"));
        }
        assert_eq!(world.request(&offers[2]).await, Err(()), "only the last two stand");
        assert_eq!(world.request(&offers[4]).await, Ok(None));
        world.clock.advance(GRACE);
        assert_eq!(world.request(&old).await, Err(()));
        assert_eq!(world.request(&offers[3]).await, Err(()));
        assert_eq!(world.request(&offers[4]).await, Ok(None));
    }
}

/// The client holds the new id, whatever becomes of the changes.
#[tokio::test]
async fn an_offer_is_taken_by_a_request_whose_changes_are_dropped() {
    for world in worlds() {
        let old = world.sign_in().await;
        world.clock.advance(EVERY);
        let new = world.request(&old).await.unwrap().expect("it is due");
        let (visit, session) = world.open(&new).await;
        session.unwrap().set_attr("Dropped", &1).unwrap();
        visit.discard_changes();
        assert_unchanged(answer(&visit).await);
        assert_eq!(world.read(&new, "Dropped").await, None);
        world.clock.advance(GRACE);
        assert_eq!(world.request(&old).await, Err(()));
    }
}

#[tokio::test]
async fn responses_out_of_order_cost_nothing() {
    for world in worlds() {
        let old = world.sign_in().await;
        world.clock.advance(EVERY);
        let first = world.request(&old).await.unwrap().expect("it is due");
        world.clock.advance(AGAIN);
        let second = world.request(&old).await.unwrap().expect("it is due");
        // The later response comes first, and the client keeps what the earlier one says.
        assert_eq!(world.request(&first).await, Ok(None));
        assert_eq!(world.request(&second).await, Ok(None), "it goes on for a while");
        world.clock.advance(GRACE);
        assert_eq!(world.request(&second).await, Err(()));
        assert_eq!(world.request(&old).await, Err(()));
        // It goes on from there.
        world.clock.advance(EVERY);
        let third = world.request(&first).await.unwrap().expect("it is due");
        assert_eq!(world.request(&third).await, Ok(None));
        world.clock.advance(GRACE);
        assert_eq!(world.request(&first).await, Err(()));
    }
}

#[tokio::test]
async fn of_several_requests_at_once_one_gets_the_offer_and_nothing_is_lost() {
    for world in worlds() {
        let old = world.sign_in().await;
        world.clock.advance(EVERY);
        let mut visits = Vec::new();
        for number in 0..5 {
            let (visit, session) = world.open(&old).await;
            session.unwrap().set_attr(format!("a{number}").as_str(), &number).unwrap();
            visits.push(visit);
        }
        let mut offers = Vec::new();
        for visit in visits {
            offers.extend(told(answer(&visit).await.unwrap()));
        }
        assert_eq!(offers.len(), 1);
        for number in 0..5 {
            assert_eq!(world.read(&old, &format!("a{number}")).await, Some(number));
            assert_eq!(world.read(&offers[0], &format!("a{number}")).await, Some(number));
        }
    }
}

#[tokio::test]
async fn a_session_by_grace_can_not_be_renewed_nor_end_others() {
    for world in worlds() {
        let old = world.sign_in().await;
        world.clock.advance(EVERY);
        let new = world.request(&old).await.unwrap().expect("it is due");
        assert_eq!(world.request(&new).await, Ok(None));
        let (visit, session) = world.open(&old).await;
        let session = session.expect("it goes on for a while");
        assert!(matches!(session.renew_id(), Err(Error::OldId(_))));
        assert!(matches!(world.sessions.end_others(&session).await, Err(Error::OldId(_))));
        session.set_attr("Late", &1_u64).unwrap();
        assert_unchanged(answer(&visit).await);
        assert_eq!(world.read(&new, "Late").await, Some(1));
    }
}

#[tokio::test]
async fn whoever_is_signed_out_is_so_under_every_id() {
    for world in worlds() {
        for ending in 0..4 {
            let old = world.sign_in().await;
            world.clock.advance(EVERY);
            let offer = world.request(&old).await.unwrap().expect("it is due");
            let (visit, session) = world.open(if ending == 0 { &offer } else { &old }).await;
            match ending {
                0 | 1 => session.unwrap().remove(),
                2 => visit.end(&presented(&old)),
                _ => assert_eq!(world.sessions.end_all_of("ann").await.unwrap(), 1),
            }
            let _ = answer(&visit).await.unwrap();
            assert_eq!(world.request(&old).await, Err(()));
            assert_eq!(world.request(&offer).await, Err(()));
        }
    }
}

#[tokio::test]
async fn a_request_that_only_reads_goes_on_where_the_offer_fails() {
    for world in worlds() {
        let old = world.sign_in().await;
        world.clock.advance(EVERY);
        world.store.faults().fail_next(Operation::Renew, Fault::Refused);
        let (visit, _) = world.open(&old).await;
        assert_unchanged(answer(&visit).await);
        assert!(world.request(&old).await.unwrap().is_some(), "the next request tries again");
    }
}

#[tokio::test]
async fn an_anonymous_session_is_not_renewed_by_itself() {
    for world in worlds() {
        let id = world.sessions.create(NewSession::new()).await.unwrap().id();
        world.clock.advance(EVERY);
        assert_eq!(world.request(&id).await, Ok(None));
    }
}

#[tokio::test]
async fn an_explicit_renewal_leaves_a_grace_where_that_is_asked_for() {
    for grace in [None, Some(GRACE)] {
        let clock = Arc::new(ManualClock::default());
        let builder = SessionManager::builder(MemoryStore::new()).clock(Arc::clone(&clock)).without_background_purge();
        let sessions = match grace {
            None => builder.build(),
            Some(grace) => builder.renewal_grace(grace).build(),
        };
        let sessions = sessions.unwrap();
        let old = sessions.create(NewSession::new().principal("ann")).await.unwrap().id();
        let visit = sessions.visit();
        visit.open(&presented(&old)).await.unwrap().unwrap().renew_id().unwrap();
        let new = told(answer(&visit).await.unwrap()).expect("it was renewed");
        assert_eq!(sessions.get(old.as_str()).await.unwrap().is_some(), grace.is_some());
        clock.advance(GRACE);
        assert!(sessions.get(old.as_str()).await.unwrap().is_none());
        assert!(sessions.get(new.as_str()).await.unwrap().is_some());
    }
}

/// A manager that renews by `renew_id` only.
fn plain() -> (SessionManager, Arc<ManualClock>, FaultyStore) {
    let (clock, store) = (Arc::new(ManualClock::default()), FaultyStore::new(MemoryStore::new()));
    let builder = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
    (builder.build().unwrap(), clock, store)
}

async fn opened(sessions: &SessionManager, id: &SessionId) -> (Visit, Session) {
    let visit = sessions.visit();
    let session = visit.open(&presented(id)).await.unwrap().expect("it is there");
    (visit, session)
}

async fn renewed(sessions: &SessionManager, id: &SessionId) -> SessionId {
    let (visit, session) = opened(sessions, id).await;
    session.renew_id().unwrap();
    told(answer(&visit).await.unwrap()).expect("it was renewed")
}

/// The client never learns the new id. Nobody has it, and the session is not forgotten all the same.
#[tokio::test]
async fn a_session_whose_new_id_was_lost_can_still_be_ended() {
    for by_limit in [false, true] {
        let clock = Arc::new(ManualClock::default());
        let builder = SessionManager::builder(MemoryStore::new()).clock(Arc::clone(&clock)).without_background_purge();
        let builder = if by_limit { builder.max_sessions_per_principal(1) } else { builder };
        let sessions = builder.build().unwrap();
        let old = sessions.create(NewSession::new().principal("ann")).await.unwrap().id();
        let lost = renewed(&sessions, &old).await;
        assert!(sessions.get(old.as_str()).await.unwrap().is_none(), "the visitor is signed out");
        assert!(sessions.get(lost.as_str()).await.unwrap().is_some());
        clock.advance(SECOND);
        if by_limit {
            let next = sessions.create(NewSession::new().principal("ann")).await.unwrap();
            let left: Vec<_> = sessions.sessions_of("ann").await.unwrap().iter().map(|record| record.key).collect();
            assert_eq!(left, [next.handle()]);
        } else {
            assert_eq!(sessions.end_all_of("ann").await.unwrap(), 1);
        }
        assert!(sessions.get(lost.as_str()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn changes_of_a_request_under_way_follow_a_renewal_for_a_minute() {
    for (seconds, arrives) in [(0, true), (59, true), (60, false)] {
        let (sessions, clock, _) = plain();
        let old = sessions.create(NewSession::new().principal("ann")).await.unwrap().id();
        let (visit, session) = opened(&sessions, &old).await;
        session.set_attr("Mine", &1).unwrap();
        let new = renewed(&sessions, &renewed(&sessions, &old).await).await;
        clock.advance(seconds * SECOND);
        assert_unchanged(answer(&visit).await);
        assert!(sessions.get(old.as_str()).await.unwrap().is_none(), "a new request with the old id has none");
        let session = sessions.get(new.as_str()).await.unwrap().expect("it is there");
        assert_eq!(session.attr::<u32>("Mine").unwrap(), arrives.then_some(1));
        assert_eq!(sessions.counters().lost_changes, u64::from(!arrives));
    }
}

#[tokio::test]
async fn an_update_under_way_follows_a_renewal() {
    let (sessions, ..) = plain();
    let old = sessions.create(NewSession::new().principal("ann").attr("Count", &1)).await.unwrap().id();
    let (_visit, session) = opened(&sessions, &old).await;
    let new = renewed(&sessions, &old).await;
    let (_other, elsewhere) = opened(&sessions, &new).await;
    elsewhere.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await.unwrap();
    assert_eq!(session.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await.unwrap(), 3);
}

#[tokio::test]
async fn a_request_whose_session_was_renewed_elsewhere_never_learns_the_new_id() {
    let (sessions, ..) = plain();
    let old = sessions.create(NewSession::new().principal("ann")).await.unwrap().id();
    let (visit, session) = opened(&sessions, &old).await;
    let new = renewed(&sessions, &old).await;
    // It finds out, and then asks for an id of its own.
    session.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await.unwrap();
    session.renew_id().unwrap();
    assert_unchanged(answer(&visit).await);
    assert!(sessions.get(new.as_str()).await.unwrap().is_some());
}

#[tokio::test]
async fn changes_never_follow_a_login() {
    let (sessions, ..) = plain();
    for old in [NewSession::new(), NewSession::new().principal("ann")] {
        let id = sessions.create(old).await.unwrap().id();
        let (visit, session) = opened(&sessions, &id).await;
        session.set_attr("Planted", &1).unwrap();
        let (login, _) = opened(&sessions, &id).await;
        login.start(NewSession::new().principal("ann")).unwrap();
        let new = told(answer(&login).await.unwrap()).expect("somebody has signed in");
        assert_unchanged(answer(&visit).await);
        let session = sessions.get(new.as_str()).await.unwrap().expect("it is there");
        assert_eq!(session.attr::<u32>("Planted").unwrap(), None);
    }
    assert_eq!(sessions.counters().lost_changes, 2);
}

#[tokio::test]
async fn a_logout_under_the_old_id_ends_the_renewed_session() {
    for seconds in [0, 59] {
        let (sessions, clock, _) = plain();
        let old = sessions.create(NewSession::new().principal("ann")).await.unwrap().id();
        let (under_way, session) = opened(&sessions, &old).await;
        let new = renewed(&sessions, &old).await;
        clock.advance(seconds * SECOND);
        if seconds == 0 {
            // One that had loaded the session before.
            session.remove();
            assert!(matches!(answer(&under_way).await.unwrap(), Committed::Forget));
        } else {
            let visit = sessions.visit();
            visit.end(&presented(&old));
            assert!(matches!(answer(&visit).await.unwrap(), Committed::Forget));
        }
        assert!(sessions.get(new.as_str()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn ending_by_an_old_handle_ends_the_renewed_session_and_tells_what_happened() {
    let (sessions, ..) = plain();
    let session = sessions.create(NewSession::new().principal("ann")).await.unwrap();
    let handle = session.handle();
    let new = renewed(&sessions, &session.id()).await;
    assert!(sessions.end(&handle).await.unwrap());
    assert!(sessions.get(new.as_str()).await.unwrap().is_none());
    let ended = sessions.counters().ended;
    assert!(!sessions.end(&handle).await.unwrap());
    assert_eq!(sessions.counters().ended, ended, "nothing has happened");
}

#[tokio::test]
async fn two_renewals_at_once_leave_one_id_and_both_changes() {
    let (sessions, ..) = plain();
    let old = sessions.create(NewSession::new().principal("ann")).await.unwrap().id();
    let (first, one) = opened(&sessions, &old).await;
    let (second, other) = opened(&sessions, &old).await;
    for (session, name) in [(&one, "One"), (&other, "Other")] {
        session.set_attr(name, &1).unwrap();
        session.renew_id().unwrap();
    }
    let new = told(answer(&first).await.unwrap()).expect("it was renewed");
    assert_unchanged(answer(&second).await);
    let session = sessions.get(new.as_str()).await.unwrap().expect("it is there");
    assert_eq!((session.attr("One").unwrap(), session.attr("Other").unwrap()), (Some(1), Some(1)));
}

#[tokio::test]
async fn the_use_of_a_session_counts_from_the_load() {
    let (sessions, clock, store) = plain();
    let new = NewSession::new().principal("ann").idle_timeout(600 * SECOND);
    let id = sessions.create(new).await.unwrap().id();
    clock.advance(599 * SECOND);
    let (visit, session) = opened(&sessions, &id).await;
    while store.faults().calls(Operation::Touch) == 0 {
        tokio::task::yield_now().await;
    }
    // The handler takes longer than the session had left.
    clock.advance(300 * SECOND);
    session.set_attr("Uploaded", &1).unwrap();
    assert_unchanged(answer(&visit).await);
    assert!(sessions.get(id.as_str()).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_long_request_keeps_its_session_for_one_more_idle_timeout() {
    let (sessions, clock, _) = plain();
    let new = NewSession::new().principal("ann").idle_timeout(600 * SECOND);
    let id = sessions.create(new).await.unwrap().id();
    let (visit, session) = opened(&sessions, &id).await;
    let keeping = visit.keep_in_use().expect("a session is open");
    let start = tokio::time::Instant::now();
    // The clock of the world goes with that of the timers.
    let world = async {
        tokio::time::sleep(580 * SECOND).await;
        clock.advance(580 * SECOND);
        std::future::pending::<()>().await;
    };
    tokio::select! { biased; () = world => {}, () = keeping => {} }
    assert_eq!(start.elapsed(), 580 * SECOND, "shortly before the deadline");
    clock.advance(599 * SECOND);
    session.set_attr("Uploaded", &1).unwrap();
    assert_unchanged(answer(&visit).await);
    assert_eq!(sessions.get(id.as_str()).await.unwrap().unwrap().attr("Uploaded").unwrap(), Some(1));
}

#[tokio::test]
async fn no_request_goes_on_past_the_absolute_deadline() {
    let (sessions, ..) = plain();
    let new = NewSession::new().idle_timeout(600 * SECOND).absolute_timeout(600 * SECOND);
    let id = sessions.create(new).await.unwrap().id();
    let (visit, _session) = opened(&sessions, &id).await;
    assert!(visit.keep_in_use().is_none());
}

#[tokio::test]
async fn a_save_with_nothing_collected_tells_that_the_session_has_ended() {
    let (sessions, ..) = plain();
    let session = sessions.create(NewSession::new().principal("ann")).await.unwrap();
    let (visit, stream) = opened(&sessions, &session.id()).await;
    stream.save().await.unwrap();
    assert_unchanged(answer(&visit).await);
    stream.save().await.unwrap();
    sessions.end(&session.handle()).await.unwrap();
    assert!(matches!(stream.save().await, Err(Error::Gone)));
}

/// P10. What a visit did is known once it is stored, and a cookie that is only told again is no new id.
#[tokio::test]
async fn a_visit_knows_whether_it_started_or_renewed_its_session() {
    for world in worlds() {
        let id = world.sign_in().await;
        let did = async |act: &dyn Fn(&Visit, &Session)| {
            let (visit, session) = world.open(&id).await;
            act(&visit, &session.unwrap());
            assert_eq!((visit.has_started(), visit.has_renewed()), (false, false), "nothing is stored yet");
            (visit.commit().await.is_ok(), visit.has_started(), visit.has_renewed())
        };
        assert_eq!(did(&|_, _| {}).await, (true, false, false));
        assert_eq!(did(&|_, session| session.set_persistent(true).unwrap()).await, (true, false, false));
        world.store.faults().fail_next(Operation::Renew, Fault::Refused);
        assert_eq!(did(&|_, session| session.renew_id().unwrap()).await, (false, false, false));
        assert_eq!(did(&|_, session| session.renew_id().unwrap()).await, (true, false, true));

        let id = world.sign_in().await;
        let (visit, _) = world.open(&id).await;
        visit.start(NewSession::new().principal("bob")).unwrap();
        visit.commit().await.unwrap();
        assert_eq!((visit.has_started(), visit.has_renewed()), (true, false));

        let id = world.sign_in().await;
        world.clock.advance(EVERY);
        let (visit, _) = world.open(&id).await;
        visit.commit().await.unwrap();
        assert_eq!((visit.has_started(), visit.has_renewed()), (false, true), "it was due");
    }
}
