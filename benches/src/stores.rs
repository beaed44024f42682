//! Stores alone, each in a process of its own: sessions with two small attributes, random ids.

mod axum_session;
mod dash_map;
mod ours;
mod sharded_map;
mod tower_sessions;

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

use crate::figure;
use crate::stats::{Random, quantile, resident_bytes, thread_time};

pub const NAMES: [&str; 7] =
    ["sharded-map", "dashmap", "ours", "ours-nearly-full", "tower-sessions", "tower-sessions-moka", "axum-session"];

/// A store as its library calls it. What a request does before that is prepared outside the
/// measured time.
pub trait Contender: Send + Sync + Sized {
    type Id: Copy + Send + Sync;
    type Prepared: Send;

    fn with_capacity(sessions: usize) -> Self;
    fn new_record(&self, random: &mut Random) -> (Self::Id, Self::Prepared);
    fn create(&self, prepared: Self::Prepared);
    fn get(&self, id: Self::Id);
    /// What saving the session of this id needs, loaded if need be.
    fn prepare_save(&self, id: Self::Id) -> Self::Prepared;
    /// Whether it was saved, and not refused as another was faster.
    fn save(&self, prepared: Self::Prepared) -> bool;
    fn delete(&self, id: Self::Id);
    /// Waits until what was left to a thread is done.
    fn come_to_rest(&self) {}
}

pub fn run(name: &str, sessions: usize, operations: usize) {
    match name {
        "sharded-map" => measure::<sharded_map::ShardedMap>(name, sessions, operations),
        "dashmap" => measure::<dash_map::Dashed>(name, sessions, operations),
        "ours" => measure::<ours::Ours<200>>(name, sessions, operations),
        "ours-nearly-full" => measure::<ours::Ours<112>>(name, sessions, operations),
        "tower-sessions" => measure::<tower_sessions::Memory>(name, sessions, operations),
        "tower-sessions-moka" => measure::<tower_sessions::Moka>(name, sessions, operations),
        "axum-session" => axum_session::run(name, sessions, operations),
        _ => panic!("the stores are {NAMES:?}"),
    }
}

/// How many operations are prepared at a time.
const BATCH: usize = 256;

fn measure<C: Contender>(name: &str, sessions: usize, operations: usize) {
    let print =
        |work: &str, measure: &str, value| figure::print("store", name, work, &format!("{measure} {sessions}"), value);
    let mut random = Random::seeded(7);
    let before = resident_bytes();
    let store = C::with_capacity(sessions);
    let mut ids: Vec<C::Id> = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        let (id, prepared) = store.new_record(&mut random);
        store.create(prepared);
        ids.push(id);
    }
    store.come_to_rest();
    let used = resident_bytes() - before - (sessions * size_of::<C::Id>()) as f64;
    print("memory", "bytes", used / sessions as f64);
    shuffle(&mut ids, &mut random);

    let ids_in_turn = || ids.iter().copied().cycle();
    time_each(operations / 4, ids_in_turn(), |id| store.get(id));
    report(&print, "get", operations, ids_in_turn(), |id| store.get(id));
    let saves = ids_in_turn().map(|id| store.prepare_save(id));
    report(&print, "save", operations, saves, |prepared| assert!(store.save(prepared)));

    let halves = ids.split_at(ids.len() / 2);
    let hot = &ids[..1];
    for (spread, shares) in [("different", [halves.0, halves.1]), ("one hot", [hot, hot])] {
        let read = |id| store.get(id);
        print(&format!("get, 2 threads, {spread}"), "million/s", two_threads(operations / 2, shares, read));
        let change = |id| while !store.save(store.prepare_save(id)) {};
        print(&format!("load and save, 2 threads, {spread}"), "million/s", two_threads(operations / 2, shares, change));
    }

    // Beside those that stay, so that the size is what it says.
    let extra = sessions.min(100_000);
    let mut created = Vec::with_capacity(extra);
    let records = std::iter::repeat_with(|| {
        let (id, prepared) = store.new_record(&mut random);
        created.push(id);
        prepared
    });
    report(&print, "create", extra / 2, records, |prepared| store.create(prepared));
    report(&print, "delete", created.len() / 2, created.into_iter(), |id| store.delete(id));
}

/// Means of one pass, and quantiles of another in which each operation is timed.
fn report<T>(
    print: &impl Fn(&str, &str, f64),
    work: &str,
    count: usize,
    mut prepared: impl Iterator<Item = T>,
    mut run: impl FnMut(T),
) {
    print(work, "mean ns", time_all(count, &mut prepared, &mut run));
    let times = time_each(count, prepared, run);
    for (part, label) in [(0.5, "p50 ns"), (0.99, "p99 ns"), (0.999, "p99.9 ns"), (1.0, "max ns")] {
        print(work, label, quantile(&times, part) as f64);
    }
}

/// The mean time on the processor.
fn time_all<T>(count: usize, mut prepared: impl Iterator<Item = T>, mut run: impl FnMut(T)) -> f64 {
    let (mut done, mut ns) = (0, 0);
    while done < count {
        let batch: Vec<T> = prepared.by_ref().take(BATCH.min(count - done)).collect();
        done += batch.len();
        let start = thread_time();
        batch.into_iter().for_each(&mut run);
        ns += (thread_time() - start).as_nanos();
    }
    ns as f64 / done as f64
}

/// The time by the clock of each, sorted.
fn time_each<T>(count: usize, mut prepared: impl Iterator<Item = T>, mut run: impl FnMut(T)) -> Vec<u64> {
    let mut times = Vec::with_capacity(count);
    while times.len() < count {
        let batch: Vec<T> = prepared.by_ref().take(BATCH.min(count - times.len())).collect();
        for item in batch {
            let start = Instant::now();
            run(item);
            times.push(start.elapsed().as_nanos() as u64);
        }
    }
    times.sort_unstable();
    times
}

/// Operations per second of two threads together, in millions.
fn two_threads<Id: Copy + Send + Sync>(each: usize, shares: [&[Id]; 2], run: impl Fn(Id) + Sync) -> f64 {
    let start = Instant::now();
    thread::scope(|scope| {
        for share in shares {
            let run = &run;
            scope.spawn(move || share.iter().copied().cycle().take(each).for_each(run));
        }
    });
    2.0 * each as f64 / start.elapsed().as_secs_f64() / 1e6
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for n in (1..items.len()).rev() {
        items.swap(n, random.below(n + 1));
    }
}

/// Runs a future on this thread, which sleeps while it waits for another's lock.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static WAKER: Waker = Arc::new(WakesThread(thread::current())).into();
    }
    let mut future = std::pin::pin!(future);
    WAKER.with(|waker| {
        let mut context = Context::from_waker(waker);
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(value) => return value,
                Poll::Pending => thread::park(),
            }
        }
    })
}

struct WakesThread(thread::Thread);

impl Wake for WakesThread {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub fn two_attributes(n: usize) -> Vec<(String, serde_json::Value)> {
    vec![("count".to_owned(), n.into()), ("user".to_owned(), "ann".into())]
}
