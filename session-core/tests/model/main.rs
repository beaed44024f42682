//! A2: random sequences of everything that two interleaved requests, an administrator, the purge and
//! the clock can do, against a simple model.
//!
//! `PROPTEST_CASES=100000 cargo test -p session-core --release --test model` for a long run.

mod model;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{Model, Outcome};
use proptest::prelude::*;
use session_core::conformance::faulty::FaultyStore;
use session_core::{
    Attributes, Clock, Committed, Error, ManualClock, MemoryStore, NewSession, PresentedIds, SessionId, SessionManager,
    Store, Visit,
};

/// One thing that happens. Numbers choose among what there is: a request, an id ever issued.
#[derive(Clone, Debug)]
enum Action {
    Open { request: usize, id: usize },
    Start { request: usize, value: i64 },
    Set { request: usize, name: usize, value: i64 },
    Remove { request: usize, name: usize },
    Take { request: usize, name: usize },
    Update { request: usize, name: usize },
    SetIdleTimeout { request: usize, seconds: u64 },
    Save { request: usize },
    Renew { request: usize },
    End { request: usize },
    Discard { request: usize },
    Commit { request: usize },
    Get { id: usize },
    EndByHandle { id: usize },
    Purge,
    MoveClock { seconds: i64 },
}

const REQUESTS: usize = 2;
const NAMES: [&str; 3] = ["a", "b", "c"];

fn action() -> impl Strategy<Value = Action> {
    use Action::*;
    let request = 0..REQUESTS;
    let name = 0..NAMES.len();
    let steps = prop_oneof![Just(1), Just(59), Just(60), Just(300), Just(1740), Just(1800), Just(90_000), -400_i64..0];
    prop_oneof![
        4 => (request.clone(), any::<usize>()).prop_map(|(request, id)| Open { request, id }),
        2 => (request.clone(), 0..9_i64).prop_map(|(request, value)| Start { request, value }),
        4 => (request.clone(), name.clone(), 0..9_i64).prop_map(|(request, name, value)| Set { request, name, value }),
        2 => (request.clone(), name.clone()).prop_map(|(request, name)| Remove { request, name }),
        1 => (request.clone(), name.clone()).prop_map(|(request, name)| Take { request, name }),
        4 => (request.clone(), name).prop_map(|(request, name)| Update { request, name }),
        1 => (request.clone(), prop_oneof![Just(60), Just(3600)])
            .prop_map(|(request, seconds)| SetIdleTimeout { request, seconds }),
        2 => request.clone().prop_map(|request| Save { request }),
        2 => request.clone().prop_map(|request| Renew { request }),
        1 => request.clone().prop_map(|request| End { request }),
        1 => request.clone().prop_map(|request| Discard { request }),
        6 => request.prop_map(|request| Commit { request }),
        2 => any::<usize>().prop_map(|id| Get { id }),
        1 => any::<usize>().prop_map(|id| EndByHandle { id }),
        1 => Just(Purge),
        3 => steps.prop_map(|seconds| MoveClock { seconds }),
    ]
}

/// The real thing beside its model.
struct World {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    sessions: SessionManager,
    requests: [Visit; REQUESTS],
    issued: Vec<SessionId>,
    model: Model,
}

impl World {
    /// A world whose sessions are kept by `kept_by`, which answers at once or has to be waited for.
    fn new(kept_by: impl FnOnce(MemoryStore) -> FaultyStore) -> Self {
        let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::default()));
        let kept = kept_by(store.clone());
        let builder = SessionManager::builder(kept).clock(Arc::clone(&clock)).without_background_purge();
        let sessions = builder.build().expect("these settings work");
        let requests = [sessions.visit(), sessions.visit()];
        World { store, clock, sessions, requests, issued: Vec::new(), model: Model::new(REQUESTS) }
    }

    fn id(&self, choice: usize) -> Option<SessionId> {
        let at = choice.checked_rem(self.issued.len())?;
        Some(self.issued[at].clone())
    }

    async fn act(&mut self, action: Action) {
        let now = self.clock.now();
        match action {
            Action::Open { request, id } => {
                let Some(id) = self.id(id) else { return };
                let mut presented = PresentedIds::default();
                presented.push(id.as_str());
                self.requests[request] = self.sessions.visit();
                self.requests[request].open(&presented).await.expect("the store works");
                self.model.open(request, &id.key(), now);
            }
            Action::Start { request, value } => {
                let new = NewSession::new().attr("a", &value);
                let session = self.requests[request].start(new).expect("the head has not left");
                self.issued.push(session.id());
                self.model.start(request, session.handle(), BTreeMap::from([("a", value)]), now);
            }
            Action::Renew { request } => {
                let Some(session) = self.requests[request].session() else { return };
                session.renew_id().expect("the head has not left");
                self.issued.push(session.id());
                self.model.renew(request, session.id().key());
            }
            Action::Commit { request } => {
                let mut visit = std::mem::replace(&mut self.requests[request], self.sessions.visit());
                let committed = match visit.commit_now() {
                    Some(committed) => committed,
                    None => visit.commit().await,
                };
                let expected = self.model.commit(request, now);
                assert_eq!(told(committed.expect("the store works")), expected);
            }
            Action::Get { id } => {
                let Some(id) = self.id(id) else { return };
                let session = self.sessions.get(id.as_str()).await.expect("the store works");
                assert_eq!(session.map(|session| values(&session.attrs())), self.model.get(&id.key(), now));
            }
            Action::EndByHandle { id } => {
                let Some(id) = self.id(id) else { return };
                self.sessions.end(&id.key()).await.expect("the store works");
                self.model.delete(&id.key());
            }
            Action::Purge => {
                let purged = self.sessions.purge_expired(Duration::MAX).await.expect("the store works");
                assert!(!purged.more);
                assert_eq!(purged.expired, self.model.purge(now));
            }
            Action::MoveClock { seconds } => {
                let millis = self.clock.now().unix_millis() + 1000 * seconds;
                self.clock.set(session_core::Time::from_unix_millis(millis));
            }
            change => self.change(change).await,
        }
    }

    /// What a handler does through its handle, if there is a session.
    async fn change(&mut self, action: Action) {
        let now = self.clock.now();
        let (Action::Set { request, .. }
        | Action::Remove { request, .. }
        | Action::Take { request, .. }
        | Action::Update { request, .. }
        | Action::SetIdleTimeout { request, .. }
        | Action::Save { request }
        | Action::End { request }
        | Action::Discard { request }) = action
        else {
            unreachable!("the others are no changes")
        };
        let Some(session) = self.requests[request].session() else { return };
        let model = &mut self.model;
        match action {
            Action::Set { name, value, .. } => {
                session.set_attr(NAMES[name], &value).expect("it is there");
                model.set(request, NAMES[name], Some(value));
            }
            Action::Remove { name, .. } => {
                session.remove_attr(NAMES[name]).expect("it is there");
                model.set(request, NAMES[name], None);
            }
            Action::Take { name, .. } => {
                let taken = session.take_attr::<i64>(NAMES[name]).expect("it is there");
                assert_eq!(taken, model.take(request, NAMES[name]));
            }
            Action::Update { name, .. } => {
                let updated = session.update_attr(NAMES[name], |value| value.unwrap_or(0_i64) + 1).await;
                assert_eq!(or_gone(updated), model.update(request, NAMES[name], now));
            }
            Action::SetIdleTimeout { seconds, .. } => {
                session.set_idle_timeout(Duration::from_secs(seconds)).expect("it is not zero");
                model.set_idle_timeout(request, Duration::from_secs(seconds));
            }
            Action::Save { .. } => assert_eq!(or_gone(session.save().await), model.save(request, now)),
            Action::End { .. } => {
                session.remove();
                model.end(request);
            }
            _ => {
                session.discard();
                model.discard(request);
            }
        }
    }

    async fn check(&self) {
        // The use of a session is noted beside the request.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let now = self.clock.now();
        for (request, visit) in self.requests.iter().enumerate() {
            let session = visit.session().map(|session| (session.id().key(), values(&session.attrs())));
            assert_eq!(session, self.model.seen_by(request), "in request {request}");
        }
        assert_eq!(self.store.len(), self.model.len());
        for id in &self.issued {
            let stored = self.store.load(&id.key(), now).await.expect("the store works");
            let stored = stored.map(|record| (values(&record.attributes), record.accessed, record.idle_timeout));
            assert_eq!(stored, self.model.stored(&id.key(), now));
        }
    }
}

fn told(committed: Committed) -> Outcome {
    match committed {
        Committed::Unchanged => Outcome::Unchanged,
        Committed::Issue(issued) => Outcome::Issue(issued.id.key()),
        Committed::Forget => Outcome::Forget,
    }
}

fn values(attributes: &Attributes) -> BTreeMap<&'static str, i64> {
    let known = |name: &str| NAMES.into_iter().find(|known| *known == name).expect("no other was set");
    attributes.iter().map(|(name, value)| (known(name), value.as_i64().expect("a number"))).collect()
}

fn or_gone<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::Gone) => None,
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #[test]
    fn sessions_do_what_the_model_does(actions in prop::collection::vec(action(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            // One store for each driver.
            let mut worlds = [World::new(FaultyStore::at_once), World::new(FaultyStore::new)];
            for action in actions {
                for world in &mut worlds {
                    world.act(action.clone()).await;
                    world.check().await;
                }
            }
        });
    }
}
