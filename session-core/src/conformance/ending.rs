//! Races of whoever ends sessions against whoever goes on with them: renewing as fast as possible, or signing in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet};

use crate::id::{PresentedIds, SessionId};
use crate::manager::SessionManager;
use crate::session::NewSession;
use crate::store::Store;
use crate::time::{Clock, ManualClock, SystemClock};
use crate::visit::Committed;

use super::support::{fresh_principal, now};

/// From so many rounds on, a run is a campaign.
const CAMPAIGN: usize = 500;

/// How long a call may take. It only keeps a test from hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// After a logout everywhere nobody is signed in, although the session is renewed as fast as possible. It is counted
/// once.
pub async fn logout_everywhere_against_renewals_leaves_none(store: &(impl Store + Clone), rounds: usize) {
    let Some(sessions) = manager_of_principals(store, None, SystemClock) else { return };
    let overlaps = Overlaps::default();
    let rounds = as_many(rounds);
    for _ in 0..rounds {
        let ann = fresh_principal();
        let renewing = Renewing::start(&sessions, &ann).await;
        let ended = overlaps.during(&renewing, sessions.end_all_of(&ann)).await;
        assert_eq!(ended.expect("the store works"), 1, "it is one session, whatever its id");
        let last = renewing.last_id().await;
        assert!(!is_signed_in(&sessions, &last).await);
        assert_eq!(sessions.sessions_of(&ann).await.expect("the store works"), []);
    }
    overlaps.tell(rounds);
}

/// After all others were ended, this session is the only one, although all of them are renewed as fast as possible.
pub async fn ending_others_against_renewals_leaves_this_one(store: &(impl Store + Clone), rounds: usize) {
    let Some(sessions) = manager_of_principals(store, None, SystemClock) else { return };
    let overlaps = Overlaps::default();
    let rounds = as_many(rounds);
    for _ in 0..rounds {
        let ann = fresh_principal();
        let (here, there) = (Renewing::start(&sessions, &ann).await, Renewing::start(&sessions, &ann).await);
        let this = loop {
            // Its id may have changed since it was read.
            let id = here.id();
            if let Some(session) = sessions.get(id.as_str()).await.expect("the store works") {
                break session;
            }
        };
        let ended = overlaps.during(&there, sessions.end_others(&this)).await;
        assert_eq!(ended.expect("the store works"), 1, "only the other one ends");
        let last = there.last_id().await;
        assert!(!is_signed_in(&sessions, &last).await);
        let stays = here.stop().await;
        assert!(is_signed_in(&sessions, &stays).await);
        assert_eq!(sessions.sessions_of(&ann).await.expect("the store works").len(), 1);
    }
    overlaps.tell(rounds);
}

/// A user ends a session by a handle that it had, although it is renewed as fast as possible. Somebody else ends nothing.
pub async fn ending_one_of_a_principal_against_renewals_ends_it(store: &(impl Store + Clone), rounds: usize) {
    let builder = SessionManager::builder(store.clone()).time_limit(LIMIT).without_background_purge();
    let sessions = builder.build().expect("the settings are allowed");
    let overlaps = Overlaps::default();
    let rounds = as_many(rounds);
    for _ in 0..rounds {
        let (ann, bob) = (fresh_principal(), fresh_principal());
        let renewing = Renewing::start(&sessions, &ann).await;
        let handle = renewing.id().key();
        assert!(!sessions.end_one_of(&bob, &handle).await.expect("the store works"));
        let ended = overlaps.during(&renewing, sessions.end_one_of(&ann, &handle)).await;
        assert!(ended.expect("the store works"), "it was there, whatever its id");
        let last = renewing.last_id().await;
        assert!(!is_signed_in(&sessions, &last).await);
    }
    overlaps.tell(rounds);
}

/// A login at the limit ends the session before it, although that is renewed as fast as possible.
pub async fn login_at_the_limit_against_renewals_leaves_one(store: &(impl Store + Clone), rounds: usize) {
    let clock = Arc::new(ManualClock::at(now()));
    let Some(sessions) = manager_of_principals(store, Some(1), Arc::clone(&clock)) else { return };
    let overlaps = Overlaps::default();
    let rounds = as_many(rounds);
    for _ in 0..rounds {
        let ann = fresh_principal();
        let renewing = Renewing::start(&sessions, &ann).await;
        // Of two logins in the same millisecond either may count as the older one.
        clock.advance(Duration::from_millis(1));
        let login = overlaps.during(&renewing, sessions.create(NewSession::new().principal(&ann))).await;
        let id = login.expect("the store works").id();
        let last = renewing.last_id().await;
        assert!(!is_signed_in(&sessions, &last).await);
        assert!(is_signed_in(&sessions, &id).await);
        assert_eq!(sessions.sessions_of(&ann).await.expect("the store works").len(), 1);
    }
    overlaps.tell(rounds);
}

/// Of logins at the same moment no more stay signed in than the limit allows, once the last has been answered.
pub async fn logins_at_once_keep_to_the_limit(store: &(impl Store + Clone), rounds: usize) {
    const LIMIT: usize = 3;
    let Some(sessions) = manager_of_principals(store, Some(LIMIT), SystemClock) else { return };
    let overlaps = Overlaps::default();
    let rounds = as_many(rounds);
    for _ in 0..rounds {
        let ann = fresh_principal();
        let (here, under_way) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut logins = JoinSet::new();
        for _ in 0..2 * LIMIT {
            let (sessions, new) = (sessions.clone(), NewSession::new().principal(&ann));
            let (here, under_way) = (Arc::clone(&here), Arc::clone(&under_way));
            logins.spawn(async move {
                meet_another(&here);
                let others = under_way.fetch_add(1, Ordering::AcqRel);
                let login = sessions.create(new).await.expect("the store works");
                under_way.fetch_sub(1, Ordering::AcqRel);
                (login.id(), others > 0)
            });
        }
        let (ids, beside_others): (Vec<_>, Vec<_>) = logins.join_all().await.into_iter().unzip();
        overlaps.count(beside_others.contains(&true));
        let mut live = 0;
        for id in &ids {
            live += usize::from(is_signed_in(&sessions, id).await);
        }
        assert_eq!(live, LIMIT);
        assert_eq!(sessions.sessions_of(&ann).await.expect("the store works").len(), LIMIT);
    }
    overlaps.tell(rounds);
}

/// Clients go on in pairs. A store that never waits is done with one client before another thread has the next, so
/// the first of a pair waits for the second, though not for long.
fn meet_another(here: &AtomicUsize) {
    let both = (here.fetch_add(1, Ordering::AcqRel) + 1).next_multiple_of(2);
    let start = Instant::now();
    while here.load(Ordering::Acquire) < both && start.elapsed() < Duration::from_millis(5) {
        std::hint::spin_loop();
    }
}

/// A round is many operations here, so a short run has a tenth of the rounds of other races. A campaign has all.
fn as_many(rounds: usize) -> usize {
    if rounds < CAMPAIGN { rounds.div_ceil(10) } else { rounds }
}

/// `None` for a store that can't find the sessions of a principal.
fn manager_of_principals(
    store: &(impl Store + Clone),
    limit: Option<usize>,
    clock: impl Clock,
) -> Option<SessionManager> {
    if !store.capabilities().principals {
        eprintln!("skipped: the {} store does not support principals", store.name());
        return None;
    }
    let mut builder = SessionManager::builder(store.clone()).clock(clock).time_limit(LIMIT).without_background_purge();
    if let Some(limit) = limit {
        builder = builder.max_sessions_per_principal(limit);
    }
    Some(builder.build().expect("the settings are allowed"))
}

async fn is_signed_in(sessions: &SessionManager, id: &SessionId) -> bool {
    sessions.get(id.as_str()).await.expect("the store works").is_some()
}

/// A client that does nothing but renew its session, until that has ended or it is told to stop.
struct Renewing {
    shared: Arc<Shared>,
    client: JoinHandle<()>,
}

struct Shared {
    id: parking_lot::Mutex<SessionId>,
    is_renewing: AtomicBool,
    /// How many new ids the client was given.
    renewed: AtomicUsize,
    is_stopped: AtomicBool,
}

impl Renewing {
    /// Signs a user in. Returns when the client has begun to renew.
    async fn start(sessions: &SessionManager, principal: &str) -> Self {
        let session = sessions.create(NewSession::new().principal(principal)).await.expect("the store works");
        let shared = Arc::new(Shared {
            id: parking_lot::Mutex::new(session.id()),
            is_renewing: AtomicBool::new(false),
            renewed: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
        });
        let (sessions, in_client) = (sessions.clone(), Arc::clone(&shared));
        let (has_begun, begins) = tokio::sync::oneshot::channel();
        let client = tokio::spawn(async move {
            renew(&sessions, &in_client).await;
            let _ = has_begun.send(());
            while !in_client.is_stopped.load(Ordering::Acquire) && renew(&sessions, &in_client).await {
                tokio::task::yield_now().await;
            }
        });
        begins.await.expect("the client runs");
        Renewing { shared, client }
    }

    fn id(&self) -> SessionId {
        self.shared.id.lock().clone()
    }

    /// The last id that the client was given, once its session has ended.
    async fn last_id(self) -> SessionId {
        let Renewing { shared, client } = self;
        tokio::time::timeout(LIMIT, client).await.expect("the session has ended").expect("no panic");
        shared.id.lock().clone()
    }

    async fn stop(self) -> SessionId {
        self.shared.is_stopped.store(true, Ordering::Release);
        self.last_id().await
    }
}

/// One request that renews the session. Whether there was one.
async fn renew(sessions: &SessionManager, shared: &Shared) -> bool {
    shared.is_renewing.store(true, Ordering::Release);
    let visit = sessions.visit();
    let mut presented = PresentedIds::default();
    presented.push(shared.id.lock().as_str());
    let session = visit.open(&presented).await.expect("the store works");
    if let Some(session) = &session {
        session.renew_id().expect("it can be renewed");
    }
    if let Committed::Issue(issued) = visit.commit().await.expect("the store works") {
        *shared.id.lock() = issued.id;
        shared.renewed.fetch_add(1, Ordering::Release);
    }
    shared.is_renewing.store(false, Ordering::Release);
    session.is_some()
}

/// Counts the rounds in which what should meet did: a renewal was under way while the sessions were ended, or a login
/// while another began.
#[derive(Default)]
struct Overlaps(AtomicUsize);

impl Overlaps {
    async fn during<T>(&self, renewing: &Renewing, ending: impl Future<Output = T>) -> T {
        let Shared { is_renewing, renewed, .. } = &*renewing.shared;
        let (was_renewing, before) = (is_renewing.load(Ordering::Acquire), renewed.load(Ordering::Acquire));
        let ended = tokio::time::timeout(LIMIT, ending).await.expect("ending does not hang");
        self.count(was_renewing || renewed.load(Ordering::Acquire) > before);
        ended
    }

    fn count(&self, is_overlap: bool) {
        self.0.fetch_add(usize::from(is_overlap), Ordering::Relaxed);
    }

    fn tell(&self, rounds: usize) {
        let overlapped = self.0.load(Ordering::Relaxed);
        eprintln!("{overlapped} of {rounds} rounds overlapped");
        // A short run beside other tests may be less lucky.
        let is_campaign = rounds >= CAMPAIGN;
        assert!(!is_campaign || overlapped * 5 >= rounds, "only {overlapped} of {rounds} rounds overlapped");
    }
}
