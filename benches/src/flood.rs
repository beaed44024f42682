//! A store in memory is flooded, beside users who are signed in: what it takes, who is still there, and how long a
//! bystander waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use session_core::{FastStore, MemoryStore, NewSession, RecordKey, SessionId, SessionManager};

use crate::figure;
use crate::stats::{Random, quantile, resident_bytes};
use crate::stores::now;

/// The name of each, how many sessions the store may hold, and how many users are signed in before it begins.
const FLOODS: [(&str, u64, usize); 5] = [
    ("strangers", 100_000, 1000),
    ("one-account", 10_000, 9000),
    ("large-values", 1000, 900),
    ("endings", 100_000, 1000),
    // Here everybody gives way who was not there lately.
    ("accounts", 1_000_000, 0),
];

pub fn names() -> impl Iterator<Item = &'static str> {
    FLOODS.into_iter().map(|(name, ..)| name)
}

pub fn run(name: &str, part: f64) {
    let (_, bound, users) = FLOODS.into_iter().find(|(flood, ..)| *flood == name).expect("there is such a flood");
    let store = MemoryStore::with_max_sessions(bound);
    let manager = SessionManager::new(store.clone());
    let print = |measure: &str, value| figure::print("flood", "ours", name, measure, value);
    let signed_in =
        |n: usize| now(manager.create(NewSession::new().principal(n.to_string()))).expect("it is stored").id();
    let users: Vec<SessionId> = (0..users).map(signed_in).collect();
    let before = resident_bytes();

    let is_over = AtomicBool::new(false);
    let (mut coming, mut bystander) = std::thread::scope(|scope| {
        let bystander = scope.spawn(|| stand_by(&manager, &users, &is_over));
        let coming = flood(name, part, bound, &store, &manager);
        is_over.store(true, Ordering::Relaxed);
        (coming, bystander.join().expect("no panic"))
    });

    print("came", coming.len() as f64);
    print("MiB more", (resident_bytes() - before) / f64::from(1 << 20));
    let alive = |id: &&SessionId| now(manager.get(id.as_str())).expect("it answers").is_some();
    print("signed in", users.len() as f64);
    print("still signed in", users.iter().filter(alive).count() as f64);
    coming.sort_unstable();
    bystander.sort_unstable();
    for (whose, waits) in [("comer", &coming), ("bystander", &bystander)] {
        let ms = |nanos: u64| nanos as f64 / 1e6;
        print(&format!("{whose}: p99.9 ms"), ms(quantile(waits, 0.999)));
        print(&format!("{whose}: longest ms"), ms(*waits.last().expect("it did something")));
    }
}

/// How long each that came had to wait, in nanoseconds.
fn flood(name: &str, part: f64, bound: u64, store: &MemoryStore, manager: &SessionManager) -> Vec<u64> {
    let times = |full: u64| 0..(full as f64 * part).ceil() as u64;
    let create = |new: NewSession| timed(|| drop(now(manager.create(new)).expect("it is stored")));
    match name {
        "strangers" => times(10_000_000).map(|n| create(NewSession::new().attr("count", &n))).collect(),
        "one-account" => times(600_000).map(|_| create(NewSession::new().principal("ann"))).collect(),
        "large-values" => {
            let value = "x".repeat(1_000_000);
            times(6000).map(|_| create(NewSession::new().attr("value", &value))).collect()
        }
        "endings" => {
            let until = manager.now().saturating_add(Duration::from_secs(3600));
            let mut random = Random::seeded(1);
            let mut end = |_| {
                let key = RecordKey::from_bytes(random.bytes());
                timed(|| now(store.bury(&key, manager.now(), until)).expect("it is noted"))
            };
            times(3_000_000).map(&mut end).collect()
        }
        // More than there is room for, whatever the part.
        _ => (0..bound * 3 / 2).map(|n| create(NewSession::new().principal(n.to_string()))).collect(),
    }
}

/// Signs in and out, and looks at others' sessions. Returns how long each of these took, in nanoseconds.
fn stand_by(manager: &SessionManager, users: &[SessionId], is_over: &AtomicBool) -> Vec<u64> {
    let mut waits = Vec::new();
    let mut random = Random::seeded(2);
    while !is_over.load(Ordering::Relaxed) {
        if !users.is_empty() {
            let id = &users[random.below(users.len())];
            waits.push(timed(|| drop(now(manager.get(id.as_str())))));
        }
        let mut session = None;
        let new = NewSession::new().principal("bystander");
        waits.push(timed(|| session = Some(now(manager.create(new)).expect("it is stored"))));
        let handle = session.expect("it was just created").handle();
        waits.push(timed(|| drop(now(manager.end(&handle)))));
        std::thread::sleep(Duration::from_micros(100));
    }
    waits
}

fn timed(work: impl FnOnce()) -> u64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as u64
}
