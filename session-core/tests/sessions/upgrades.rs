//! T26, T28: attributes whose shape changes between releases of the application.

use std::sync::atomic::{AtomicU32, Ordering};

use session_core::{AttributeUpgrade, Clock, Record};

use super::events::Log;
use super::*;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The old release has `Name`, the new one `First` and `Last`.
fn split_name(session: &mut AttributeUpgrade<'_>) -> Result<(), Failure> {
    if let Some(name) = session.attr::<String>("Name")? {
        let (first, last) = name.split_once(' ').ok_or("the name has one word")?;
        session.set_attr("First", first)?;
        session.set_attr("Last", last)?;
        session.remove_attr("Name");
    }
    Ok(())
}

fn process(store: &impl StoreOfTest) -> SessionManagerBuilder {
    SessionManager::builder(store.clone()).clock(ManualClock::default())
}

trait StoreOfTest: Store + Clone {}
impl<S: Store + Clone> StoreOfTest for S {}

fn new_release(store: &impl StoreOfTest) -> SessionManager {
    build(process(store).attributes_version(1, split_name))
}

fn old_release(store: &impl StoreOfTest) -> SessionManager {
    build(process(store))
}

/// With a store that is waited for, and one that answers at once.
fn stores() -> [FaultyStore; 2] {
    [faulty(), FaultyStore::at_once(MemoryStore::new())]
}

async fn stored(store: &FaultyStore, id: &SessionId) -> Record {
    store.load(&id.key(), ManualClock::default().now()).await.unwrap().expect("it is stored")
}

fn noted(record: &Record) -> Option<u64> {
    record.extensions.get("attributes_version")?.as_u64()
}

fn names(record: &Record) -> Vec<&str> {
    record.attributes.iter().map(|(name, _)| name).collect()
}

async fn named(sessions: &SessionManager, name: &str) -> SessionId {
    created(sessions, NewSession::new().principal("ann").attr("Name", name)).await.id()
}

#[tokio::test]
async fn an_older_session_is_brought_up_to_date_in_memory_and_saved_with_the_next_change() {
    for store in stores() {
        let (old, new) = (old_release(&store), new_release(&store));
        let id = named(&old, "Ann Lee").await;
        assert_eq!(stored(&store, &id).await.extensions.len(), 0, "without the setting a record has no number");

        for _ in 0..2 {
            let session = found(&new, &id).await.unwrap();
            assert_eq!(session.attr::<String>("First").unwrap().as_deref(), Some("Ann"));
            assert_eq!(session.attr::<String>("Name").unwrap(), None);
            for record in [new.sessions_of("ann").await.unwrap(), new.list(9).await.unwrap()].concat() {
                assert_eq!(names(&record), ["First", "Last"]);
            }
            let record = stored(&store, &id).await;
            assert_eq!((names(&record), noted(&record)), (vec!["Name"], None), "nothing is saved by reading");
        }
        let visit = request(&new, &id).await;
        visit.session().unwrap().set_attr("Color", "red").unwrap();
        assert_unchanged(answer(&visit).await);
        let record = stored(&store, &id).await;
        assert_eq!((names(&record), noted(&record)), (vec!["Color", "First", "Last"], Some(1)));
    }
}

#[tokio::test]
async fn the_function_is_called_with_the_number_of_older_sessions_and_of_no_others() {
    for store in stores() {
        let calls = Arc::new(AtomicU32::new(0));
        let release = |number: u32| {
            let calls = Arc::clone(&calls);
            build(process(&store).attributes_version(number, move |session| {
                calls.fetch_add(1, Ordering::Relaxed);
                session.set_attr("From", &session.version())?;
                Ok(())
            }))
        };
        let (second, third) = (release(2), release(3));
        let id = created(&second, NewSession::new()).await.id();
        assert_eq!(noted(&stored(&store, &id).await), Some(2), "a new session has the number");
        found(&second, &id).await.unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 0);

        assert_eq!(found(&third, &id).await.unwrap().attr::<u32>("From").unwrap(), Some(2));
        found(&third, &id).await.unwrap().update_attr("N", |_: Option<u32>| 1).await.unwrap();
        assert_eq!((noted(&stored(&store, &id).await), calls.load(Ordering::Relaxed)), (Some(3), 2));
        // A higher number is served as it is, and an older release that saves it notes its own.
        let session = found(&second, &id).await.unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        session.update_attr("N", |_: Option<u32>| 2).await.unwrap();
        assert_eq!(noted(&stored(&store, &id).await), Some(2));
        let without = old_release(&store);
        found(&without, &id).await.unwrap().update_attr("N", |_: Option<u32>| 3).await.unwrap();
        assert_eq!(stored(&store, &id).await.extensions.len(), 0);
        assert_eq!(found(&third, &id).await.unwrap().attr::<u32>("From").unwrap(), Some(0));
    }
}

/// Renewing saves too, and what is found by a moved note is brought up to date.
#[tokio::test]
async fn renewed_sessions_are_brought_up_to_date() {
    for store in stores() {
        let (old, new) = (old_release(&store), new_release(&store));
        let id = named(&old, "Ann Lee").await;
        let visit = request(&new, &id).await;
        visit.session().unwrap().renew_id().unwrap();
        let renewed = issued(answer(&visit).await);
        let record = stored(&store, &renewed).await;
        assert_eq!((names(&record), noted(&record)), (vec!["First", "Last"], Some(1)));

        // An old process renews what a new one has loaded.
        let id = named(&old, "Bob Ray").await;
        let under_way = request(&new, &id).await;
        let visit = request(&old, &id).await;
        visit.session().unwrap().set_attr("Name", "Cy Fox").unwrap();
        visit.session().unwrap().renew_id().unwrap();
        let renewed = issued(answer(&visit).await);
        under_way.session().unwrap().set_attr("Color", "red").unwrap();
        assert_unchanged(answer(&under_way).await);
        let record = stored(&store, &renewed).await;
        assert_eq!((names(&record), noted(&record)), (vec!["Color", "First", "Last"], Some(1)));
        assert_eq!(record.attr::<String>("First").unwrap().as_deref(), Some("Cy"));
    }
}

/// The old release saves between load and save of the new one: what it wrote is brought up to date before the changes of
/// the new one are applied to it.
#[tokio::test]
async fn a_conflict_with_an_older_release_is_resolved_in_the_new_shape() {
    for store in stores() {
        let (old, new) = (old_release(&store), new_release(&store));
        for is_update in [true, false] {
            let id = named(&old, "Ann Lee").await;
            let visit = request(&new, &id).await;
            let session = visit.session().unwrap();
            session.set_attr("Last", "Moss").unwrap();
            let other = found(&old, &id).await.unwrap();
            other.set_attr("Name", "Bob Ray").unwrap();
            other.save().await.unwrap();
            if is_update {
                session.update_attr("Seen", |_: Option<bool>| true).await.unwrap();
            }
            assert_unchanged(answer(&visit).await);
            let record = stored(&store, &id).await;
            assert_eq!(noted(&record), Some(1));
            let name = ["First", "Last"].map(|name| record.attr::<String>(name).unwrap().unwrap());
            assert_eq!(name, ["Bob", "Moss"]);
        }
    }
}

#[tokio::test]
async fn a_function_that_fails_is_an_error_and_nothing_is_lost() {
    for store in stores() {
        let (old, new) = (old_release(&store), new_release(&store));
        let id = named(&old, "Ann").await;
        let before = stored(&store, &id).await;
        let assert_fails = |error: Error| {
            assert!(matches!(error, Error::Upgrade { from: 0, to: 1, .. }), "{error:?}");
            let cause = std::error::Error::source(&error).expect("it has a cause");
            assert_eq!(cause.to_string(), "the name has one word");
        };
        assert_fails(new.get(id.as_str()).await.unwrap_err());
        assert_fails(try_request(&new, &id).await.unwrap_err());
        assert_eq!(stored(&store, &id).await, before);
        assert_eq!(new.counters().rejected_ids, 0);

        // What is listed can be ended.
        let (log, _guard) = Log::capture();
        let listed = new.sessions_of("ann").await.unwrap();
        assert_eq!(names(&listed[0]), ["Name"]);
        assert_eq!(log.warnings().len(), 1, "{:?}", log.warnings());
        assert!(log.warnings()[0].contains("the name has one word"), "{:?}", log.warnings());

        found(&old, &id).await.unwrap().update_attr("Name", |_: Option<String>| "Ann Lee".to_owned()).await.unwrap();
        assert!(is_alive(&new, &id).await, "the id goes on where the function can do it");
        assert!(new.end_one_of("ann", &id.key()).await.unwrap());
    }
}

#[tokio::test]
async fn a_function_that_fails_after_a_conflict_fails_the_save() {
    for store in stores() {
        let (old, new) = (old_release(&store), new_release(&store));
        let id = named(&old, "Ann Lee").await;
        let visit = request(&new, &id).await;
        let session = visit.session().unwrap();
        session.set_attr("Color", "red").unwrap();
        found(&old, &id).await.unwrap().update_attr("Name", |_: Option<String>| "Bob".to_owned()).await.unwrap();
        assert!(matches!(session.save().await, Err(Error::Upgrade { .. })));
        assert_eq!(session.attr::<String>("Color").unwrap().as_deref(), Some("red"), "it stays collected");
        assert!(matches!(answer(&visit).await, Err(Error::Upgrade { .. })));
        assert_eq!(names(&stored(&store, &id).await), ["Name"]);
    }
}

#[tokio::test]
async fn sessions_of_another_audience_are_left_alone() {
    for store in stores() {
        let shop = build(process(&store).audience("shop"));
        let id = created(&shop, NewSession::new().principal("ann").attr("Name", "Ann")).await.id();
        let new = new_release(&store);
        assert!(!is_alive(&new, &id).await, "it is unknown, and no error");
        assert_eq!(names(&new.sessions_of("ann").await.unwrap()[0]), ["Name"]);
    }
}

/// The function is the application's code, so it runs without the lock of the session: it may use the session itself.
#[tokio::test]
async fn the_function_may_use_the_session_that_is_being_saved() {
    for store in stores() {
        let held: Arc<parking_lot::Mutex<Option<Session>>> = Arc::default();
        let holder = Arc::clone(&held);
        let new = build(process(&store).attributes_version(1, move |session| {
            if let Some(held) = &*holder.lock() {
                held.set_attr("Met", &true)?;
            }
            split_name(session)
        }));
        let old = old_release(&store);
        let id = named(&old, "Ann Lee").await;
        let visit = request(&new, &id).await;
        let session = visit.session().unwrap();
        session.set_attr("Color", "red").unwrap();
        found(&old, &id).await.unwrap().update_attr("Name", |_: Option<String>| "Bob Ray".to_owned()).await.unwrap();
        *held.lock() = Some(session.clone());
        session.save().await.unwrap();
        *held.lock() = None;
        assert_eq!(session.attr::<bool>("Met").unwrap(), Some(true));
    }
}

#[test]
fn the_number_zero_is_refused() {
    let error = SessionManager::builder(MemoryStore::new()).attributes_version(0, split_name).build().unwrap_err();
    assert!(error.to_string().contains("`attributes_version` must be at least 1"), "{error}");
}
