use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use session_core::{ManualClock, MemoryStore, NewSession, SessionManager, Store};

use crate::stats::{Random, resident_bytes};
use crate::stores::now;

/// Reads while nothing happens, and while all sessions expire in the same second.
pub fn run(store: &str, sessions: usize) {
    match store {
        "ours" => ours(sessions),
        "sharded-map" => sharded_map(sessions),
        "moka" => moka(sessions),
        _ => panic!("the stores are ours, sharded-map, moka"),
    }
}

fn report(store: &str, sessions: usize, quiet: Duration, expiring: Duration) {
    println!("{store} {sessions} quiet {:.2} ms", quiet.as_secs_f64() * 1e3);
    println!("{store} {sessions} expiring {:.2} ms", expiring.as_secs_f64() * 1e3);
}

/// The longest of all reads until `done`.
fn longest_read(done: &AtomicBool, sessions: usize, read: impl Fn(usize)) -> Duration {
    let mut random = Random(11);
    let mut longest = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        let n = random.below(sessions);
        let start = Instant::now();
        read(n);
        longest = longest.max(start.elapsed());
    }
    longest
}

/// The longest read while something else is done on another thread.
fn meanwhile(sessions: usize, work: impl FnOnce() + Send, read: impl Fn(usize)) -> Duration {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            work();
            done.store(true, Ordering::Relaxed);
        });
        longest_read(&done, sessions, read)
    })
}

fn ours(sessions: usize) {
    let clock = Arc::new(ManualClock::default());
    let store = MemoryStore::with_max_sessions(sessions as u64 * 2);
    let builder = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
    let manager = builder.build().expect("these settings work");
    let keys: Vec<_> = (0..sessions)
        .map(|n| {
            let new = NewSession::new().attr("count", &n).attr("user", "ann");
            now(manager.create(new)).expect("it is stored").handle()
        })
        .collect();
    let read = |n: usize| drop(store.load_now(&keys[n], manager.now()));
    let quiet = meanwhile(sessions, || thread::sleep(Duration::from_secs(1)), read);
    clock.advance(Duration::from_secs(86_400));
    let purge = || {
        let purged = now(manager.purge_expired(Duration::MAX)).expect("it does not fail");
        assert_eq!(purged.expired, sessions as u64);
    };
    report("ours", sessions, quiet, meanwhile(sessions, purge, read));
}

/// The floor: 64 shards, swept one by one.
fn sharded_map(sessions: usize) {
    use std::collections::HashMap;
    use std::sync::RwLock;
    let shards: Vec<RwLock<HashMap<u64, Arc<Vec<u8>>>>> = (0..64).map(|_| RwLock::default()).collect();
    let mut random = Random(5);
    let keys: Vec<u64> = (0..sessions).map(|_| random.below(usize::MAX) as u64).collect();
    for key in &keys {
        shards[(key % 64) as usize].write().expect("no panic").insert(*key, Arc::new(vec![0; 200]));
    }
    let read = |n: usize| drop(shards[(keys[n] % 64) as usize].read().expect("no panic").get(&keys[n]).cloned());
    let quiet = meanwhile(sessions, || thread::sleep(Duration::from_secs(1)), read);
    let sweep = || shards.iter().for_each(|shard| shard.write().expect("no panic").retain(|_, _| false));
    report("sharded-map", sessions, quiet, meanwhile(sessions, sweep, read));
}

/// moka with a lifetime, as a session store on it alone would have; its own clock can't be moved.
fn moka(sessions: usize) {
    use tower_sessions_014::SessionStore;
    use tower_sessions_014::session::Record;
    let store = tower_sessions_moka_store::MokaStore::new(Some(sessions as u64 * 2));
    let deadline = std::time::SystemTime::now() + Duration::from_secs(20);
    let ids: Vec<_> = (0..sessions)
        .map(|n| {
            let data = [("count".to_owned(), n.into()), ("user".to_owned(), "ann".into())].into_iter().collect();
            let mut record = Record { id: Default::default(), data, expiry_date: deadline.into() };
            now(store.create(&mut record)).expect("it is stored");
            record.id
        })
        .collect();
    let read = |n: usize| drop(now(store.load(&ids[n])).expect("it does not fail"));
    let quiet = meanwhile(sessions, || thread::sleep(Duration::from_secs(1)), read);
    let left = deadline.duration_since(std::time::SystemTime::now()).unwrap_or_default();
    let wait = || thread::sleep(left + Duration::from_secs(5));
    report("tower-sessions-moka", sessions, quiet, meanwhile(sessions, wait, read));
}

/// New anonymous sessions at the bound of a store that also has a thousand idle signed-in ones.
pub fn flood(sessions: usize, bound: u64) {
    let store = MemoryStore::with_max_sessions(bound);
    let manager = SessionManager::builder(store.clone()).without_background_purge().build();
    let manager = manager.expect("these settings work");
    let signed_in: Vec<_> = (0..1000)
        .map(|n| now(manager.create(NewSession::new().principal(n.to_string()))).expect("it is stored").handle())
        .collect();
    let mut at_the_bound = 0.0;
    for n in 0..sessions {
        now(manager.create(NewSession::new().attr("count", &n))).expect("it is stored");
        if n as u64 == bound {
            at_the_bound = resident_bytes();
        }
    }
    let alive = signed_in
        .iter()
        .filter(|key| store.load_now(key, manager.now()).is_some_and(|found| matches!(found, Ok(Some(_)))));
    println!("ours flood-alive {} of 1000", alive.count());
    println!("ours flood-records {} records", store.len());
    println!("ours flood-at-the-bound {:.1} MiB", at_the_bound / (1 << 20) as f64);
    println!("ours flood-at-the-end {:.1} MiB", resident_bytes() / (1 << 20) as f64);
}
