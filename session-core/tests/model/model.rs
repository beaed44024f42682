use std::collections::BTreeMap;
use std::time::Duration;

use session_core::{RecordKey, Time};

type Values = BTreeMap<&'static str, i64>;

const ABSOLUTE_TIMEOUT: Duration = Duration::from_secs(86_400);
const IDLE_TIMEOUT: Duration = Duration::from_secs(1800);

/// What sessions are, without conflicts, locks or waiting.
pub struct Model {
    sessions: BTreeMap<RecordKey, Session>,
    requests: Vec<Request>,
}

#[derive(Clone)]
struct Session {
    values: Values,
    created: Time,
    accessed: Time,
    idle_timeout: Duration,
    saves: u64,
}

/// One request, from opening to committing.
#[derive(Clone, Default)]
struct Request {
    found: Option<(RecordKey, Session)>,
    /// The id that was presented and has no session.
    unknown: Option<RecordKey>,
    started: Option<(RecordKey, Session)>,
    values: BTreeMap<&'static str, Option<i64>>,
    idle_timeout: Option<Duration>,
    renew: Option<RecordKey>,
    /// The session that was found is to end.
    remove: bool,
    /// What was presented and not found is to end, if another request has stored it meanwhile.
    remove_unknown: bool,
    /// The session that was found was gone when it was to be saved.
    gone: bool,
}

#[derive(Debug, PartialEq)]
pub enum Outcome {
    Unchanged,
    Issue(RecordKey),
    Forget,
}

impl Session {
    fn deadline(&self) -> Time {
        let idle = self.accessed.saturating_add(self.idle_timeout);
        idle.min(self.created.saturating_add(ABSOLUTE_TIMEOUT))
    }

    fn touch_is_due(&self, now: Time) -> bool {
        let interval = (self.idle_timeout / 30).min(Duration::from_secs(60));
        now > self.accessed && now.since(self.accessed) >= interval
    }
}

impl Request {
    fn is_present(&self) -> bool {
        self.started.is_some() || (self.found.is_some() && !self.remove && !self.gone)
    }

    fn has_changes(&self) -> bool {
        !self.values.is_empty() || self.idle_timeout.is_some()
    }

    fn drop_changes(&mut self) {
        self.values.clear();
        self.idle_timeout = None;
    }

    fn apply(&mut self, session: &mut Session) {
        for (name, value) in std::mem::take(&mut self.values) {
            match value {
                Some(value) => session.values.insert(name, value),
                None => session.values.remove(name),
            };
        }
        session.idle_timeout = self.idle_timeout.take().unwrap_or(session.idle_timeout);
    }

    fn values(&self) -> Values {
        let (_, session) = self.started.as_ref().or(self.found.as_ref()).expect("a session is there");
        let mut session = session.clone();
        self.clone().apply(&mut session);
        session.values
    }
}

impl Model {
    pub fn new(requests: usize) -> Self {
        Model { sessions: BTreeMap::new(), requests: vec![Request::default(); requests] }
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    fn live(&mut self, key: &RecordKey, now: Time) -> Option<&mut Session> {
        self.sessions.get_mut(key).filter(|session| now < session.deadline())
    }

    pub fn stored(&self, key: &RecordKey, now: Time) -> Option<(Values, Time, Duration)> {
        let session = self.sessions.get(key).filter(|session| now < session.deadline())?;
        Some((session.values.clone(), session.accessed, session.idle_timeout))
    }

    pub fn seen_by(&self, request: usize) -> Option<(RecordKey, Values)> {
        let request = &self.requests[request];
        let key = match (&request.started, &request.renew, &request.found) {
            (Some((key, _)), _, _) | (None, Some(key), _) | (None, None, Some((key, _))) => *key,
            (None, None, None) => return None,
        };
        request.is_present().then(|| (key, request.values()))
    }

    pub fn open(&mut self, request: usize, key: &RecordKey, now: Time) {
        let found = self.live(key, now).map(|session| (*key, session.clone()));
        // The use counts from now on. The request itself goes on telling what was before.
        if let Some(session) = self.live(key, now).filter(|session| session.touch_is_due(now)) {
            session.accessed = now;
        }
        let unknown = found.is_none().then_some(*key);
        self.requests[request] = Request { found, unknown, ..Request::default() };
    }

    pub fn start(&mut self, request: usize, key: RecordKey, values: Values, now: Time) {
        let request = &mut self.requests[request];
        request.drop_changes();
        request.renew = None;
        if request.gone {
            request.found = None;
        }
        let session = Session { values, created: now, accessed: now, idle_timeout: IDLE_TIMEOUT, saves: 0 };
        request.started = Some((key, session));
    }

    pub fn set(&mut self, request: usize, name: &'static str, value: Option<i64>) {
        self.requests[request].values.insert(name, value);
    }

    pub fn take(&mut self, request: usize, name: &'static str) -> Option<i64> {
        let value = self.requests[request].values().get(name).copied()?;
        self.set(request, name, None);
        Some(value)
    }

    pub fn set_idle_timeout(&mut self, request: usize, timeout: Duration) {
        self.requests[request].idle_timeout = Some(timeout);
    }

    pub fn renew(&mut self, request: usize, key: RecordKey) {
        let request = &mut self.requests[request];
        if request.started.is_none() {
            request.renew = Some(key);
        }
    }

    pub fn end(&mut self, request: usize) {
        let request = &mut self.requests[request];
        request.drop_changes();
        request.renew = None;
        request.started = None;
        request.remove = request.found.is_some();
        request.remove_unknown = true;
    }

    pub fn discard(&mut self, request: usize) {
        let request = &mut self.requests[request];
        request.drop_changes();
        request.renew = None;
        request.started = None;
        request.remove = false;
        request.remove_unknown = false;
    }

    pub fn update(&mut self, request: usize, name: &'static str, now: Time) -> Option<i64> {
        let one_more = |values: &Values| values.get(name).copied().unwrap_or(0) + 1;
        if self.requests[request].started.is_some() {
            let value = one_more(&self.requests[request].values());
            self.set(request, name, Some(value));
            return Some(value);
        }
        self.write(request, now, |session| {
            let value = one_more(&session.values);
            session.values.insert(name, value);
            value
        })
    }

    pub fn save(&mut self, request: usize, now: Time) -> Option<()> {
        let Request { started, .. } = &self.requests[request];
        if started.is_some() {
            return Some(());
        }
        if self.requests[request].has_changes() {
            return self.write(request, now, |_| ());
        }
        // Whoever saves nothing finds out whether the session is still there.
        let (key, _) = self.requests[request].found.clone()?;
        let Some(session) = self.live(&key, now) else {
            self.lose(request);
            return None;
        };
        if session.touch_is_due(now) {
            session.accessed = now;
        }
        Some(())
    }

    fn lose(&mut self, request: usize) {
        let request = &mut self.requests[request];
        request.drop_changes();
        request.renew = None;
        request.gone = true;
    }

    /// Applies the changes and an edit to what is stored now; none if that is gone.
    fn write<T>(&mut self, request: usize, now: Time, edit: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut changes = self.requests[request].clone();
        let (key, _) = changes.found?;
        let Some(session) = self.live(&key, now) else {
            self.lose(request);
            return None;
        };
        changes.found = None;
        changes.apply(session);
        let value = edit(session);
        session.accessed = session.accessed.max(now);
        session.saves += 1;
        let session = session.clone();
        let request = &mut self.requests[request];
        request.drop_changes();
        request.found = Some((key, session));
        Some(value)
    }

    pub fn commit(&mut self, at: usize, now: Time) -> Outcome {
        let mut request = self.requests[at].clone();
        let outcome = self.carry_out(at, &mut request, now);
        self.requests[at] = Request::default();
        outcome
    }

    fn carry_out(&mut self, at: usize, request: &mut Request, now: Time) -> Outcome {
        if let Some((key, mut session)) = request.started.take() {
            request.apply(&mut session);
            session.accessed = session.accessed.max(now);
            // It ends, whatever it names.
            request.unknown.map(|key| self.sessions.remove(&key));
            // One that had expired when the new one was last used is left to the purge.
            if let Some((old, _)) = &request.found
                && (request.remove || self.live(old, session.accessed).is_some())
            {
                self.sessions.remove(old);
            }
            self.sessions.insert(key, session);
            return Outcome::Issue(key);
        }
        let Some((key, _)) = request.found.take() else {
            let unknown = request.unknown.filter(|_| request.remove_unknown);
            let has_ended = unknown.is_some_and(|key| self.sessions.remove(&key).is_some());
            return if has_ended { Outcome::Forget } else { Outcome::Unchanged };
        };
        if request.gone {
            return Outcome::Unchanged;
        }
        if request.remove {
            self.sessions.remove(&key);
            return Outcome::Forget;
        }
        if let Some(new_key) = request.renew {
            return match self.write(at, now, |_| ()) {
                Some(()) => {
                    let session = self.sessions.remove(&key).expect("it was just written");
                    self.sessions.insert(new_key, session);
                    Outcome::Issue(new_key)
                }
                None => Outcome::Unchanged,
            };
        }
        if request.has_changes() {
            let _ = self.write(at, now, |_| ());
        }
        Outcome::Unchanged
    }

    pub fn get(&mut self, key: &RecordKey, now: Time) -> Option<Values> {
        let session = self.live(key, now)?;
        if session.touch_is_due(now) {
            session.accessed = now;
        }
        Some(session.values.clone())
    }

    pub fn delete(&mut self, key: &RecordKey) {
        self.sessions.remove(key);
    }

    pub fn purge(&mut self, now: Time) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|_, session| now < session.deadline());
        (before - self.sessions.len()) as u64
    }
}
