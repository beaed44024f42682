//! The way between a browser and a process: messages take a while, are lost, or come when nobody expects them any more.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use fastrand::Rng;
use parking_lot::Mutex;
use tokio::time::sleep;
use tower_service::Service;

use super::browser::{Answering, Event, Outside};
use super::message::{Closed, Request, Response};
use super::setup::WayFaults;
use super::truth::{Arrival, Who};
use super::world::World;

/// When a connection is closed on which no answer came. Browsers give up refreshes and registrations before.
const UNTIL_CLOSED: Duration = Duration::from_secs(45);

/// The faults of all ways of a world.
pub struct Ways {
    faults: WayFaults,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    is_healed: bool,
}

/// What becomes of one message.
struct Passage {
    there: Duration,
    back: Duration,
    process: usize,
    fate: Fate,
    was_reused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// It does not arrive.
    Refused,
    /// It is served, and its answer is lost.
    Lost,
    /// It arrives when its sender has given up.
    Late(Duration),
    /// It is served, and no answer comes for long.
    Silent,
}

impl Ways {
    pub fn new(faults: WayFaults, rng: Rng) -> Self {
        Ways { faults, state: Mutex::new(State { rng, is_healed: false }) }
    }

    /// From now on every message arrives soon.
    pub fn heal(&self) {
        self.state.lock().is_healed = true;
    }

    fn passage(&self, processes: usize) -> Passage {
        let WayFaults { refused, lost, late, silent, slow } = self.faults;
        let State { rng, is_healed } = &mut *self.state.lock();
        let [mut there, mut back] =
            [(); 2].map(|()| Duration::from_millis(if rng.bool() { 0 } else { rng.u64(0..=15) }));
        let (process, was_reused) = (rng.usize(0..processes), rng.u8(0..3) == 0);
        let mut fate = Fate::Answered;
        if !*is_healed {
            let (dice, mut edge) = (rng.u32(0..1000), 0);
            let mut falls_on = |rate: u32| {
                let rates = edge..edge + rate;
                edge = rates.end;
                rates.contains(&dice)
            };
            match () {
                () if falls_on(refused) => fate = Fate::Refused,
                () if falls_on(lost) => fate = Fate::Lost,
                () if falls_on(late) => fate = Fate::Late(Duration::from_millis(rng.u64(1..=20_000))),
                () if falls_on(silent) => fate = Fate::Silent,
                () if falls_on(slow) => {
                    let longer = if rng.bool() { &mut there } else { &mut back };
                    *longer = Duration::from_millis(rng.u64(15..=15_000));
                }
                () => {}
            }
        }
        Passage { there, back, process, fate, was_reused }
    }
}

/// The outside of one browser.
pub struct Way {
    pub world: Weak<World>,
    pub browser: usize,
}

impl Outside for Way {
    fn send(&self, request: Request) -> Answering {
        let (world, who) = (self.world.clone(), Who::Browser(self.browser));
        Box::pin(async move {
            match world.upgrade() {
                Some(world) => send(&world, who, request).await,
                None => Err(Closed { was_reused: false }),
            }
        })
    }

    fn learns(&self, event: Event) {
        if let Some(world) = self.world.upgrade() {
            world.truth.lock().learns(self.browser, event);
        }
    }
}

/// Sends a request of a browser.
async fn send(world: &Arc<World>, who: Who, request: Request) -> Result<Response, Closed> {
    let Passage { there, back, process, fate, was_reused } = world.ways.passage(world.setup.common.processes);
    let closed = Err(Closed { was_reused });
    world.maybe_stolen(who.browser(), &request);
    let arrival = world.truth.lock().is_sent(who, &request, process);
    world.tell_sent(who, &request, &arrival, fate_in_words(fate));
    sleep(there).await;
    match fate {
        Fate::Refused => {
            world.truth.lock().is_over(&arrival, &request);
            return closed;
        }
        Fate::Late(delay) => {
            let late = Arc::clone(world);
            tokio::spawn(async move {
                sleep(delay).await;
                let _ = serve(&late, arrival.late(), request).await;
            });
            return closed;
        }
        Fate::Answered | Fate::Lost | Fate::Silent => {}
    }
    // Whoever serves it goes on when the browser has given up.
    let serving = Arc::clone(world);
    let served = tokio::spawn(async move { serve(&serving, arrival, request).await }).await;
    let Ok(Some(response)) = served else { return closed };
    match fate {
        Fate::Silent => {
            sleep(UNTIL_CLOSED).await;
            closed
        }
        Fate::Lost => closed,
        _ => {
            sleep(back).await;
            Ok(response)
        }
    }
}

fn fate_in_words(fate: Fate) -> &'static str {
    match fate {
        Fate::Answered => "",
        Fate::Refused => ", which does not arrive",
        Fate::Lost => ", whose answer is lost",
        Fate::Late(_) => ", which arrives when nobody waits for it",
        Fate::Silent => ", to which no answer comes",
    }
}

/// Sends a request of the thief, whose ways are good.
pub async fn send_for_thief(world: &Arc<World>, owner: usize, request: Request, process: usize) -> Option<Response> {
    let arrival = world.truth.lock().is_sent(Who::Thief(owner), &request, process);
    world.tell_sent(Who::Thief(owner), &request, &arrival, "");
    serve(world, arrival, request).await
}

/// Lets a process serve a request. `None` if it crashes.
async fn serve(world: &Arc<World>, mut arrival: Arrival, request: Request) -> Option<Response> {
    let mut app = world.app(arrival.process);
    world.truth.lock().arrives(&mut arrival, &request);
    let mut asked = http::Request::builder().method(request.method.clone()).uri(&request.path);
    if let Some(headers) = asked.headers_mut() {
        headers.extend(request.headers.clone());
        headers.insert(http::header::HOST, http::HeaderValue::from_static("app.test"));
    }
    let asked = asked.body(Body::empty()).expect("a request");
    let answering = world.start(arrival.process, async move {
        let Ok(answer) = app.call(asked).await;
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 100_000).await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        Response { status: parts.status.as_u16(), headers: parts.headers, body }
    });
    let Ok(response) = answering.await else {
        world.truth.lock().is_over(&arrival, &request);
        return None;
    };
    world.tell_served(&arrival, &response);
    world.truth.lock().is_served(&arrival, &request, &response);
    Some(response)
}
