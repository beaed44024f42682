//! G16: sessions that all expire within one second, while others are read.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dashmap::DashMap;
use session_core::{
    Clock, ImmediateStore, MemoryStore, Record, RecordKey, SessionManager, Store, SystemClock, Version,
};
use tower_sessions_014::SessionStore as _;
use tower_sessions_014::session::Record as PeerRecord;
use tower_sessions_moka_store::MokaStore;

use crate::figure;
use crate::stats::Random;
use crate::stores::{now, two_attributes};

pub const NAMES: [&str; 4] = ["sharded-map", "dashmap", "ours", "tower-sessions-moka"];

/// How many sessions stay, and are read.
const STAYING: usize = 10_000;
/// Ten seconds until our store begins to purge at most, and then some to purge a million.
const WATCHED: Duration = Duration::from_secs(15);

/// A store that holds sessions with deadlines, and gets rid of them as it does in service.
trait Expiring: Sync {
    fn add(&mut self, deadline: SystemTime);
    /// One of those added last.
    fn read(&self, n: usize) -> bool;
    /// For those that don't by themselves.
    fn purge(&self) {}
    fn len(&self) -> Option<usize>;
}

pub fn run(name: &str, sessions: usize) {
    match name {
        "sharded-map" => watch(name, sessions, ShardedMap::default()),
        "dashmap" => watch(name, sessions, Dashed::default()),
        "ours" => watch(name, sessions, Ours::new(sessions)),
        "tower-sessions-moka" => watch(name, sessions, Moka::new(sessions)),
        _ => panic!("the stores are {NAMES:?}"),
    }
}

fn watch(name: &str, sessions: usize, mut store: impl Expiring) {
    // Enough time to create them all, whatever the store.
    let expire_from = SystemTime::now() + Duration::from_micros(15 * sessions as u64) + WATCHED + WATCHED;
    for n in 0..sessions {
        store.add(expire_from + Duration::from_secs_f64(n as f64 / sessions as f64));
    }
    for _ in 0..STAYING {
        store.add(expire_from + Duration::from_secs(3600));
    }
    let print = |measure, longest: Duration| {
        figure::print("expiry", name, &sessions.to_string(), measure, longest.as_secs_f64() * 1e3)
    };
    print("quiet ms", longest_read_until(&store, SystemTime::now() + WATCHED));
    thread::sleep(until(expire_from));
    let purging = AtomicBool::new(true);
    let longest = thread::scope(|scope| {
        scope.spawn(|| {
            while purging.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_secs(1));
                store.purge();
            }
        });
        let longest = longest_read_until(&store, expire_from + WATCHED);
        purging.store(false, Ordering::Relaxed);
        longest
    });
    print("expiring ms", longest);
    if let Some(left) = store.len() {
        assert_eq!(left, STAYING, "{name} still has expired sessions");
    }
}

fn until(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::now()).expect("they are created before they expire")
}

fn longest_read_until(store: &impl Expiring, end: SystemTime) -> Duration {
    let end = Instant::now() + until(end);
    let mut random = Random::seeded(11);
    let mut longest = Duration::ZERO;
    let mut start = Instant::now();
    while start < end {
        assert!(store.read(random.below(STAYING)), "a session that stays is gone");
        let read = Instant::now();
        longest = longest.max(read - start);
        start = read;
    }
    longest
}

/// With the purging thread that a manager has.
struct Ours {
    store: MemoryStore,
    keys: Vec<RecordKey>,
    random: Random,
    _manager: SessionManager,
}

impl Ours {
    fn new(sessions: usize) -> Self {
        let store = MemoryStore::with_max_sessions(sessions as u64 * 2);
        let manager = SessionManager::new(store.clone());
        Ours { store, keys: Vec::new(), random: Random::seeded(3), _manager: manager }
    }
}

impl Expiring for Ours {
    fn add(&mut self, deadline: SystemTime) {
        let now_is = SystemClock.now();
        let key = RecordKey::from_bytes(self.random.bytes());
        let mut record = Record::new(key, Version::from_number(1), now_is, Duration::from_secs(2 * 3600));
        record.absolute_deadline = Some(now_is.saturating_add(until(deadline)));
        record.attributes = two_attributes(0).into_iter().collect();
        let _ = now(self.store.create(&record)).expect("it does not fail");
        self.keys.push(record.key);
    }

    fn read(&self, n: usize) -> bool {
        let key = &self.keys[self.keys.len() - 1 - n];
        let loaded = self.store.load_now(key, SystemClock.now()).expect("it answers at once");
        loaded.expect("it does not fail").is_some()
    }

    fn len(&self) -> Option<usize> {
        Some(self.store.len())
    }
}

type Session = (SystemTime, Vec<(String, serde_json::Value)>);

/// A floor: shards swept one by one.
struct ShardedMap {
    shards: Vec<RwLock<HashMap<[u8; 18], Arc<Session>>>>,
    ids: Vec<[u8; 18]>,
    random: Random,
}

impl Default for ShardedMap {
    fn default() -> Self {
        let shards = (0..64).map(|_| RwLock::default()).collect();
        ShardedMap { shards, ids: Vec::new(), random: Random::seeded(3) }
    }
}

impl Expiring for ShardedMap {
    fn add(&mut self, deadline: SystemTime) {
        let id: [u8; 18] = self.random.bytes();
        let mut shard = self.shards[usize::from(id[17] % 64)].write().unwrap_or_else(PoisonError::into_inner);
        shard.insert(id, Arc::new((deadline, two_attributes(0))));
        self.ids.push(id);
    }

    fn read(&self, n: usize) -> bool {
        let id = &self.ids[self.ids.len() - 1 - n];
        let shard = self.shards[usize::from(id[17] % 64)].read().unwrap_or_else(PoisonError::into_inner);
        black_box(shard.get(id).cloned()).is_some()
    }

    fn purge(&self) {
        let now = SystemTime::now();
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(|_, session| now < session.0);
        }
    }

    fn len(&self) -> Option<usize> {
        Some(self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum())
    }
}

/// A floor, and the map of axum_session, which sweeps it by `retain` an hour after its start.
struct Dashed {
    map: DashMap<[u8; 18], Arc<Session>>,
    ids: Vec<[u8; 18]>,
    random: Random,
}

impl Default for Dashed {
    fn default() -> Self {
        Dashed { map: DashMap::new(), ids: Vec::new(), random: Random::seeded(3) }
    }
}

impl Expiring for Dashed {
    fn add(&mut self, deadline: SystemTime) {
        let id: [u8; 18] = self.random.bytes();
        self.map.insert(id, Arc::new((deadline, two_attributes(0))));
        self.ids.push(id);
    }

    fn read(&self, n: usize) -> bool {
        let found = self.map.get(&self.ids[self.ids.len() - 1 - n]);
        black_box(found.map(|found| Arc::clone(&found))).is_some()
    }

    fn purge(&self) {
        let now = SystemTime::now();
        self.map.retain(|_, session| now < session.0);
    }

    fn len(&self) -> Option<usize> {
        Some(self.map.len())
    }
}

/// moka removes what has expired when it is next used.
struct Moka {
    store: MokaStore,
    ids: Vec<tower_sessions_014::session::Id>,
}

impl Moka {
    fn new(sessions: usize) -> Self {
        Moka { store: MokaStore::new(Some(sessions as u64 * 2)), ids: Vec::new() }
    }
}

impl Expiring for Moka {
    fn add(&mut self, deadline: SystemTime) {
        let data = two_attributes(0).into_iter().collect();
        let mut record = PeerRecord { id: Default::default(), data, expiry_date: deadline.into() };
        now(self.store.create(&mut record)).expect("it is stored");
        self.ids.push(record.id);
    }

    fn read(&self, n: usize) -> bool {
        let loaded = now(self.store.load(&self.ids[self.ids.len() - 1 - n]));
        black_box(loaded.expect("it does not fail")).is_some()
    }

    fn len(&self) -> Option<usize> {
        None
    }
}
