//! What must be true: who is signed in, what was given to whom, and so who has to be let in and who must not.
//!
//! Requests are judged when they have been served, also where the answer is lost. What was not acknowledged may have
//! happened or not; of a browser that does not know itself whether it has a session, nothing is demanded until it has
//! signed in again.

mod learning;
mod login;
mod owner;
mod thief;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::application::{BOUND, SESSION};
use super::message::{Request, Response};
use super::setup::Setup;
use super::world::short;
use crate::model::Violation;
use crate::network::Trouble;
use crate::setup::Stores;
use crate::story::Story;
use login::Login;
use owner::Owner;
pub use owner::{Change, leads_to_itself};

/// For how long each stamp is good beside its time, in milliseconds: by that much clocks may differ.
const LEEWAY: i64 = 60_000;

/// For how long requests without proof are let in after a registration, in milliseconds.
const UNDER_WAY: i64 = 60_000;

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Browser(usize),
    /// A thief, with what this browser has sent.
    Thief(usize),
}

/// A request on its way to a process, and what was known when it was sent.
#[derive(Clone)]
pub struct Arrival {
    pub number: usize,
    pub who: Who,
    pub process: usize,
    /// The login that the browser surely had.
    login: Option<usize>,
    epoch: u64,
    /// Nobody waits for it.
    is_late: bool,
    /// When it arrived, in milliseconds since the world began.
    at: i64,
}

/// All that is known of a world.
pub struct Truth {
    pub violation: Option<Violation>,
    story: Arc<Story>,
    trouble: Arc<Trouble>,
    setup: Setup,
    beginning: Instant,
    logins: Vec<Login>,
    owners: Vec<Owner>,
    /// The login of each session id that was given.
    ids: HashMap<String, usize>,
    /// The login of each bound cookie that was given.
    bound_cookies: HashMap<String, usize>,
    /// The login for which a key was registered.
    keys: HashMap<usize, usize>,
    /// The users of whom requests under way may end other sessions, by the numbers of the requests.
    endings: HashMap<usize, usize>,
    /// The proofs that browsers have sent.
    proofs: HashSet<String>,
    requests: usize,
}

impl Who {
    /// The browser that it is about.
    pub fn browser(self) -> usize {
        match self {
            Who::Browser(browser) | Who::Thief(browser) => browser,
        }
    }
}

impl Arrival {
    /// It arrives when its sender has given up.
    pub fn late(self) -> Self {
        Arrival { is_late: true, ..self }
    }
}

impl Truth {
    pub fn new(setup: &Setup, story: Arc<Story>, trouble: Arc<Trouble>) -> Self {
        Truth {
            violation: None,
            story,
            trouble,
            setup: setup.clone(),
            beginning: Instant::now(),
            logins: Vec::new(),
            owners: (0..setup.common.browsers).map(|_| Owner::default()).collect(),
            ids: HashMap::new(),
            bound_cookies: HashMap::new(),
            keys: HashMap::new(),
            endings: HashMap::new(),
            proofs: HashSet::new(),
            requests: 0,
        }
    }

    /// Notes what must not be. The first is told; what follows may come of it.
    pub fn violate(&mut self, browser: Option<usize>, what: String) {
        let sessions: Vec<usize> = browser.into_iter().collect();
        self.story.tell(&sessions, || format!("!! {what}"));
        self.violation.get_or_insert(Violation { what, sessions });
    }

    /// Milliseconds since the world began.
    pub fn now(&self) -> i64 {
        self.beginning.elapsed().as_millis() as i64
    }

    /// How many requests were sent.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// What the clock of a process shows at a moment.
    fn clock(&self, process: usize, at: i64) -> i64 {
        at + self.setup.common.skews[process]
    }

    fn lifetime(&self) -> i64 {
        self.setup.lifetime.as_millis() as i64
    }

    /// How long a process may serve a copy that is behind, in milliseconds.
    fn staleness(&self) -> i64 {
        match self.setup.common.stores {
            Stores::MemoryBeforeRemote | Stores::CacheBeforeRemote => {
                self.setup.common.max_staleness.as_millis() as i64 + 2 * self.setup.largest_skew() + 1000
            }
            _ => 0,
        }
    }

    /// Whether an error of something that began then has a reason.
    fn may_fail(&self, began: i64) -> bool {
        self.trouble.excuses(began.unsigned_abs())
    }

    /// The login that a request names by its session cookie.
    fn named(&self, request: &Request) -> Option<usize> {
        self.ids.get(request.cookie(SESSION)?).copied()
    }

    /// The cookies of a request, for the story.
    pub fn describe_cookies(&self, request: &Request) -> String {
        let session = match (request.cookie(SESSION), self.named(request)) {
            (None, _) => "nobody".to_owned(),
            (Some(id), Some(login)) => format!("#{login} ({})", short(id)),
            (Some(_), None) => "somebody unknown".to_owned(),
        };
        let bound = request.cookie(BOUND).map(|cookie| format!(" with bound cookie {}", short(cookie)));
        session + &bound.unwrap_or_default()
    }

    /// A request is served. Judges it, and learns from it.
    pub fn is_served(&mut self, arrival: &Arrival, request: &Request, response: &Response) {
        self.check_status(arrival, request, response);
        self.learn(arrival, request, response);
        match arrival.who {
            Who::Browser(browser) => self.judge_owner(browser, arrival, request, response),
            Who::Thief(browser) => self.judge_thief(browser, arrival, request, response),
        }
        self.is_over(arrival, request);
    }

    fn check_status(&mut self, arrival: &Arrival, request: &Request, response: &Response) {
        let is_of_layer = request.path.starts_with("/dbsc/");
        let is_expected = match (is_of_layer, response.status) {
            (true, 200 | 403 | 503) | (false, 200 | 401) => true,
            (false, 503) => self.may_fail(arrival.at),
            // A session that came by the grace of an old id can't be renewed.
            (false, 409) => owner::is_change(request.route()) && self.setup.common.renewals.is_some(),
            // Nor can one of nobody be authenticated again.
            (false, 500) => request.route() == "/again" && self.named(request).is_none(),
            _ => false,
        };
        if !is_expected {
            let what = format!("R{} to {} is answered {}", arrival.number, request.path, response.status);
            self.violate(Some(arrival.who.browser()), what);
        }
    }
}

/// When a challenge or a bound cookie was made, by the clock of its process.
fn made(stamp: &str) -> Option<i64> {
    let millis: i64 = stamp.split_once('.')?.0.parse().ok()?;
    Some(crate::clock::millis_of(session_core::Time::from_unix_millis(millis)))
}
