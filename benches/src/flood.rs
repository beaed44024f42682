//! New anonymous sessions, many times the bound of the store, beside idle signed-in ones.

use session_core::{ImmediateStore, MemoryStore, NewSession, SessionManager};

use crate::figure;
use crate::stats::resident_bytes;
use crate::stores::now;

const SIGNED_IN: usize = 1000;
const STEPS: usize = 10;

pub fn run(sessions: usize, bound: u64) {
    let store = MemoryStore::with_max_sessions(bound);
    let manager = SessionManager::new(store.clone());
    let signed_in = |n: usize| {
        let new = NewSession::new().principal(n.to_string());
        now(manager.create(new)).expect("it is stored").handle()
    };
    let signed_in: Vec<_> = (0..SIGNED_IN).map(signed_in).collect();
    let work = format!("{sessions} at {bound}");
    let print = |measure: &str, value| figure::print("flood", "ours", &work, measure, value);
    let mebibytes = || resident_bytes() / f64::from(1 << 20);
    for n in 0..bound {
        now(manager.create(NewSession::new().attr("count", &n))).expect("it is stored");
    }
    print("MiB at the bound", mebibytes());
    for step in 1..=STEPS {
        for n in 0..sessions / STEPS {
            now(manager.create(NewSession::new().attr("count", &n))).expect("it is stored");
        }
        print(&format!("MiB after {}", step * sessions / STEPS), mebibytes());
    }
    let is_alive = |key| matches!(store.load_now(key, manager.now()), Some(Ok(Some(_))));
    print("signed-in", SIGNED_IN as f64);
    print("signed-in alive", signed_in.iter().filter(|key| is_alive(key)).count() as f64);
    print("records", store.len() as f64);
}
