//! F10, G9: random schedules of clients, processes, losses and failures, against what must hold:
//! nothing that was removed comes back, nothing appears from nowhere, no update is lost.
//!
//! `CAMPAIGN=100000 cargo test -p session-core --release --test tiered schedules` for a long run;
//! `SEED=17` with it runs that schedule alone. Time is virtual, so delays cost nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_core::{
    Clock, Error, ManualClock, NewSession, Session, SessionId, SessionManager, Store, TieredStore, Time, WriteBehind,
};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::*;

/// What the tiers go through.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    processes: usize,
    write_behind: bool,
    /// Copies vanish from the fast tier.
    evictions: bool,
    /// Copies and burials do.
    wipes: bool,
    fast_failures: bool,
    durable_failures: bool,
}

const MAX_STALENESS: Duration = Duration::from_millis(200);
const CLIENTS: usize = 4;
const ACTIONS: usize = 8;

#[test]
fn write_through_between_two_processes() {
    run(Trouble {
        processes: 2,
        write_behind: false,
        evictions: true,
        wipes: false,
        fast_failures: true,
        durable_failures: true,
    });
}

#[test]
fn write_through_with_a_fast_tier_that_forgets_burials() {
    run(Trouble {
        processes: 2,
        write_behind: false,
        evictions: true,
        wipes: true,
        fast_failures: true,
        durable_failures: true,
    });
}

#[test]
fn write_behind_in_one_process() {
    run(Trouble {
        processes: 1,
        write_behind: true,
        evictions: true,
        wipes: true,
        fast_failures: true,
        durable_failures: true,
    });
}

/// With a fast tier that keeps what it was given, as it must.
#[test]
fn write_behind_in_two_processes() {
    run(Trouble {
        processes: 2,
        write_behind: true,
        evictions: false,
        wipes: false,
        fast_failures: false,
        durable_failures: true,
    });
}

fn run(trouble: Trouble) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CAMPAIGN").unwrap_or(60),
    };
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.unwrap().block_on(Schedule::new(trouble, seed).play());
        });
        assert!(outcome.is_ok(), "SEED={seed} of {trouble:?}");
    }
}

/// SplitMix64.
#[derive(Clone)]
struct Dice(Arc<Mutex<u64>>);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(Arc::new(Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))))
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// Time as the paused runtime has it.
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Time {
        ManualClock::default().now().saturating_add(self.0.elapsed())
    }
}

/// What is known of a session from outside.
#[derive(Default)]
struct Known {
    ids: Vec<SessionId>,
    /// How many of these ids are no longer valid, or may not be.
    renewed: usize,
    started: u64,
    answers: Vec<u64>,
    removed: Option<Instant>,
    /// A removal or renewal failed, so it is not known whether it was done.
    in_doubt: bool,
}

struct Schedule {
    trouble: Trouble,
    dice: Dice,
    fast: FaultyStore,
    durable: FaultyStore,
    processes: Vec<SessionManager>,
    sessions: Vec<Mutex<Known>>,
}

impl Schedule {
    fn new(trouble: Trouble, seed: u64) -> Self {
        let dice = Dice::new(seed);
        Schedule {
            trouble,
            dice,
            fast: watched(),
            durable: watched(),
            processes: Vec::new(),
            sessions: (0..2).map(|_| Mutex::default()).collect(),
        }
    }

    fn process(&self, start: Instant) -> SessionManager {
        let mut tiers = TieredStore::builder(self.fast.clone(), self.durable.clone()).max_staleness(MAX_STALENESS);
        if self.trouble.write_behind {
            let delay = Duration::from_millis(self.dice.below(100));
            let settings = WriteBehind::new().delay(delay).max_sessions(1 + self.dice.below(2) as usize);
            tiers = tiers.write_behind(settings);
        }
        let manager = SessionManager::builder(tiers.build().unwrap()).clock(VirtualClock(start));
        manager.purge_interval(Duration::from_millis(500)).build().unwrap()
    }

    async fn play(mut self) {
        let start = Instant::now();
        self.processes = (0..self.trouble.processes).map(|_| self.process(start)).collect();
        for session in &self.sessions {
            let new = NewSession::new().attr("Count", &0);
            let id = self.processes[0].create(new).await.unwrap().id();
            session.lock().unwrap().ids.push(id);
        }
        make_trouble(&self.fast, &self.dice, self.trouble.fast_failures);
        make_trouble(&self.durable, &self.dice, self.trouble.durable_failures);
        let schedule = Arc::new(self);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let schedule = Arc::clone(&schedule);
            clients.spawn(async move { schedule.client().await });
        }
        while let Some(client) = clients.join_next().await {
            if let Err(panic) = client {
                std::panic::resume_unwind(panic.into_panic());
            }
        }
        schedule.fast.faults().recover();
        schedule.durable.faults().recover();
        tokio::time::sleep(Duration::from_secs(20)).await;
        for process in &schedule.processes {
            process.close().await.unwrap();
        }
        for session in &schedule.sessions {
            schedule.check_in_the_end(session, start).await;
        }
    }

    async fn client(&self) {
        for _ in 0..ACTIONS {
            tokio::time::sleep(Duration::from_millis(self.dice.below(60))).await;
            let process = &self.processes[self.dice.below(self.processes.len() as u64) as usize];
            let session = &self.sessions[self.dice.below(self.sessions.len() as u64) as usize];
            match self.dice.below(100) {
                0..60 => self.update(process, session).await,
                60..75 => self.read(process, session).await,
                75..80 => self.renew(process, session).await,
                80..85 => self.remove(process, session).await,
                85..97 if self.trouble.evictions => {
                    let id = session.lock().unwrap().ids.last().unwrap().clone();
                    self.fast.inner().delete(&id.key()).await.unwrap();
                }
                97.. if self.trouble.wipes => wipe(&self.fast),
                _ => self.read(process, session).await,
            }
        }
    }

    async fn get(&self, process: &SessionManager, session: &Mutex<Known>, id: &SessionId) -> Option<Session> {
        let removed = session.lock().unwrap().removed;
        let found = process.get(id.as_str()).await.ok()??;
        if let Some(removed) = removed {
            let lasted = removed.elapsed();
            // Where a burial was forgotten, a slow reader may have filled in a copy.
            let may_last =
                if self.trouble.wipes && !self.trouble.write_behind { MAX_STALENESS * 2 } else { Duration::ZERO };
            assert!(lasted < may_last, "a removed session was there {lasted:?} later");
        }
        Some(found)
    }

    async fn read(&self, process: &SessionManager, session: &Mutex<Known>) {
        let id = session.lock().unwrap().ids.last().unwrap().clone();
        let Some(found) = self.get(process, session, &id).await else { return };
        let count = found.attr::<u64>("Count").unwrap().expect("it was there from the start");
        let known = session.lock().unwrap();
        assert!(count <= known.started, "{count} appeared from nowhere");
    }

    async fn update(&self, process: &SessionManager, session: &Mutex<Known>) {
        let (id, removed) = {
            let known = session.lock().unwrap();
            (known.ids.last().unwrap().clone(), known.removed)
        };
        let Some(found) = self.get(process, session, &id).await else { return };
        session.lock().unwrap().started += 1;
        let updated = found.update_attr("Count", |count: Option<u64>| count.unwrap() + 1).await;
        let mut known = session.lock().unwrap();
        match updated {
            Ok(count) => {
                assert!(removed.is_none(), "a removed session was changed");
                assert!(count <= known.started, "{count} appeared from nowhere");
                known.answers.push(count);
            }
            // It may have been stored, also where the session was gone at a second attempt.
            Err(Error::Gone | Error::Store(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn renew(&self, process: &SessionManager, session: &Mutex<Known>) {
        let id = session.lock().unwrap().ids.last().unwrap().clone();
        let Some(found) = self.get(process, session, &id).await else { return };
        found.renew_id().unwrap();
        let renewed = found.save().await;
        let mut known = session.lock().unwrap();
        match renewed {
            Ok(()) => {
                // A removal that was acknowledged meanwhile was that of the old id, after this.
                known.removed = None;
                known.renewed = known.ids.len();
                known.ids.push(found.id());
            }
            Err(Error::Gone) => {}
            Err(Error::Store(_)) => known.in_doubt = true,
            Err(error) => panic!("{error:?}"),
        }
        found.discard();
    }

    async fn remove(&self, process: &SessionManager, session: &Mutex<Known>) {
        let id = session.lock().unwrap().ids.last().unwrap().clone();
        let removed = process.end(&id.key()).await;
        let mut known = session.lock().unwrap();
        known.in_doubt |= removed.is_err();
        if removed.is_ok() && known.ids.last() == Some(&id) {
            known.removed.get_or_insert_with(Instant::now);
        }
    }

    async fn check_in_the_end(&self, session: &Mutex<Known>, start: Instant) {
        let now = VirtualClock(start).now();
        let known = std::mem::take(&mut *session.lock().unwrap());
        let distinct: HashSet<_> = known.answers.iter().collect();
        assert_eq!(distinct.len(), known.answers.len(), "two updates got the same answer: {:?}", known.answers);
        for id in &known.ids[..known.renewed] {
            for process in &self.processes {
                assert!(process.get(id.as_str()).await.unwrap().is_none(), "an old id is valid");
            }
        }
        let id = known.ids.last().unwrap();
        let record = self.durable.inner().load(&id.key(), now).await.unwrap();
        if known.removed.is_some() {
            assert_eq!(record, None, "a removed session is durable");
        }
        let Some(count) = count_of(&record) else {
            assert!(known.removed.is_some() || known.in_doubt, "a session was lost");
            return;
        };
        let acknowledged = known.answers.len() as u64;
        assert!((acknowledged..=known.started).contains(&count), "{count} of {acknowledged} to {}", known.started);
        for process in &self.processes {
            let found = process.get(id.as_str()).await.unwrap().expect("it is durable");
            assert_eq!(found.attr::<u64>("Count").unwrap(), Some(count), "the tiers agree");
        }
    }
}

fn make_trouble(store: &FaultyStore, dice: &Dice, fails: bool) {
    let dice = dice.clone();
    store.faults().decide(move |_| {
        let fault = match dice.below(100) {
            0..4 if fails => Some(Fault::Down),
            4..8 if fails => Some(Fault::AnswerLost),
            _ => None,
        };
        let longest = if dice.percent(10) { 100 } else { 5 };
        let delay = || Duration::from_millis(dice.below(longest));
        Plan::new(fault, delay(), delay())
    });
}
