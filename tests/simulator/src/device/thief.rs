//! A thief: it has all that a request of the owner showed, and comes back with it from elsewhere, whenever it likes.

use std::sync::Arc;

use fastrand::Rng;
use http::header::COOKIE;
use http::{HeaderName, Method};

use super::application::{BOUND, NOBODY, SESSION};
use super::keys;
use super::message::{IDENTIFIER, PROOF, Request, SKIPPED};
use super::way::send_for_thief;
use super::world::World;

/// What one request has shown.
#[derive(Clone)]
pub struct Loot {
    /// The browser that has sent it.
    browser: usize,
    session: String,
    bound: Option<String>,
    request: Request,
}

/// What a thief does with its loot.
#[derive(Clone, Copy, Debug)]
enum Attempt {
    Look,
    Count,
    /// Says that it had to skip a refresh.
    LookSkipping,
    /// With a bound cookie whose time it has changed.
    LookWithNewTime,
    /// With a challenge for a bound cookie.
    LookWithChallenge,
    /// Sends a captured proof once more.
    Replay,
    /// Signs a captured challenge by its own key, for a refresh.
    RefreshByOwnKey,
    /// Signs a captured challenge by its own key, for a registration.
    RegisterOwnKey,
    /// Puts something into a cart.
    Shop,
}

use Attempt::*;

const ALL: [Attempt; 9] =
    [Look, Count, LookSkipping, LookWithNewTime, LookWithChallenge, Replay, RefreshByOwnKey, RegisterOwnKey, Shop];

impl Loot {
    /// What a request shows. `None` where there is no session.
    pub fn of(browser: usize, request: &Request) -> Option<Self> {
        let session = request.cookie(SESSION)?.to_owned();
        Some(Loot { browser, session, bound: request.cookie(BOUND).map(str::to_owned), request: request.clone() })
    }

    fn with_cookies(&self, request: Request, bound: Option<&str>) -> Request {
        let bound = bound.map(|bound| format!("; {BOUND}={bound}")).unwrap_or_default();
        request.with(COOKIE, &format!("{SESSION}={}{bound}", self.session))
    }

    /// The request of an attempt. `None` where it lacks something.
    fn request(&self, attempt: Attempt, now: i64) -> Option<Request> {
        let bound = self.bound.as_deref();
        let get = || Request::new(Method::GET, "/page");
        let by_own_key = |path: &str, proof: String| Request::new(Method::POST, path).with(PROOF, &proof);
        let own = keys::key(keys::OF_THIEF);
        Some(match attempt {
            Look => self.with_cookies(get(), bound),
            Count => self.with_cookies(Request::new(Method::POST, "/count"), bound),
            LookSkipping => {
                let identifier = self.request.header(IDENTIFIER).unwrap_or("\"\"");
                let says = format!("unreachable;session_identifier={identifier}");
                self.with_cookies(get().with(SKIPPED, &says), None)
            }
            LookWithNewTime => {
                let (_, mac) = bound?.split_once('.')?;
                let time = crate::clock::time_of(now).unix_millis();
                self.with_cookies(get(), Some(&format!("{time}.{mac}")))
            }
            LookWithChallenge => self.with_cookies(get(), Some(&self.request.signed_challenge()?)),
            Replay => {
                self.request.header(PROOF)?;
                self.with_cookies(self.request.clone(), bound)
            }
            RefreshByOwnKey => {
                let proof = own.refresh(&self.request.signed_challenge()?);
                let request = by_own_key("/dbsc/sessid/refresh", proof);
                self.with_cookies(request, bound)
            }
            RegisterOwnKey => {
                let proof = own.registration(&self.request.signed_challenge()?);
                self.with_cookies(by_own_key("/dbsc/sessid/register", proof), bound)
            }
            Shop => self.with_cookies(Request::new(Method::POST, "/cart"), bound),
        })
    }
}

/// The thief tries something with some of what it has.
pub fn act(world: &Arc<World>, rng: &mut Rng) {
    let number = world.loot.lock().len();
    if number == 0 {
        return;
    }
    let (loot, attempt) = (rng.usize(0..number), *rng.choice(&ALL).expect("there are some"));
    let process = rng.usize(0..world.setup.common.processes);
    let (acting, browser) = (Arc::clone(world), world.loot.lock()[loot].browser);
    let what = format!("the thief tries to {attempt:?}");
    world.spawn(browser, what, async move {
        let is_out = attempt_with(&acting, loot, attempt, process).await;
        if is_out && matches!(attempt, Look) {
            change_session(&acting, loot, process).await;
        }
    });
}

/// The thief looks with all that it has.
pub async fn look_with_all(world: &Arc<World>) {
    let number = world.loot.lock().len();
    for loot in 0..number {
        for process in 0..world.setup.common.processes {
            for attempt in [Look, Replay] {
                attempt_with(world, loot, attempt, process).await;
            }
        }
    }
}

/// Whether the thief learns that it is nobody.
async fn attempt_with(world: &Arc<World>, number: usize, attempt: Attempt, process: usize) -> bool {
    let loot = world.loot.lock()[number].clone();
    let (now, is_registered) = {
        let truth = world.truth.lock();
        (truth.now(), truth.is_registered(&loot.session))
    };
    // Whoever was there before the owner's key was registered is none of the thieves that this protects from.
    if matches!(attempt, RegisterOwnKey) && !is_registered {
        return false;
    }
    let Some(request) = loot.request(attempt, now) else { return false };
    let Some(answer) = send_for_thief(world, loot.browser, request, process).await else { return false };
    if let Some(bound) = answer.sets(BOUND) {
        world.loot.lock()[number].bound = Some(bound.to_owned());
    }
    answer.status == 401 || answer.status == 200 && answer.body == NOBODY
}

/// Whoever is nobody can do nothing else, either, and is not asked to register a key.
async fn change_session(world: &Arc<World>, number: usize, process: usize) {
    let loot = world.loot.lock()[number].clone();
    for path in ["/renew", "/again"] {
        let request = Request::new(Method::POST, path).with(HeaderName::from_static("sec-fetch-site"), "same-origin");
        let request = loot.with_cookies(request, loot.bound.as_deref());
        send_for_thief(world, loot.browser, request, process).await;
    }
}
