//! G19: the protocol of two tiers under many schedules of its tasks: each operation of a tier is a
//! point where any other task may go on.
//!
//! `tests/run shuttle`, or for many schedules of each kind `CAMPAIGN=1000000
//! RUSTFLAGS="--cfg session_shuttle" cargo test -p session-core --release --lib tiered::schedules`.
//! Other tests can't run with that flag.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use shuttle::future::{block_on, spawn};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use super::settings::WriteBehind;
use super::store::TieredStore;
use crate::conformance::faulty::FaultyStore;
use crate::memory::MemoryStore;
use crate::record::{Record, RecordKey};
use crate::store::{Created, Renewed, Saved, Store};
use crate::time::Time;

/// Two tiers with one session, and what clients know of it.
struct Scene {
    // Before and after each of their operations others may go on.
    fast: FaultyStore,
    durable: FaultyStore,
    first: Record,
    marks: AtomicU64,
    increments: AtomicU64,
    is_removed: AtomicBool,
}

type Tiered = TieredStore<FaultyStore, FaultyStore>;

impl Scene {
    async fn new() -> Arc<Self> {
        let store = || FaultyStore::new(MemoryStore::with_max_sessions(8));
        let first = Record { key: key(1), attributes: count_is(0), ..crate::record::sample() };
        let (fast, durable) = (store(), store());
        assert_eq!(durable.inner().create(&first).await.unwrap(), Created::Done);
        Arc::new(Scene {
            fast,
            durable,
            first,
            marks: AtomicU64::new(0),
            increments: AtomicU64::new(0),
            is_removed: AtomicBool::new(false),
        })
    }

    fn through(&self) -> Tiered {
        TieredStore::new(self.fast.clone(), self.durable.clone())
    }

    fn behind(&self) -> Tiered {
        let settings = WriteBehind::new().delay(Duration::ZERO);
        TieredStore::builder(self.fast.clone(), self.durable.clone()).write_behind(settings).build().unwrap()
    }

    fn now(&self) -> Time {
        self.first.accessed
    }

    fn next(&self, record: &Record) -> Record {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed) as u32;
        Record { version: record.version.next(mark), ..record.clone() }
    }

    /// Counts once as the manager does, again after each conflict; not if the session is gone.
    async fn increment(&self, store: &Tiered, key: &RecordKey) {
        loop {
            let was_removed = self.is_removed.load(Ordering::SeqCst);
            let Some(found) = store.load(key, self.now()).await.unwrap() else { return };
            assert!(!was_removed, "a removed session was loaded");
            let next = Record { attributes: count_is(count_of(&found) + 1), ..self.next(&found) };
            match store.save(&next, found.version).await.unwrap() {
                Saved::Done => {
                    assert!(!was_removed, "a removed session was saved");
                    self.increments.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Saved::Conflict => {}
                Saved::Missing => return,
            }
        }
    }

    async fn renew(&self, store: &Tiered, new: RecordKey) {
        loop {
            let found = store.load(&self.first.key, self.now()).await.unwrap().expect("nobody else renews it");
            let next = Record { key: new, ..self.next(&found) };
            match store.renew(&found.key, found.version, &next, None).await.unwrap() {
                Renewed::Done => return,
                Renewed::Conflict => {}
                refused => panic!("{refused:?}"),
            }
        }
    }

    async fn remove(&self, store: &Tiered) {
        store.delete(&self.first.key).await.unwrap();
        self.is_removed.store(true, Ordering::SeqCst);
    }

    async fn check_count(&self, stores: &[Tiered], key: &RecordKey) {
        for store in stores {
            store.close().await.unwrap();
        }
        let expected = self.increments.load(Ordering::SeqCst);
        let durable = self.durable.inner().load(key, self.now()).await.unwrap().expect("it is durable");
        assert_eq!(count_of(&durable), expected, "an update was lost");
        for store in stores {
            let found = store.load(key, self.now()).await.unwrap().expect("it is durable");
            assert_eq!(count_of(&found), expected, "the tiers differ");
        }
    }
}

fn key(byte: u8) -> RecordKey {
    RecordKey::from_bytes([byte; 32])
}

fn count_is(count: u64) -> crate::record::Attributes {
    [("Count".to_owned(), count.into())].into_iter().collect()
}

fn count_of(record: &Record) -> u64 {
    record.attributes.get("Count").and_then(|count| count.as_u64()).expect("it counts")
}

/// Random schedules, and those that are likely to show what takes few switches.
fn explore<F: Future<Output = ()> + 'static>(scene: impl Fn() -> F + Send + Sync + 'static) {
    let schedules = std::env::var("CAMPAIGN").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let scene = Arc::new(scene);
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let mut config = Config::new();
        config.stack_size = 1 << 20;
        config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
        let scene = Arc::clone(&scene);
        Runner::new(scheduler, config).run(move || block_on(scene()));
    };
    run(Box::new(RandomScheduler::new(schedules)));
    run(Box::new(PctScheduler::new(3, schedules)));
}

/// Clients of two tiers of each kind, a removal, and a fast tier that evicts.
fn remove_among_writers(store: fn(&Scene) -> Tiered, processes: usize, evicts: bool) {
    explore(move || async move {
        let scene = Scene::new().await;
        let stores: Vec<Tiered> = (0..processes).map(|_| store(&scene)).collect();
        let mut tasks = Vec::new();
        for client in 0..2 {
            let (scene, store) = (Arc::clone(&scene), stores[client % processes].clone());
            tasks.push(spawn(async move {
                scene.increment(&store, &scene.first.key).await;
                scene.increment(&store, &scene.first.key).await;
            }));
        }
        let (remover, removing_store) = (Arc::clone(&scene), stores[0].clone());
        tasks.push(spawn(async move { remover.remove(&removing_store).await }));
        if evicts {
            let scene = Arc::clone(&scene);
            tasks.push(spawn(async move {
                scene.fast.delete(&scene.first.key).await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        for store in &stores {
            store.close().await.unwrap();
            assert_eq!(store.load(&scene.first.key, scene.now()).await.unwrap(), None, "it came back");
        }
        assert_eq!(scene.durable.inner().load(&scene.first.key, scene.now()).await.unwrap(), None);
    });
}

fn count_among_losses(store: fn(&Scene) -> Tiered, processes: usize, evicts: bool) {
    explore(move || async move {
        let scene = Scene::new().await;
        let stores: Vec<Tiered> = (0..processes).map(|_| store(&scene)).collect();
        let mut tasks = Vec::new();
        for client in 0..3 {
            let (scene, store) = (Arc::clone(&scene), stores[client % processes].clone());
            tasks.push(spawn(async move {
                scene.increment(&store, &scene.first.key).await;
                scene.increment(&store, &scene.first.key).await;
            }));
        }
        if evicts {
            let scene = Arc::clone(&scene);
            tasks.push(spawn(async move {
                scene.fast.delete(&scene.first.key).await.unwrap();
                scene.fast.delete(&scene.first.key).await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(scene.increments.load(Ordering::SeqCst), 6);
        scene.check_count(&stores, &scene.first.key).await;
    });
}

fn renew_among_writers(store: fn(&Scene) -> Tiered, processes: usize) {
    explore(move || async move {
        let scene = Scene::new().await;
        let stores: Vec<Tiered> = (0..processes).map(|_| store(&scene)).collect();
        let mut tasks = Vec::new();
        for client in 0..2 {
            let (scene, store) = (Arc::clone(&scene), stores[client % processes].clone());
            tasks.push(spawn(async move {
                scene.increment(&store, &scene.first.key).await;
                scene.increment(&store, &scene.first.key).await;
            }));
        }
        let (renewer, renewing_store) = (Arc::clone(&scene), stores[0].clone());
        tasks.push(spawn(async move { renewer.renew(&renewing_store, key(2)).await }));
        for task in tasks {
            task.await.unwrap();
        }
        scene.check_count(&stores, &key(2)).await;
        for store in &stores {
            assert_eq!(store.load(&scene.first.key, scene.now()).await.unwrap(), None, "the old id is valid");
        }
    });
}

#[test]
fn writing_through_nothing_removed_comes_back() {
    remove_among_writers(Scene::through, 2, true);
}

#[test]
fn writing_behind_nothing_removed_comes_back() {
    remove_among_writers(Scene::behind, 1, true);
    remove_among_writers(Scene::behind, 2, false);
}

#[test]
fn writing_through_no_update_is_lost() {
    count_among_losses(Scene::through, 2, true);
}

#[test]
fn writing_behind_no_update_is_lost() {
    count_among_losses(Scene::behind, 1, true);
    count_among_losses(Scene::behind, 2, false);
}

#[test]
fn writing_through_renewing_loses_no_update() {
    renew_among_writers(Scene::through, 2);
}

#[test]
fn writing_behind_renewing_loses_no_update() {
    renew_among_writers(Scene::behind, 1);
    renew_among_writers(Scene::behind, 2);
}
