//! The owner stays signed in.

use super::login::Login;
use super::{Arrival, Truth, UNDER_WAY};
use crate::device::application::{BOUND, NOBODY, SESSION};
use crate::device::browser::{Ending, Event};
use crate::device::message::{Request, Response};

/// What is known of a browser.
#[derive(Default)]
pub struct Owner {
    login: Option<usize>,
    /// The browser has the newest id of that login, and nothing is under way that changes this.
    is_sure: bool,
    /// Rises with everything that changes which session the browser has.
    pub epoch: u64,
    /// Changes that may still arrive.
    under_way: usize,
    /// Changes that were sent since one was acknowledged, and those whose sender still waits.
    sent: usize,
    waiting: usize,
    /// The key of its bound session.
    bound_key: Option<usize>,
    /// The login whose id came with the last refresh.
    asked_about: Option<usize>,
    /// A refresh that began before a login has ended, or taken over, the bound session that came after it. Browsers do
    /// that, and the guide says so.
    is_overtaken: bool,
}

/// A request that changes which session a browser has, or which id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    SignIn(usize),
    Renew,
    SignInAgain,
    EndOthers,
    LogOut,
}

/// What an answer tells about the session.
enum Shown {
    Login(usize),
    Nobody,
    Nothing,
}

pub fn is_change(route: &str) -> bool {
    matches!(route, "/login" | "/renew" | "/again" | "/others" | "/logout")
}

/// Whether a navigation is answered by the page that leads to itself.
pub fn leads_to_itself(response: &Response) -> bool {
    response.body.contains("http-equiv=refresh")
}

impl Owner {
    pub fn sure_login(&self) -> Option<usize> {
        self.login.filter(|_| self.is_sure)
    }
}

impl Truth {
    /// The login that a browser surely has.
    pub fn sure_login(&self, browser: usize) -> Option<usize> {
        self.owners[browser].sure_login().filter(|login| self.surely_lives(*login))
    }

    /// A browser is about to change which session it has.
    pub fn change_begins(&mut self, browser: usize) {
        let owner = &mut self.owners[browser];
        if owner.under_way == 0 && owner.waiting == 0 {
            owner.sent = 0;
        }
        owner.waiting += 1;
    }

    pub(super) fn change_is_sent(&mut self, browser: usize, request: &Request) {
        let owner = &mut self.owners[browser];
        owner.under_way += 1;
        owner.sent += 1;
        owner.epoch += 1;
        owner.is_sure = false;
        self.others_may_end(browser, request);
        if self.ends_others(request) {
            self.endings.insert(self.requests, self.setup.user(browser));
        }
    }

    /// Nothing more comes of a change.
    pub(super) fn change_is_over(&mut self, browser: usize, number: usize, request: &Request) {
        self.others_may_end(browser, request);
        self.endings.remove(&number);
        let owner = &mut self.owners[browser];
        owner.under_way -= 1;
        owner.epoch += 1;
    }

    fn ends_others(&self, request: &Request) -> bool {
        let is_limited = request.route() == "/login" && self.setup.common.limit.is_some();
        request.route() == "/others" || is_limited
    }

    /// A request may end sessions of its user that others began, also those that begin while it is under way.
    fn others_may_end(&mut self, browser: usize, request: &Request) {
        if !self.ends_others(request) {
            return;
        }
        // A login is not ended by itself.
        let begun = request.path.rsplit_once("number=").and_then(|(_, number)| number.parse().ok());
        let (user, own) = (self.setup.user(browser), begun.or_else(|| self.named(request)));
        let others = self.logins.iter_mut().enumerate();
        let others = others.filter(|(login, other)| other.user == user && Some(*login) != own);
        others.for_each(|(_, other)| other.is_doubtful = true);
    }

    /// A browser has the answer to its change, or none. `session`: the id that it has now.
    pub fn change_ended(&mut self, browser: usize, change: Change, answer: Option<&Response>, session: Option<&str>) {
        let owner = &mut self.owners[browser];
        owner.waiting -= 1;
        owner.epoch += 1;
        let is_alone = owner.sent == 1 && owner.under_way == 0;
        let login = match (change, answer.map(|answer| answer.status)) {
            (Change::SignIn(login), Some(200)) => Some(login),
            (Change::LogOut, Some(200)) => None,
            // Whoever has no session changes nothing.
            (Change::Renew | Change::SignInAgain | Change::EndOthers, Some(200 | 401)) => owner.login,
            _ => return self.is_in_doubt(browser),
        };
        if !is_alone {
            return self.is_in_doubt(browser);
        }
        if owner.login != login {
            owner.is_overtaken = false;
        }
        owner.login = login;
        owner.is_sure = login.is_some() && session.and_then(|id| self.ids.get(id)).copied() == login;
    }

    /// An answer that comes late may have brought an old id, or the id of a session that has begun by itself.
    pub(super) fn cookie_is_sent(&mut self, browser: usize, request: &Request) {
        let named = self.named(request);
        let counts = |login: usize| request.cookie(SESSION).is_some_and(|id| self.logins[login].counts(id));
        if self.owners[browser].sure_login().is_some_and(|login| named != Some(login) || !counts(login)) {
            self.is_in_doubt(browser);
        }
        if request.route().ends_with("/refresh") {
            self.owners[browser].asked_about = named;
        }
    }

    /// Nobody knows which session the browser has, or whether it has any.
    fn is_in_doubt(&mut self, browser: usize) {
        let owner = &mut self.owners[browser];
        owner.is_sure = false;
        if let Some(login) = owner.login.take() {
            self.logins[login].is_doubtful = true;
        }
    }

    /// The browser's side has changed. It must not end by an answer of ours while the session goes on.
    pub fn learns(&mut self, browser: usize, event: Event) {
        self.story.tell(&[browser], || format!("   browser {browser}: {event:?}"));
        let login = self.sure_login(browser);
        let owner = &mut self.owners[browser];
        let (live, asked, ending) = match event {
            Event::Registered(key) | Event::Refreshed(key) => {
                owner.bound_key = Some(key);
                return;
            }
            Event::Ended { live, asked, ending } => (live, asked, ending),
        };
        owner.bound_key = None;
        let is_of = |login: usize| self.logins[login].registered.is_some_and(|(key, _)| key == live);
        let is_current = login.is_some_and(is_of);
        let is_about_it = asked == live && owner.asked_about == login;
        owner.is_overtaken |= !is_about_it || !is_current;
        let is_never_ours =
            !matches!(ending, Ending::ServerRequestedTermination | Ending::TooManyChallenges | Ending::SiteDataCleared);
        if is_never_ours || is_current && is_about_it {
            let of = login.map_or(String::new(), |login| format!(", though #{login} goes on"));
            self.violate(Some(browser), format!("browser {browser} ends its side of the binding ({ending:?}){of}"));
        }
    }

    pub(super) fn judge_owner(&mut self, browser: usize, arrival: &Arrival, request: &Request, response: &Response) {
        let owner = &self.owners[browser];
        let is_same = owner.epoch == arrival.epoch && owner.sure_login() == arrival.login && !arrival.is_late;
        let Some(login) = arrival.login.filter(|login| is_same && self.surely_lives(*login)) else { return };
        let is_newest = request.cookie(SESSION).is_some_and(|id| self.logins[login].counts(id));
        if !is_newest {
            return;
        }
        let who = format!("R{} of browser {browser}, which is signed in as #{login},", arrival.number);
        if self.loses_cookie(browser, login, response) {
            return self.violate(Some(browser), format!("{who} takes its cookie away"));
        }
        match shown(request, response) {
            Shown::Login(other) if other != login => {
                self.violate(Some(browser), format!("{who} is shown #{other}"));
            }
            Shown::Nobody if !self.may_be_refused(login, arrival, request) => {
                self.violate(Some(browser), format!("{who} is nobody"));
            }
            _ => {}
        }
    }

    /// Whether a response removes the cookie of a session that goes on, or replaces it by that of another.
    fn loses_cookie(&self, browser: usize, login: usize, response: &Response) -> bool {
        // A browser that has lost its key can't come again.
        let has_key = self.has_key_of(browser, login);
        let is_foreign = |id: &str| id.is_empty() || self.ids.get(id) != Some(&login) && has_key;
        response.sets(SESSION).is_some_and(is_foreign) || response.sets(BOUND).is_some_and(str::is_empty)
    }

    /// Whether the browser's bound session is that of this login. A late answer to a registration may have put an older
    /// key in its place, also one of this login's before it was offered another. Browsers do that, and the guide says so.
    pub(super) fn has_key_of(&self, browser: usize, login: usize) -> bool {
        let registered = self.logins[login].registered.map(|(key, _)| key);
        let is_its = |key: usize| self.keys.get(&key) == Some(&login) && registered.is_none_or(|newest| newest == key);
        self.owners[browser].bound_key.is_some_and(is_its)
    }

    /// Whether a request with the newest id may find nobody: it shows no proof, and one is demanded.
    fn may_be_refused(&self, login: usize, arrival: &Arrival, request: &Request) -> bool {
        let Login { first_proof, first_registration, .. } = self.logins[login];
        let cookie = request.cookie(BOUND).unwrap_or_default();
        let clocks = [arrival.at, self.now()].map(|at| self.clock(arrival.process, at));
        if clocks.iter().all(|clock| self.is_good(cookie, login, *clock)) {
            return false;
        }
        let is_from_elsewhere = request.header("sec-fetch-site") == Some("cross-site");
        let is_after = |at: i64| self.now() >= at + UNDER_WAY - self.setup.largest_skew() - 1000;
        !is_from_elsewhere && first_proof.is_some() && first_registration.is_some_and(is_after)
    }

    /// After all faults are over, a browser has asked once more, and was answered this.
    pub fn judge_last(&mut self, browser: usize, login: usize, response: Option<&Response>) {
        let is_in = response.is_some_and(|response| response.body == format!("#{login}"));
        if is_in || self.sure_login(browser) != Some(login) {
            return;
        }
        let Owner { is_overtaken, bound_key, .. } = self.owners[browser];
        if is_overtaken || bound_key.is_some() && !self.has_key_of(browser, login) {
            return;
        }
        let answer = response.map_or("not answered".to_owned(), |response| format!("answered {:?}", response.body));
        let what = format!("in the end browser {browser}, which is signed in as #{login}, is {answer}");
        self.violate(Some(browser), what);
    }
}

fn shown(request: &Request, response: &Response) -> Shown {
    if !matches!(request.route(), "/page" | "/strict" | "/count" | "/cart") {
        return Shown::Nothing;
    }
    match response.status {
        401 => Shown::Nobody,
        200 if response.body == NOBODY => Shown::Nobody,
        200 => {
            response.body.strip_prefix('#').and_then(|login| login.parse().ok()).map_or(Shown::Nothing, Shown::Login)
        }
        _ => Shown::Nothing,
    }
}
