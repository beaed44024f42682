//! A thief stays out, once the window is over that the guide names.

use super::login::Login;
use super::{Arrival, LEEWAY, Truth, UNDER_WAY, made};
use crate::device::application::BOUND;
use crate::device::message::{PROOF, Request, Response, SKIPPED};

impl Truth {
    pub(super) fn judge_thief(&mut self, browser: usize, arrival: &Arrival, request: &Request, response: &Response) {
        let is_given_cookie = response.sets(BOUND).is_some_and(|cookie| !cookie.is_empty());
        let shown = response.body.strip_prefix('#').and_then(|login| login.parse().ok());
        self.may_lock_out(browser, arrival, request);
        let what = if is_given_cookie && !self.may_be_given_cookie(arrival, request) {
            "is given a bound cookie"
        } else if shown.is_some_and(|login| self.is_over_for(login, arrival)) {
            "is in a session that has ended"
        } else if shown.is_some_and(|login| !self.may_be_in(login, arrival, request)) {
            "is in without a proof"
        } else {
            return;
        };
        let of = shown.map_or(String::new(), |login: usize| format!(" (#{login})"));
        self.violate(Some(browser), format!("the thief {what}{of} by R{}", arrival.number));
    }

    /// A thief who repeats a registration whose answer its owner never got has the bound cookie, and the owner has none. It
    /// could as well log the owner out.
    fn may_lock_out(&mut self, browser: usize, arrival: &Arrival, request: &Request) {
        let Some(login) = self.named(request) else { return };
        let cookie = request.cookie(BOUND).unwrap_or_default();
        if self.is_good(cookie, login, self.clock(arrival.process, arrival.at)) && !self.has_key_of(browser, login) {
            self.logins[login].is_doubtful = true;
        }
    }

    /// The proof of the owner's key, until its challenge is over.
    fn may_be_given_cookie(&self, arrival: &Arrival, request: &Request) -> bool {
        let proof = request.header(PROOF).unwrap_or_default();
        let challenged = request.signed_challenge().and_then(|challenge| made(&challenge));
        let clock = self.clock(arrival.process, arrival.at);
        self.proofs.contains(proof) && challenged.is_some_and(|made| clock < made + self.lifetime() + LEEWAY)
    }

    fn is_over_for(&self, login: usize, arrival: &Arrival) -> bool {
        self.logins[login].ended.is_some_and(|ended| arrival.at > ended + self.staleness())
    }

    /// Before a proof is demanded; with a bound cookie that is not over; for a while after the registration; and for the
    /// grace of a skip, where the application grants one.
    fn may_be_in(&self, login: usize, arrival: &Arrival, request: &Request) -> bool {
        let first_skip = self.logins[login].first_skip;
        let apart = self.setup.largest_skew() + self.staleness();
        let is_before = |until: i64| arrival.at < until + apart;
        let cookie = request.cookie(BOUND).unwrap_or_default();
        let is_skipped = || {
            let grace = self.setup.skip_grace.map(|grace| grace.as_millis() as i64);
            let says_so = request.headers.contains_key(SKIPPED);
            let is_granted = |grace: i64| first_skip.is_none_or(|first| is_before(first + grace));
            says_so && grace.is_some_and(is_granted)
        };
        !self.is_demanded(login, arrival)
            || self.is_good(cookie, login, self.clock(arrival.process, arrival.at))
            || is_skipped()
    }

    /// Whether a request without a proof surely finds no session.
    pub(super) fn is_demanded(&self, login: usize, arrival: &Arrival) -> bool {
        let Login { enforced, registered, .. } = self.logins[login];
        let apart = self.setup.largest_skew() + self.staleness();
        // In the same millisecond, it may have come first.
        enforced.is_some_and(|since| since + self.staleness() < arrival.at)
            && registered.is_some_and(|(_, at)| at + UNDER_WAY + apart <= arrival.at)
    }
}
