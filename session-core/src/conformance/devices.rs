use std::sync::Arc;

use crate::id::{PresentedIds, SessionId};
use crate::manager::SessionManager;
use crate::record::{DeviceBinding, DeviceCheck};
use crate::session::NewSession;
use crate::store::Store;
use crate::time::{ManualClock, Time};
use crate::visit::{Committed, DeviceSession, Environment, Host, Visit};

use super::support::{MINUTE, now};

const KEY: &str = "the key of a device";

/// One of several processes that bind sessions to devices, and share the store.
struct Process(SessionManager);

impl Host for Process {
    fn environment(&self) -> &Environment {
        self.0.environment()
    }
    fn binds_devices(&self) -> bool {
        true
    }
}

/// What the owner's requests show.
struct Proof;

impl DeviceCheck for Proof {
    fn is_passed(&self, binding: &DeviceBinding<'_>, _: Time) -> bool {
        binding.key() == Some(KEY)
    }
}

fn process(store: &(impl Store + Clone), clock: &Arc<ManualClock>) -> SessionManager {
    let builder = SessionManager::builder(store.clone()).clock(Arc::clone(clock)).without_background_purge();
    builder.build().expect("these settings work")
}

fn presented(id: &SessionId) -> PresentedIds {
    let mut presented = PresentedIds::default();
    presented.push(id.as_str());
    presented
}

async fn open(process: &SessionManager, id: &SessionId) -> Visit {
    let visit = Visit::of_host(Arc::new(Process(process.clone())));
    visit.show_device(Box::new(Proof));
    visit.open(&presented(id)).await.expect("the store works");
    visit
}

async fn find(process: &SessionManager, id: &SessionId) -> (Visit, DeviceSession) {
    let visit = Visit::of_host(Arc::new(Process(process.clone())));
    let found = visit.find_for_device(&presented(id)).await.expect("the store works");
    (visit, found)
}

async fn answered(visit: &Visit) -> Option<SessionId> {
    match visit.commit().await.expect("the store works") {
        Committed::Issue(issued) => Some(issued.id),
        Committed::Unchanged | Committed::Forget => None,
    }
}

async fn login_at(process: &SessionManager) -> SessionId {
    let visit = Visit::of_host(Arc::new(Process(process.clone())));
    visit.start(NewSession::new().principal("ann")).expect("these values work");
    answered(&visit).await.expect("a login tells its id")
}

/// What one process has learned of a device, another one demands at once: for that session, under each id that it gets.
pub async fn bound_session_needs_its_device_in_every_process(store: &(impl Store + Clone)) {
    let clock = Arc::new(ManualClock::at(now()));
    let [one, other] = [(); 2].map(|()| process(store, &clock));
    let id = login_at(&one).await;
    let (visit, _) = find(&other, &id).await;
    let registered = visit.register_device(KEY, one.now()).await.expect("the store works");
    assert!(registered.is_some_and(|record| DeviceBinding::of(&record).and_then(|b| b.key()) == Some(KEY)));
    let first = open(&one, &id).await;
    assert!(first.session().expect("the proof is good").is_device_bound());
    answered(&first).await;
    clock.advance(MINUTE);
    assert!(other.get(id.as_str()).await.expect("the store works").is_none(), "an id alone opens nothing");

    let renewing = open(&other, &id).await;
    renewing.session().expect("the proof is good").renew_id().expect("it is the current id");
    let renewed = answered(&renewing).await.expect("a renewal tells the new id");
    assert!(one.get(renewed.as_str()).await.expect("the store works").is_none());
    assert!(open(&one, &renewed).await.session().is_some());
    // A refresh that was under way comes with the old id.
    assert!(matches!(find(&one, &id).await.1, DeviceSession::Found(_)));
}

/// For a minute after a login has replaced a bound session, its id is known as replaced in every process.
pub async fn bound_session_that_a_login_replaces_is_known_as_replaced(store: &(impl Store + Clone)) {
    let clock = Arc::new(ManualClock::at(now()));
    let [one, other] = [(); 2].map(|()| process(store, &clock));
    let old = login_at(&one).await;
    let (visit, _) = find(&one, &old).await;
    visit.register_device(KEY, one.now()).await.expect("the store works");
    answered(&open(&one, &old).await).await;
    let login = open(&one, &old).await;
    login.start(NewSession::new().principal("bob")).expect("these values work");
    let new = answered(&login).await.expect("a login tells its id");
    assert!(matches!(find(&other, &old).await.1, DeviceSession::Replaced));
    assert!(matches!(find(&other, &new).await.1, DeviceSession::Found(_)));
    assert!(open(&other, &old).await.session().is_none());
    clock.advance(MINUTE);
    assert!(matches!(find(&other, &old).await.1, DeviceSession::Missing));
}
