//! What is learned from each request, whoever sends it.

use super::owner::is_change;
use super::{Arrival, Truth, Who};
use crate::device::application::{BOUND, SESSION};
use crate::device::keys;
use crate::device::message::{PROOF, Request, Response, SKIPPED};

impl Truth {
    /// A request is sent.
    pub fn is_sent(&mut self, who: Who, request: &Request, process: usize) -> Arrival {
        self.requests += 1;
        let (mut login, mut epoch) = (None, 0);
        if let Who::Browser(browser) = who {
            self.cookie_is_sent(browser, request);
            self.proofs.extend(request.header(PROOF).map(str::to_owned));
            if is_change(request.route()) {
                self.change_is_sent(browser, request);
            }
            let owner = &self.owners[browser];
            (login, epoch) = (owner.sure_login(), owner.epoch);
        }
        Arrival { number: self.requests, who, process, login, epoch, is_late: false, at: self.now() }
    }

    /// A request arrives at its process.
    pub fn arrives(&mut self, arrival: &mut Arrival, request: &Request) {
        arrival.at = self.now();
        let Some(named) = self.named(request) else { return };
        let login = &mut self.logins[named];
        if let Some(id) = request.cookie(SESSION) {
            login.presents(id);
        }
        if request.route().ends_with("/register") {
            login.first_registration.get_or_insert(arrival.at);
        }
        if request.cookie(BOUND).is_some_and(|cookie| self.bound_cookies.get(cookie) == Some(&named)) {
            login.first_proof.get_or_insert(arrival.at);
        }
    }

    /// Nothing more comes of a request.
    pub fn is_over(&mut self, arrival: &Arrival, request: &Request) {
        if let Who::Browser(browser) = arrival.who
            && is_change(request.route())
        {
            self.change_is_over(browser, arrival.number, request);
        }
    }

    pub(super) fn learn(&mut self, arrival: &Arrival, request: &Request, response: &Response) {
        let named = self.named(request);
        self.learn_id(arrival, named, request, response);
        self.learn_ending(named, request, response);
        let Some(login) = named else { return };
        // What was asked before another offer is worth nothing after it.
        let is_outdated = self.logins[login].offered_anew.is_some_and(|at| arrival.at < at);
        if let Some(cookie) = response.sets(BOUND).filter(|cookie| !cookie.is_empty() && !is_outdated) {
            self.bound_cookies.insert(cookie.to_owned(), login);
            if request.route().ends_with("/register") {
                self.learn_key(login, request);
            }
        }
        if response.offer().is_some() && request.route() == "/again" {
            let now = self.now();
            self.logins[login].is_offered_anew(now);
            self.bound_cookies.retain(|_, given| *given != login);
        }
        self.learn_use(login, arrival, request, response);
    }

    fn learn_id(&mut self, arrival: &Arrival, named: Option<usize>, request: &Request, response: &Response) {
        let Some(id) = response.sets(SESSION).filter(|id| !id.is_empty()) else { return };
        let number = || request.path.rsplit_once("number=")?.1.parse().ok();
        let login = match request.route() {
            "/login" => number(),
            // A session that begins by itself is no login's.
            _ if response.body == super::super::application::NOBODY => None,
            _ => named,
        };
        let Some(login) = login else { return };
        self.ids.insert(id.to_owned(), login);
        self.logins[login].gets_id(id, request.cookie(SESSION), is_change(request.route()));
        if request.route() == "/login" {
            let absolute = self.setup.common.absolute_timeout.map_or(i64::MAX, |time| time.as_millis() as i64);
            self.logins[login].dies_at = arrival.at.saturating_add(absolute) - self.setup.largest_skew() - 2000;
            self.is_used(login, arrival.at);
        }
    }

    fn learn_ending(&mut self, named: Option<usize>, request: &Request, response: &Response) {
        let ends = matches!(request.route(), "/login" | "/logout") && response.status == 200;
        let Some(login) = named.filter(|_| ends) else { return };
        let now = self.now();
        let login = &mut self.logins[login];
        if request.cookie(SESSION).is_some_and(|id| login.counts(id)) {
            login.ended.get_or_insert(now);
        }
    }

    fn learn_key(&mut self, login: usize, request: &Request) {
        let proof = request.header(PROOF).unwrap_or_default();
        let Some(key) = keys::number_in(proof) else { return };
        let now = self.now();
        self.keys.insert(key, login);
        self.logins[login].registered.get_or_insert((key, now));
    }

    /// The session was shown to a handler, and the response committed.
    fn learn_use(&mut self, login: usize, arrival: &Arrival, request: &Request, response: &Response) {
        if response.status != 200 || response.body != format!("#{login}") {
            return;
        }
        self.is_used(login, arrival.at);
        let now = self.now();
        let clocks = [arrival.at, now].map(|at| self.clock(arrival.process, at));
        let cookie = request.cookie(BOUND).unwrap_or_default();
        // A process whose copy is behind knows of no key yet.
        let is_known = self.logins[login].registered.is_some_and(|(_, at)| at + self.staleness() <= arrival.at);
        if is_known && clocks.iter().all(|clock| self.is_good(cookie, login, *clock)) {
            self.logins[login].enforced.get_or_insert(now);
        } else if request.headers.contains_key(SKIPPED) && self.is_demanded(login, arrival) {
            self.logins[login].first_skip.get_or_insert(now);
        }
    }
}
