//! Stores alone, each in a process of its own: sessions with two small attributes, random ids.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, RwLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use dashmap::DashMap;
use session_core::{AnyStore, MemoryStore, NewSession, Record, RecordKey, SessionManager, Store, Version, Written};

use crate::stats::{Random, quantile, resident_bytes};

pub const NAMES: [&str; 5] = ["sharded-map", "dashmap", "ours", "tower-sessions-memory", "tower-sessions-moka"];

/// Sessions by number: each store keeps its own ids beside.
pub trait Contender: Send + Sync {
    fn create(&mut self, n: usize);
    fn get(&self, n: usize);
    fn save(&self, n: usize);
    fn delete(&self, n: usize);
    /// How much memory the list of ids takes, which is not the store's.
    fn id_bytes(&self) -> usize;
}

pub fn contender(name: &str, sessions: usize) -> Box<dyn Contender> {
    match name {
        "sharded-map" => Box::new(ShardedMap::new()),
        "dashmap" => Box::new(Dashed::default()),
        "ours" => Box::new(Ours::new()),
        "tower-sessions-memory" => Box::new(peers::memory()),
        "tower-sessions-moka" => Box::new(peers::moka(sessions as u64 * 2)),
        _ => panic!("the stores are {NAMES:?}"),
    }
}

pub fn run(name: &str, sessions: usize) {
    let before = resident_bytes();
    let mut store = contender(name, sessions);
    let start = Instant::now();
    for n in 0..sessions {
        store.create(n);
    }
    let create = start.elapsed().as_nanos() as f64 / sessions as f64;
    let used = resident_bytes() - before - (sessions * store.id_bytes()) as f64;
    let print = |what: &str, value: f64, unit: &str| println!("{name} {sessions} {what} {value:.1} {unit}");
    print("memory", used / sessions as f64, "bytes");
    print("create", create, "ns");
    let store = &*store;
    let operations = 1_000_000;
    let operations_of_a_store: [(&str, fn(&dyn Contender, usize)); 2] =
        [("get", |store, n| store.get(n)), ("save", |store, n| store.save(n))];
    for (what, operation) in operations_of_a_store {
        let order = order(operations, sessions, 1);
        let start = Instant::now();
        for &n in &order {
            operation(store, n);
        }
        print(what, start.elapsed().as_nanos() as f64 / operations as f64, "ns");
        let mut times: Vec<u64> = order.iter().rev().map(|&n| timed(|| operation(store, n))).collect();
        times.sort_unstable();
        for (part, label) in [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "max")] {
            print(&format!("{what}-{label}"), quantile(&times, part) as f64, "ns");
        }
    }
    for (what, spread) in [("two-threads-different", sessions), ("two-threads-one-hot", 1)] {
        print(what, two_threads(store, spread), "million/s");
    }
    let deletions = sessions.min(100_000);
    let start = Instant::now();
    for n in 0..deletions {
        store.delete(n);
    }
    print("delete", start.elapsed().as_nanos() as f64 / deletions as f64, "ns");
}

fn order(operations: usize, sessions: usize, seed: u64) -> Vec<usize> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
    (0..operations).map(|_| random.below(sessions)).collect()
}

fn timed(work: impl FnOnce()) -> u64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as u64
}

/// Reads per second of two threads together, in millions.
fn two_threads(store: &dyn Contender, sessions: usize) -> f64 {
    let orders = [order(500_000, sessions, 2), order(500_000, sessions, 3)];
    let start = Instant::now();
    thread::scope(|scope| {
        for order in &orders {
            scope.spawn(|| order.iter().for_each(|&n| store.get(n)));
        }
    });
    1.0 / start.elapsed().as_secs_f64()
}

/// Runs a future of a store in memory, which has nothing to wait for but a lock.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::yield_now(),
        }
    }
}

/// The floor: 64 shards of lock and map, keys of 18 bytes, two attributes.
struct ShardedMap {
    shards: Vec<RwLock<Shard>>,
    ids: Vec<[u8; 18]>,
    random: Random,
}

type Shard = HashMap<[u8; 18], Arc<Mutex<Vec<(String, serde_json::Value)>>>>;

impl ShardedMap {
    fn new() -> Self {
        ShardedMap { shards: (0..64).map(|_| RwLock::default()).collect(), ids: Vec::new(), random: Random(7) }
    }

    fn shard(&self, id: &[u8; 18]) -> &RwLock<Shard> {
        &self.shards[usize::from(id[17]) % 64]
    }
}

fn random_id(random: &mut Random) -> [u8; 18] {
    std::array::from_fn(|_| random.below(256) as u8)
}

fn two_attributes(n: usize) -> Vec<(String, serde_json::Value)> {
    vec![("count".to_owned(), n.into()), ("user".to_owned(), "ann".into())]
}

impl Contender for ShardedMap {
    fn create(&mut self, n: usize) {
        let id = random_id(&mut self.random);
        self.shard(&id).write().expect("no panic").insert(id, Arc::new(Mutex::new(two_attributes(n))));
        self.ids.push(id);
    }
    fn get(&self, n: usize) {
        let id = &self.ids[n];
        black_box(self.shard(id).read().expect("no panic").get(id).cloned());
    }
    fn save(&self, n: usize) {
        let id = &self.ids[n];
        let found = self.shard(id).read().expect("no panic").get(id).cloned();
        *found.expect("it is there").lock().expect("no panic") = two_attributes(n);
    }
    fn delete(&self, n: usize) {
        let id = &self.ids[n];
        self.shard(id).write().expect("no panic").remove(id);
    }
    fn id_bytes(&self) -> usize {
        18
    }
}

struct Dashed {
    map: DashMap<[u8; 18], Arc<Mutex<Vec<(String, serde_json::Value)>>>>,
    ids: Vec<[u8; 18]>,
    random: Random,
}

impl Default for Dashed {
    fn default() -> Self {
        Dashed { map: DashMap::new(), ids: Vec::new(), random: Random(7) }
    }
}

impl Contender for Dashed {
    fn create(&mut self, n: usize) {
        let id = random_id(&mut self.random);
        self.map.insert(id, Arc::new(Mutex::new(two_attributes(n))));
        self.ids.push(id);
    }
    fn get(&self, n: usize) {
        black_box(self.map.get(&self.ids[n]).map(|found| Arc::clone(&found)));
    }
    fn save(&self, n: usize) {
        let found = self.map.get(&self.ids[n]).map(|found| Arc::clone(&found));
        *found.expect("it is there").lock().expect("no panic") = two_attributes(n);
    }
    fn delete(&self, n: usize) {
        self.map.remove(&self.ids[n]);
    }
    fn id_bytes(&self) -> usize {
        18
    }
}

/// Ours, through the type that forgets which store it is, as a request uses it.
struct Ours {
    store: AnyStore,
    sessions: SessionManager,
    keys: Vec<RecordKey>,
}

impl Ours {
    fn new() -> Self {
        let store = AnyStore::new(MemoryStore::with_max_sessions(10_000_000));
        let sessions = SessionManager::builder(store.clone()).without_background_purge().build();
        Ours { store, sessions: sessions.expect("these settings work"), keys: Vec::new() }
    }

    fn load(&self, n: usize) -> Record {
        let loaded = self.store.load_now(&self.keys[n], self.sessions.now()).expect("it answers at once");
        loaded.expect("it does not fail").expect("it is there")
    }
}

impl Contender for Ours {
    fn create(&mut self, n: usize) {
        let new = NewSession::new().attr("count", &n).attr("user", "ann");
        let session = now(self.sessions.create(new)).expect("it is stored");
        self.keys.push(session.handle());
    }
    fn get(&self, n: usize) {
        black_box(self.load(n));
    }
    fn save(&self, n: usize) {
        // Saving needs the version that was loaded, so this is a load and a save.
        let record = self.load(n);
        let expected = record.version;
        let version = Version::from_number(expected.get() + 1);
        let written = self.store.save_now(&Record { version, ..record }, expected).expect("it answers at once");
        assert_eq!(written.expect("it does not fail"), Written::Done);
    }
    fn delete(&self, n: usize) {
        now(self.store.delete(&self.keys[n])).expect("it does not fail");
    }
    fn id_bytes(&self) -> usize {
        32
    }
}

/// tower-sessions' stores, through their own trait; two versions of it.
mod peers {
    use std::hint::black_box;

    use super::{Contender, now};

    macro_rules! contender {
        ($name:ident, $library:ident, $store:ty) => {
            pub struct $name {
                pub store: $store,
                pub ids: Vec<$library::session::Id>,
            }

            impl $name {
                fn record(&self, id: $library::session::Id, n: usize) -> $library::session::Record {
                    let lifetime = std::time::Duration::from_secs(7200);
                    let expiry_date = std::time::SystemTime::now() + lifetime;
                    let data = super::two_attributes(n).into_iter().collect();
                    $library::session::Record { id, data, expiry_date: expiry_date.into() }
                }
            }

            impl Contender for $name {
                fn create(&mut self, n: usize) {
                    use $library::SessionStore;
                    let mut record = self.record(Default::default(), n);
                    now(self.store.create(&mut record)).expect("it is stored");
                    self.ids.push(record.id);
                }
                fn get(&self, n: usize) {
                    use $library::SessionStore;
                    black_box(now(self.store.load(&self.ids[n])).expect("it does not fail"));
                }
                fn save(&self, n: usize) {
                    use $library::SessionStore;
                    now(self.store.save(&self.record(self.ids[n], n))).expect("it is stored");
                }
                fn delete(&self, n: usize) {
                    use $library::SessionStore;
                    now(self.store.delete(&self.ids[n])).expect("it does not fail");
                }
                fn id_bytes(&self) -> usize {
                    16
                }
            }
        };
    }

    contender!(Memory, tower_sessions, tower_sessions::MemoryStore);
    contender!(Moka, tower_sessions_014, tower_sessions_moka_store::MokaStore);

    pub fn memory() -> Memory {
        Memory { store: Default::default(), ids: Vec::new() }
    }

    pub fn moka(capacity: u64) -> Moka {
        Moka { store: tower_sessions_moka_store::MokaStore::new(Some(capacity)), ids: Vec::new() }
    }
}
