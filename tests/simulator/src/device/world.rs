use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use fastrand::Rng;
use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep};

use super::actions;
use super::application;
use super::browser::Browser;
use super::ending;
use super::keys;
use super::message::{IDENTIFIER, PROOF, Request, Response};
use super::setup::Setup;
use super::thief::Loot;
use super::truth::{Arrival, Truth, Who};
use super::way::{Way, Ways};
use crate::clock::ProcessClock;
use crate::network::Trouble;
use crate::process::Backends;
use crate::story::Story;
use crate::world::{Ended, in_paused_time};

/// Everything in a world of devices.
pub struct World {
    pub setup: Setup,
    pub truth: Mutex<Truth>,
    pub browsers: Vec<Arc<Browser>>,
    pub ways: Ways,
    /// What a thief has copied.
    pub loot: Mutex<Vec<Loot>>,
    backends: Backends,
    clocks: Vec<ProcessClock>,
    processes: Mutex<Vec<Process>>,
    story: Arc<Story>,
    luck: Mutex<Rng>,
    under_way: Mutex<usize>,
}

/// A process of the application, and what it does at this moment.
struct Process {
    app: Router,
    tasks: Vec<AbortHandle>,
}

/// The longest that anything may take that somebody does: a browser waits for a refresh, which may be answered by five
/// challenges, and sends a request three times.
const PATIENCE: Duration = Duration::from_secs(400);

impl World {
    fn new(rng: &mut Rng, is_told: bool) -> Arc<Self> {
        let setup = Setup::draw(rng);
        let (story, trouble, beginning) = (Arc::new(Story::new(is_told)), Arc::new(Trouble::new()), Instant::now());
        let clock = |skew: &i64| ProcessClock::new(beginning, *skew);
        let clocks: Vec<ProcessClock> = setup.common.skews.iter().map(clock).collect();
        let backends = Backends::new(&setup.common, rng, &trouble, &story);
        let start = |(at, clock): (usize, &ProcessClock)| Process {
            app: application::start(&setup, backends.store(at), clock.clone(), rng.fork()),
            tasks: Vec::new(),
        };
        let processes = Mutex::new(clocks.iter().enumerate().map(start).collect());
        let truth = Mutex::new(Truth::new(&setup, Arc::clone(&story), trouble));
        let (ways, luck) = (Ways::new(setup.way, rng.fork()), Mutex::new(rng.fork()));
        Arc::new_cyclic(|world| {
            // The thief has a key of its own.
            let first_key = keys::OF_THIEF + 1;
            let browsers = setup.common.browsers;
            let browser = |browser| {
                let way = Way { world: world.clone(), browser };
                Browser::new(Arc::new(way), first_key + browser, browsers)
            };
            let browsers = (0..browsers).map(browser).collect();
            let (loot, under_way) = (Mutex::default(), Mutex::new(0));
            World { setup, truth, browsers, ways, loot, backends, clocks, processes, story, luck, under_way }
        })
    }

    /// The application of a process.
    pub fn app(&self, process: usize) -> Router {
        self.processes.lock()[process].app.clone()
    }

    /// Lets a process do something until it is done, or until the process crashes.
    pub fn start<T: Send + 'static>(
        &self,
        process: usize,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let task = tokio::spawn(task);
        let tasks = &mut self.processes.lock()[process].tasks;
        tasks.retain(|task| !task.is_finished());
        tasks.push(task.abort_handle());
        task
    }

    /// A process ends in the middle of what it does, and starts again.
    pub fn restart(&self, process: usize) {
        self.story.tell(&[], || format!("P{process} crashes, and starts again"));
        let (store, clock) = (self.backends.store(process), self.clocks[process].clone());
        let app = application::start(&self.setup, store, clock, self.luck.lock().fork());
        let new = Process { app, tasks: Vec::new() };
        let old = std::mem::replace(&mut self.processes.lock()[process], new);
        old.tasks.iter().for_each(AbortHandle::abort);
    }

    /// From now on nothing fails.
    pub fn heal(&self) {
        self.story.tell(&[], || "all faults are over".to_owned());
        self.ways.heal();
        self.backends.heal();
    }

    /// Lets something happen beside everything else. It must be over in good time.
    pub fn spawn(self: &Arc<Self>, browser: usize, what: String, task: impl Future<Output = ()> + Send + 'static) {
        *self.under_way.lock() += 1;
        let world = Arc::clone(self);
        tokio::spawn(async move {
            if tokio::time::timeout(PATIENCE, task).await.is_err() {
                world.truth.lock().violate(Some(browser), format!("browser {browser} never gets an answer: {what}"));
            }
            *world.under_way.lock() -= 1;
        });
    }

    /// Waits until nobody waits for anything.
    pub async fn rest(&self) {
        while *self.under_way.lock() > 0 && !self.has_failed() {
            sleep(Duration::from_secs(1)).await;
        }
    }

    pub fn has_failed(&self) -> bool {
        self.truth.lock().violation.is_some()
    }

    /// A thief copies some requests as they pass.
    pub fn maybe_stolen(&self, browser: usize, request: &Request) {
        if self.luck.lock().u8(0..8) == 0 {
            self.loot.lock().extend(Loot::of(browser, request));
        }
    }

    pub fn tell(&self, browser: usize, text: impl FnOnce() -> String) {
        self.story.tell(&[browser], text);
    }

    pub fn tell_sent(&self, who: Who, request: &Request, arrival: &Arrival, fate: &str) {
        self.tell(who.browser(), || {
            let sender = match who {
                Who::Browser(browser) => format!("browser {browser}"),
                Who::Thief(browser) => format!("the thief of browser {browser}"),
            };
            let session = self.truth.lock().describe_cookies(request);
            let proof = match (request.header(IDENTIFIER), request.signed_challenge()) {
                (_, Some(challenge)) => format!(", with a proof for {}", short(&challenge)),
                (Some(_), None) => ", without a proof".to_owned(),
                (None, None) => String::new(),
            };
            debug_assert!(request.header(PROOF).is_none() || !proof.is_empty());
            let (number, process) = (arrival.number, arrival.process);
            format!("R{number} {sender}: {} {} to P{process} as {session}{proof}{fate}", request.method, request.path)
        });
    }

    pub fn tell_served(&self, arrival: &Arrival, response: &Response) {
        self.tell(arrival.who.browser(), || {
            let bound = response.sets(application::BOUND).map(|cookie| format!(", bound cookie {}", short(cookie)));
            let session = response.sets(application::SESSION).map(|id| format!(", session cookie {}", short(id)));
            let offer = response.offer().map(|_| ", and is to register".to_owned());
            let challenge = response.challenges().last().map(|next| format!(", challenge {}", short(&next.text)));
            let more: String = [session, bound, challenge, offer].into_iter().flatten().collect();
            let body: String = response.body.chars().take(60).collect();
            format!("R{} is answered {} {body}{more}", arrival.number, response.status)
        });
    }

    fn pause(&self, rng: &mut Rng) -> Duration {
        let lifetime = self.setup.lifetime.as_millis() as u64;
        let millis = match rng.u8(0..100) {
            0..40 => rng.u64(0..=5),
            40..60 => rng.u64(5..=500),
            60..75 => rng.u64(500..=10_000),
            75..88 => rng.u64(10_000..=70_000),
            88..97 => rng.u64(lifetime / 2..=lifetime + 95_000),
            _ => rng.u64(lifetime..=2 * lifetime + 200_000),
        };
        Duration::from_millis(millis)
    }

    /// From the first request to the last.
    async fn live(self: &Arc<Self>, rng: &mut Rng) {
        for _ in 0..self.setup.common.steps {
            actions::next(self, rng);
            sleep(self.pause(rng)).await;
            if self.has_failed() {
                return;
            }
        }
        ending::settle(self, rng).await;
    }
}

/// The end of a stamp is enough to know it by.
pub fn short(stamp: &str) -> &str {
    &stamp[stamp.len().saturating_sub(6)..]
}

/// The world of devices of this seed.
pub fn run(seed: u64, is_told: bool) -> Ended {
    in_paused_time(seed, async |rng| {
        let world = World::new(rng, is_told);
        world.live(rng).await;
        let truth = world.truth.lock();
        let setup = if is_told { format!("{:?}", world.setup) } else { String::new() };
        let (violation, requests) = (truth.violation.clone(), truth.requests());
        Ended { setup, violation, story: world.story.take_lines(), requests }
    })
}
