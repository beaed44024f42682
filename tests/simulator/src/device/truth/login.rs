use super::Truth;

/// A login, and the session that it began.
#[derive(Default)]
pub struct Login {
    pub user: usize,
    ids: Vec<Id>,
    /// Until then it lives, if nobody ends it.
    pub lives_until: i64,
    /// When its absolute timeout ends it.
    pub dies_at: i64,
    /// When somebody ended it.
    pub ended: Option<i64>,
    /// It may have ended, or may have an id that nobody was told.
    pub is_doubtful: bool,
    /// When it was last offered to register another key.
    pub offered_anew: Option<i64>,
    /// When its first registration arrived.
    pub first_registration: Option<i64>,
    /// Its registered key, and when the browser was told so first.
    pub registered: Option<(usize, i64)>,
    /// When the first request came that may have shown a proof.
    pub first_proof: Option<i64>,
    /// When a request with a proof was answered: from then on one is demanded.
    pub enforced: Option<i64>,
    /// When a request was first let in because its refresh was skipped.
    pub first_skip: Option<i64>,
}

struct Id {
    value: String,
    /// Another one has taken its place, or may have.
    is_replaced: bool,
    was_presented: bool,
}

/// How many offers of a new id stand.
const STANDING: usize = 2;

impl Login {
    /// A response to a request with the id `presented` gives it this id. `replaces`: those before count no more.
    pub fn gets_id(&mut self, value: &str, presented: Option<&str>, replaces: bool) {
        // What is offered to somebody with an old id may be old itself.
        let is_old = presented.is_some_and(|id| self.ids.iter().any(|other| other.value == id && other.is_replaced));
        if replaces {
            self.ids.iter_mut().for_each(|id| id.is_replaced = true);
        }
        if self.ids.iter().all(|id| id.value != value) {
            let is_replaced = is_old && !replaces;
            self.ids.push(Id { value: value.to_owned(), is_replaced, was_presented: false });
        }
    }

    /// The first request with an offered id takes it: it then has the place of all others.
    pub fn presents(&mut self, value: &str) {
        let Some(at) = self.ids.iter().position(|id| id.value == value && !id.was_presented) else { return };
        self.ids[at].was_presented = true;
        if !self.ids[at].is_replaced {
            let others = self.ids.iter_mut().enumerate().filter(|(other, _)| *other != at);
            others.for_each(|(_, other)| other.is_replaced = true);
        }
    }

    /// Whether this id must lead to its session: none has taken its place.
    pub fn counts(&self, value: &str) -> bool {
        let Some(at) = self.ids.iter().position(|id| id.value == value) else { return false };
        !self.ids[at].is_replaced && self.ids.len() - at <= STANDING
    }

    /// A new authentication has asked for another key, before the first was in use.
    pub fn is_offered_anew(&mut self, now: i64) {
        self.offered_anew = Some(now);
        (self.first_registration, self.registered, self.first_proof) = (None, None, None);
    }
}

impl Truth {
    /// A browser is about to sign in.
    pub fn new_login(&mut self, browser: usize) -> usize {
        let user = self.setup.user(browser);
        let is_doubtful = self.endings.values().any(|ending| *ending == user);
        self.logins.push(Login { user, is_doubtful, ..Login::default() });
        self.logins.len() - 1
    }

    /// Whether a key is registered for the session that has this id.
    pub fn is_registered(&self, session_id: &str) -> bool {
        self.ids.get(session_id).is_some_and(|login| self.logins[*login].registered.is_some())
    }

    /// Whether nobody has ended the session of a login, and its time is not over.
    pub(super) fn surely_lives(&self, login: usize) -> bool {
        let Login { ended, is_doubtful, lives_until, dies_at, .. } = self.logins[login];
        ended.is_none() && !is_doubtful && self.now() < lives_until.min(dies_at)
    }

    /// A request that arrived then has used the session.
    pub(super) fn is_used(&mut self, login: usize, at: i64) {
        if self.may_fail(at) {
            return;
        }
        let idle = self.setup.common.idle_timeout.as_millis() as i64;
        // A use is noted every so often, by clocks that differ.
        let spare = (idle / 30).min(60_000) + 2 * self.setup.largest_skew() + 2000;
        let lives_until = &mut self.logins[login].lives_until;
        *lives_until = (*lives_until).max(at + idle - spare);
    }

    /// Whether a bound cookie was given to this login, and is good by this clock.
    pub(super) fn is_good(&self, bound_cookie: &str, login: usize, clock: i64) -> bool {
        let is_ours = self.bound_cookies.get(bound_cookie) == Some(&login);
        is_ours && super::made(bound_cookie).is_some_and(|made| clock < made + self.lifetime() + super::LEEWAY)
    }
}
