//! Sessions that are bound to a device: whoever does not prove to have its key has no such session.

use session_core::internals::{DeviceBinding, DeviceCheck, DeviceSession, Environment, Host};
use session_core::{Record, Time};

use super::*;

/// An integration that lets the sessions of its visits be bound.
struct Layer(SessionManager);

impl Host for Layer {
    fn environment(&self) -> &Environment {
        self.0.environment()
    }
    fn binds_devices(&self) -> bool {
        true
    }
}

/// What a request shows: the key that it can prove to have, and whether its browser says that it skipped that.
#[derive(Clone, Copy, Default)]
struct Shown {
    key: Option<&'static str>,
    skip_grace: Option<Duration>,
}

impl DeviceCheck for Shown {
    fn is_passed(&self, binding: &DeviceBinding<'_>, _: Time) -> bool {
        binding.key().is_some() && binding.key() == self.key
    }
    fn skip_grace(&self) -> Option<Duration> {
        self.skip_grace
    }
}

const KEY: &str = "the owner's";
const OWNER: Shown = Shown { key: Some(KEY), skip_grace: None };
const NOTHING: Shown = Shown { key: None, skip_grace: None };
const THIEF: Shown = Shown { key: Some("a thief's"), skip_grace: None };

struct Devices {
    sessions: SessionManager,
    store: FaultyStore,
    clock: Arc<ManualClock>,
}

/// With stores that wait, and stores that answer at once.
fn devices() -> [Devices; 2] {
    [faulty(), FaultyStore::at_once(MemoryStore::new())].map(|store| Devices::over(store, |builder| builder))
}

impl Devices {
    fn over(store: FaultyStore, set: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder) -> Self {
        let clock = Arc::new(ManualClock::default());
        let builder = SessionManager::builder(store.clone()).clock(Arc::clone(&clock));
        Devices { sessions: build(set(builder)), store, clock }
    }

    fn visit(&self) -> Visit {
        Visit::of_host(Arc::new(Layer(self.sessions.clone())))
    }

    async fn open(&self, id: &SessionId, shown: Shown) -> Visit {
        let visit = self.visit();
        visit.show_device(Box::new(shown));
        visit.open(&presented(id)).await.expect("the store works");
        visit
    }

    /// Whether a whole request with this id has a session.
    async fn has_session(&self, id: &SessionId, shown: Shown) -> bool {
        let visit = self.open(id, shown).await;
        let has_session = visit.session().is_some();
        answer(&visit).await.expect("the store works");
        has_session
    }

    async fn login(&self) -> SessionId {
        let visit = self.visit();
        visit.start(NewSession::new().principal("ann").attr("Count", &1)).unwrap();
        let id = issued(answer(&visit).await);
        assert!(visit.offered_binding().is_some());
        id
    }

    async fn find(&self, id: &SessionId) -> (Visit, DeviceSession) {
        let visit = self.visit();
        let found = visit.find_for_device(&presented(id)).await.expect("the store works");
        (visit, found)
    }

    async fn register(&self, id: &SessionId, key: &str) -> Option<Record> {
        let (visit, _) = self.find(id).await;
        visit.register_device(key, self.sessions.now()).await.expect("the store works")
    }

    /// A session that is bound, and for which that is enforced.
    async fn bound(&self) -> SessionId {
        let id = self.login().await;
        self.register(&id, KEY).await.unwrap();
        assert!(self.has_session(&id, OWNER).await);
        self.clock.advance(MINUTE);
        id
    }

    async fn stored(&self, id: &SessionId) -> Option<Record> {
        self.store.inner().load(&id.key(), self.sessions.now()).await.unwrap()
    }

    async fn is_missing(&self, id: &SessionId) -> bool {
        matches!(self.find(id).await.1, DeviceSession::Missing)
    }

    async fn is_replaced(&self, id: &SessionId) -> bool {
        matches!(self.find(id).await.1, DeviceSession::Replaced)
    }
}

fn presented(id: &SessionId) -> PresentedIds {
    let mut presented = PresentedIds::default();
    presented.push(id.as_str());
    presented
}

/// D4: it is neither read nor touched, and the owner goes on.
#[tokio::test]
async fn without_a_proof_a_bound_session_is_none_whatever_way_it_comes() {
    for devices in devices() {
        let id = devices.bound().await;
        devices.clock.advance(10 * MINUTE);
        let before = devices.stored(&id).await;
        for shown in [NOTHING, THIEF] {
            let visit = devices.open(&id, shown).await;
            assert!(visit.session().is_none() && visit.is_unproven());
            assert_unchanged(answer(&visit).await);
        }
        // A call without a request, and an integration that knows nothing of devices.
        assert!(!is_alive(&devices.sessions, &id).await);
        assert!(request(&devices.sessions, &id).await.session().is_none());
        assert_eq!(devices.stored(&id).await, before);
        assert_eq!(devices.sessions.counters().device_refused, 4);
        assert_eq!(devices.sessions.counters().rejected_ids, 0);
        assert!(devices.has_session(&id, OWNER).await);
    }
}

/// D5
#[tokio::test]
async fn enforcement_begins_with_the_first_proof_and_one_save() {
    for devices in devices() {
        let id = devices.login().await;
        for shown in [NOTHING, OWNER, THIEF] {
            assert!(devices.has_session(&id, shown).await, "no key is registered");
        }
        devices.register(&id, KEY).await.unwrap();
        devices.clock.advance(HOUR / 4);
        assert!(devices.has_session(&id, NOTHING).await, "nobody knows whether the browser got the answer");
        devices.store.faults().forget_calls();
        let visits = [devices.open(&id, OWNER).await, devices.open(&id, OWNER).await];
        for visit in &visits {
            assert!(visit.session().unwrap().is_device_bound());
            assert_unchanged(answer(visit).await);
        }
        assert!(devices.has_session(&id, OWNER).await);
        let saves = devices.store.faults().calls(Operation::Save);
        assert!(saves == 2, "the second finds in a conflict that nothing is left to do: {saves}");
        assert!(!devices.has_session(&id, NOTHING).await);
    }
}

/// D6: what was sent before the browser had the answer is let in.
#[tokio::test]
async fn for_a_minute_after_the_registration_requests_without_proof_are_let_in() {
    for devices in devices() {
        let id = devices.login().await;
        devices.register(&id, KEY).await.unwrap();
        assert!(devices.has_session(&id, OWNER).await);
        devices.clock.advance(59 * SECOND);
        assert!(devices.has_session(&id, NOTHING).await);
        devices.clock.advance(SECOND);
        assert!(!devices.has_session(&id, NOTHING).await);
    }
}

/// D3
#[tokio::test]
async fn a_session_with_a_key_takes_no_other_key() {
    for devices in devices() {
        let id = devices.login().await;
        for _ in 0..2 {
            let record = devices.register(&id, KEY).await.unwrap();
            assert_eq!(DeviceBinding::of(&record).unwrap().key(), Some(KEY));
            let record = devices.register(&id, "a thief's").await.unwrap();
            assert_eq!(DeviceBinding::of(&record).unwrap().key(), Some(KEY));
        }
        // Two at once: the one that comes second finds the first one's key.
        let id = devices.login().await;
        let [(one, _), (other, _)] = [devices.find(&id).await, devices.find(&id).await];
        let now = devices.sessions.now();
        one.register_device("one", now).await.unwrap();
        let record = other.register_device("other", now).await.unwrap().unwrap();
        assert_eq!(DeviceBinding::of(&record).unwrap().key(), Some("one"));
    }
}

/// D7
#[tokio::test]
async fn a_logout_needs_no_proof() {
    for devices in devices() {
        let id = devices.bound().await;
        let visit = devices.visit();
        visit.end(&presented(&id));
        assert!(matches!(answer(&visit).await, Ok(Committed::Forget)));
        assert!(devices.stored(&id).await.is_none() && devices.is_missing(&id).await);
    }
}

/// D8: for a minute, so that the answer to a late request of the old binding can't end the new one.
#[tokio::test]
async fn what_a_login_replaces_is_known_as_replaced() {
    for devices in devices() {
        for shown in [OWNER, NOTHING] {
            let old = devices.bound().await;
            let visit = devices.open(&old, shown).await;
            visit.start(NewSession::new().principal("ann")).unwrap();
            let new = issued(answer(&visit).await);
            assert!(devices.is_replaced(&old).await && devices.stored(&old).await.is_none());
            assert!(!devices.has_session(&old, OWNER).await && devices.has_session(&new, NOTHING).await);
            assert_eq!(devices.sessions.list(10).await.unwrap().len(), 1, "a note is no session");
            devices.clock.advance(MINUTE);
            assert!(devices.is_missing(&old).await);
            devices.sessions.end_all_of("ann").await.unwrap();
        }
        let old = devices.bound().await;
        let visit = devices.open(&old, OWNER).await;
        visit.session().unwrap().remove();
        visit.start(NewSession::new().principal("bob")).unwrap();
        issued(answer(&visit).await);
        assert!(devices.is_replaced(&old).await);
    }
}

/// D8: also before the first proof, as the device has a key by then, or was just asked to make one.
#[tokio::test]
async fn what_a_login_replaces_before_the_first_proof_is_known_too() {
    for devices in devices() {
        for (is_registered, after, is_known) in
            [(true, HOUR / 4, true), (false, 59 * SECOND, true), (false, MINUTE, false)]
        {
            let old = devices.login().await;
            if is_registered {
                devices.register(&old, KEY).await.unwrap();
            }
            devices.clock.advance(after);
            let visit = devices.open(&old, NOTHING).await;
            visit.start(NewSession::new().principal("ann")).unwrap();
            issued(answer(&visit).await);
            assert_eq!(devices.is_replaced(&old).await, is_known, "{is_registered} {after:?}");
        }
    }
}

#[tokio::test]
async fn a_login_succeeds_where_the_note_of_what_it_replaced_can_not_be_stored() {
    let [devices, _] = devices();
    let old = devices.bound().await;
    let visit = devices.open(&old, OWNER).await;
    visit.start(NewSession::new().principal("ann")).unwrap();
    devices.store.faults().fail_next(Operation::Create, Fault::Refused);
    let new = issued(answer(&visit).await);
    assert!(devices.is_missing(&old).await && devices.has_session(&new, NOTHING).await);
    assert_eq!(devices.sessions.counters().store_errors, 1);
}

/// D9: also where an old id leads to it by a note alone.
#[tokio::test]
async fn the_binding_goes_with_a_plain_renewal() {
    for devices in devices() {
        let id = devices.bound().await;
        let visit = devices.open(&id, OWNER).await;
        visit.session().unwrap().renew_id().unwrap();
        let renewed = issued(answer(&visit).await);
        assert!(visit.offered_binding().is_none(), "it is bound already");
        assert!(devices.has_session(&renewed, OWNER).await && !devices.has_session(&renewed, NOTHING).await);
        let (_, DeviceSession::Found(record)) = devices.find(&id).await else { panic!("the device follows") };
        assert_eq!(DeviceBinding::of(&record).unwrap().key(), Some(KEY));
        assert!(!devices.has_session(&id, OWNER).await, "nobody else follows");
    }
}

/// D9
#[tokio::test]
async fn the_binding_goes_with_grace_and_offers() {
    for store in [faulty(), FaultyStore::at_once(MemoryStore::new())] {
        let devices = Devices::over(store, |builder| builder.renew_every(HOUR / 4).renewal_grace(10 * SECOND));
        let id = devices.bound().await;
        devices.clock.advance(HOUR / 4);
        let offered = issued(answer(&devices.open(&id, OWNER).await).await);
        for id in [&id, &offered] {
            assert!(!devices.has_session(id, NOTHING).await);
            assert!(matches!(devices.find(id).await.1, DeviceSession::Found(_)));
        }
        assert!(devices.has_session(&id, OWNER).await && devices.has_session(&offered, OWNER).await);
        devices.clock.advance(5 * SECOND);
        assert!(devices.has_session(&id, OWNER).await && !devices.has_session(&id, NOTHING).await);
        devices.clock.advance(5 * SECOND);
        assert!(!devices.has_session(&id, OWNER).await && devices.has_session(&offered, OWNER).await);
    }
}

/// D10
#[tokio::test]
async fn binding_is_offered_to_a_login_and_a_new_authentication_alone() {
    for devices in devices() {
        let id = devices.login().await;
        let secret = |record: &Record| DeviceBinding::of(record).map(|binding| *binding.secret());
        let first = secret(&devices.stored(&id).await.unwrap());
        assert!(first.is_some());
        let visit = devices.open(&id, NOTHING).await;
        visit.session().unwrap().renew_id().unwrap();
        let renewed = issued(answer(&visit).await);
        assert!(visit.offered_binding().is_none());
        assert_eq!(secret(&devices.stored(&renewed).await.unwrap()), first);

        // A key that nobody has proven to have is forgotten, with all that was made of the secret.
        devices.register(&renewed, "lost").await.unwrap();
        let visit = devices.open(&renewed, NOTHING).await;
        visit.session().unwrap().reauthenticate(Authentication::by(["otp"])).unwrap();
        let id = issued(answer(&visit).await);
        let offered = visit.offered_binding().unwrap();
        assert!(secret(&offered).is_some() && secret(&offered) != first);
        devices.register(&id, KEY).await.unwrap();
        assert!(devices.has_session(&id, OWNER).await);

        // A binding that is enforced stays.
        let visit = devices.open(&id, OWNER).await;
        visit.session().unwrap().reauthenticate(Authentication::by(["otp"])).unwrap();
        let id = issued(answer(&visit).await);
        devices.clock.advance(MINUTE);
        assert!(visit.offered_binding().is_none());
        assert!(devices.has_session(&id, OWNER).await && !devices.has_session(&id, NOTHING).await);
    }
}

#[tokio::test]
async fn only_sessions_of_a_user_in_a_layer_that_binds_can_be_bound() {
    for devices in devices() {
        let visit = devices.visit();
        visit.start(NewSession::new().attr("Cart", &1)).unwrap();
        let id = issued(answer(&visit).await);
        assert!(visit.offered_binding().is_none());
        assert!(devices.stored(&id).await.unwrap().extensions.is_empty());
        let visit = devices.sessions.visit();
        visit.start(NewSession::new().principal("ann")).unwrap();
        let id = issued(answer(&visit).await);
        assert!(visit.offered_binding().is_none());
        assert!(devices.stored(&id).await.unwrap().extensions.is_empty());
        let record = devices.register(&id, KEY).await.unwrap();
        assert!(DeviceBinding::of(&record).is_none());
    }
}

/// D2
#[tokio::test]
async fn nothing_of_the_binding_is_copied_listed_or_shown() {
    for devices in devices() {
        let id = devices.bound().await;
        let record = devices.stored(&id).await.unwrap();
        let binding = DeviceBinding::of(&record).unwrap();
        for listed in [devices.sessions.list(9).await.unwrap(), devices.sessions.sessions_of("ann").await.unwrap()] {
            assert!(listed[0].is_device_bound() && DeviceBinding::of(&listed[0]).is_none());
            let shown = format!("{:?} {:?}", listed[0], serde_json::to_string(&listed[0].extensions).unwrap());
            assert!(!shown.contains(KEY) && shown.contains("!device"), "{shown}");
        }
        let visit = devices.open(&id, OWNER).await;
        let session = visit.session().unwrap();
        assert_eq!(session.attrs().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["Count"]);
        let new = visit.start(NewSession::new().principal("ann").keep(&session)).unwrap();
        assert!(!new.is_device_bound());
        let new = issued(answer(&visit).await);
        let kept = devices.stored(&new).await.unwrap();
        let kept = DeviceBinding::of(&kept).unwrap();
        assert!(kept.key().is_none() && kept.secret() != binding.secret());
    }
}

/// D11: its owner may come again with a proof.
#[tokio::test]
async fn a_session_that_begins_by_itself_ends_no_bound_one() {
    for devices in devices() {
        let id = devices.bound().await;
        let visit = devices.open(&id, NOTHING).await;
        visit.session_or_start().unwrap().set_attr("Cart", &1).unwrap();
        let anonymous = issued(answer(&visit).await);
        assert!(devices.has_session(&anonymous, NOTHING).await && devices.has_session(&id, OWNER).await);
    }
}

/// D11: a request that was sent before a renewal comes after it.
#[tokio::test]
async fn a_session_that_begins_by_itself_under_an_old_id_ends_none() {
    for devices in devices() {
        let old = devices.bound().await;
        let visit = devices.open(&old, OWNER).await;
        visit.session().unwrap().renew_id().unwrap();
        let id = issued(answer(&visit).await);
        let late = devices.open(&old, OWNER).await;
        late.session_or_start().unwrap().set_attr("Cart", &1).unwrap();
        issued(answer(&late).await);
        assert!(devices.has_session(&id, OWNER).await);
    }
}

/// D12: it starts once, and only a good proof ends it.
#[tokio::test]
async fn a_skip_is_let_in_for_its_grace() {
    for devices in devices() {
        let id = devices.bound().await;
        let skips = Shown { skip_grace: Some(5 * MINUTE), ..NOTHING };
        assert!(devices.has_session(&id, skips).await);
        devices.clock.advance(4 * MINUTE);
        assert!(devices.has_session(&id, skips).await && devices.has_session(&id, OWNER).await);
        devices.clock.advance(MINUTE);
        assert!(!devices.has_session(&id, skips).await);
        assert_eq!(devices.sessions.counters().device_skipped, 2);
        devices.find(&id).await.0.end_skips().await.unwrap();
        assert!(devices.has_session(&id, skips).await);
    }
}

/// D13: nothing is written, and a failing store is an error.
#[tokio::test]
async fn a_device_that_asks_reads_once_and_uses_nothing() {
    let [devices, _] = devices();
    let id = devices.bound().await;
    devices.clock.advance(20 * MINUTE);
    let before = devices.stored(&id).await;
    devices.store.faults().forget_calls();
    assert!(matches!(devices.find(&id).await.1, DeviceSession::Found(_)));
    assert_eq!((devices.store.faults().all_calls(), devices.store.faults().calls(Operation::Load)), (1, 1));
    assert_eq!(devices.stored(&id).await, before);
    // Nor is it a use when it saves something.
    let id = devices.login().await;
    let before = devices.stored(&id).await.unwrap();
    devices.clock.advance(20 * MINUTE);
    devices.register(&id, KEY).await.unwrap();
    assert_eq!(devices.stored(&id).await.unwrap().accessed, before.accessed);
    devices.store.faults().fail_every(&[Operation::Load], Fault::Refused);
    let failed = devices.visit().find_for_device(&presented(&id)).await;
    assert!(matches!(failed, Err(Error::Store(_))));
}

/// D4: other ids of the same request still count.
#[tokio::test]
async fn beside_a_bound_session_another_one_opens() {
    for devices in devices() {
        let (bound, other) = (devices.bound().await, devices.login().await);
        let visit = devices.visit();
        let mut both = presented(&bound);
        both.push(other.as_str());
        visit.open(&both).await.unwrap();
        assert_eq!(visit.session().unwrap().handle(), other.key());
    }
}
