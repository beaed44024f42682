//! One world: what is in it, and how it goes from its seed to its end.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep};

use crate::actions;
use crate::browser::Browser;
use crate::clock::ProcessClock;
use crate::ending;
use crate::model::{Model, Violation};
use crate::network::Trouble;
use crate::process::{Backends, Process};
use crate::setup::{Setup, Theme};
use crate::story::{Line, Story};

/// Everything in a world.
pub struct World {
    pub setup: Setup,
    pub story: Arc<Story>,
    pub backends: Backends,
    pub model: Mutex<Model>,
    pub processes: Mutex<Vec<Process>>,
    pub clocks: Vec<ProcessClock>,
    pub browsers: Mutex<Vec<Browser>>,
    /// Ids that an attacker has got hold of.
    pub stolen: Mutex<Vec<String>>,
    /// How many requests and calls are under way.
    under_way: Mutex<usize>,
    numbers: Mutex<usize>,
}

/// How a world ended.
pub struct Ended {
    /// What the seed decided in advance, if it was to be told.
    pub setup: String,
    /// What was not as it must be.
    pub violation: Option<Violation>,
    /// What happened, if it was to be told.
    pub story: Vec<Line>,
    /// Requests and calls.
    pub requests: usize,
}

/// The longest that a request may take, without the pauses of its handler.
const PATIENCE: Duration = Duration::from_secs(120);

impl World {
    fn new(rng: &mut Rng, is_told: bool) -> Arc<Self> {
        let setup = Setup::draw(rng);
        let (story, trouble, beginning) = (Arc::new(Story::new(is_told)), Arc::new(Trouble::new()), Instant::now());
        let clocks: Vec<ProcessClock> = setup.skews.iter().map(|skew| ProcessClock::new(beginning, *skew)).collect();
        let backends = Backends::new(&setup, rng, &trouble, &story);
        let processes = (0..setup.processes).map(|at| backends.start(at, clocks[at].clone(), rng.fork())).collect();
        let tombstones = backends.tombstones();
        let model = Model::new(&setup, clocks.clone(), Arc::clone(&story), Arc::clone(&trouble), tombstones);
        let browsers = (0..setup.browsers).map(|at| Browser::new(at % setup.users)).collect();
        Arc::new(World {
            story,
            backends,
            model: Mutex::new(model),
            processes: Mutex::new(processes),
            clocks,
            browsers: Mutex::new(browsers),
            stolen: Mutex::default(),
            under_way: Mutex::new(0),
            numbers: Mutex::new(0),
            setup,
        })
    }

    /// The number of the next request or call.
    pub fn next_number(&self) -> usize {
        let mut numbers = self.numbers.lock();
        *numbers += 1;
        *numbers
    }

    /// Lets something happen beside everything else. It must be over in good time.
    pub fn spawn(self: &Arc<Self>, what: String, pauses: Duration, task: impl Future<Output = ()> + Send + 'static) {
        *self.under_way.lock() += 1;
        let world = Arc::clone(self);
        tokio::spawn(async move {
            if tokio::time::timeout(PATIENCE + pauses, task).await.is_err() {
                world.model.lock().violate(&[], format!("{what} is never answered"));
            }
            *world.under_way.lock() -= 1;
        });
    }

    /// A task has ended without an answer: its process has crashed, or it panicked.
    pub fn note_end(&self, end: &JoinError) {
        if end.is_panic() {
            self.model.lock().violate(&[], format!("a request panics: {end}"));
        }
    }

    pub fn is_busy(&self) -> bool {
        *self.under_way.lock() > 0
    }

    pub fn has_failed(&self) -> bool {
        self.model.lock().violation.is_some()
    }

    /// Looks at what is stored.
    pub fn look(&self) {
        self.backends.look(|records| self.model.lock().check_stored(records));
    }

    fn pause(&self, rng: &mut Rng) -> Duration {
        let idle = self.setup.idle_timeout.as_millis() as u64;
        let millis = match rng.u8(0..100) {
            0..50 => 0,
            50..80 => rng.u64(1..=20),
            80..92 => rng.u64(20..=500),
            92..97 => rng.u64(500..=30_000),
            _ if self.setup.theme == Theme::Deadlines => rng.u64(idle / 4..=idle),
            _ => rng.u64(30_000..=90_000),
        };
        Duration::from_millis(millis)
    }

    async fn rest(&self) {
        while self.is_busy() && !self.has_failed() {
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// From the first request to the last.
    async fn live(self: &Arc<Self>, rng: &mut Rng) {
        ending::warm_up(self).await;
        for _ in 0..self.setup.steps {
            actions::next(self, rng).await;
            sleep(self.pause(rng)).await;
            self.look();
            if self.has_failed() {
                return;
            }
        }
        self.rest().await;
        if !self.has_failed() {
            ending::settle(self).await;
        }
    }
}

/// The world of this seed.
pub fn run(seed: u64, is_told: bool) -> Ended {
    in_paused_time(seed, async |rng| {
        let world = World::new(rng, is_told);
        world.live(rng).await;
        let setup = if is_told { format!("{:?}", world.setup) } else { String::new() };
        let (violation, story) = (world.model.lock().violation.clone(), world.story.take_lines());
        let requests = *world.numbers.lock();
        Ended { setup, violation, story, requests }
    })
}

/// Lets a world go on where time passes only when everybody waits, and everything is decided by the seed.
pub fn in_paused_time(seed: u64, live: impl AsyncFnOnce(&mut Rng) -> Ended) -> Ended {
    // Decides about pauses between attempts.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime that only keeps time");
    let mut rng = Rng::with_seed(seed);
    runtime.block_on(live(&mut rng))
}
