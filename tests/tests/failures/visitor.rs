use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use session_core::{Error, NewSession, Session, SessionId, SessionManager};
use workspace_tests::random::Random;
use workspace_tests::records::fresh_key;

use crate::ledger::Ledger;
use crate::world::{RECOVERY, World};

/// What one operation of a store may take, by default, and what a busy machine adds.
const OPERATION: Duration = Duration::from_secs(5 + 2);
/// A write that meets another one reads again, and is repeated.
const WRITE: Duration = Duration::from_secs(3 * 5 + 2);
/// The longest pause between two requests, in milliseconds.
const LONGEST_PAUSE: u64 = 8;

/// A user with a browser, and at times with others.
pub struct Visitor {
    world: Arc<World>,
    random: Random,
    user: String,
    /// Whether the visitor never logs out. Whoever tries to, while the fast one of two tiers fails, does nothing else until
    /// it succeeds.
    stays: bool,
    process: usize,
    /// What the browser's session may have. `None` before a login, and after a logout.
    ledger: Option<Ledger>,
    /// Sessions in other browsers.
    others: Vec<String>,
    /// Ids whose sessions were ended: no process may serve them.
    ended: Vec<String>,
    /// Ids that were renewed: this process must not serve them.
    replaced: Vec<String>,
    /// What failed, and is repeated until it succeeds.
    duty: Option<Duty>,
    marks: u64,
}

#[derive(Clone, Copy, Debug)]
enum Duty {
    End,
    EndAll,
}

/// What a visitor has in the end.
pub struct Last {
    pub id: String,
    pub count: u64,
}

impl Visitor {
    pub fn new(world: Arc<World>, number: u64, random: Random) -> Self {
        Visitor {
            process: number as usize % world.processes.len(),
            world,
            random,
            user: fresh_key().to_string(),
            stays: number % 4 < 2,
            ledger: None,
            others: Vec::new(),
            ended: Vec::new(),
            replaced: Vec::new(),
            duty: None,
            marks: 0,
        }
    }

    pub async fn come_and_go(mut self) -> Last {
        while !self.world.is_over.load(Ordering::SeqCst) {
            self.act().await;
            tokio::time::sleep(Duration::from_millis(self.random.below(LONGEST_PAUSE))).await;
        }
        self.leave().await
    }

    async fn act(&mut self) {
        match (self.duty, &self.ledger) {
            (Some(Duty::End), _) => self.end().await,
            (Some(Duty::EndAll), _) => self.end_all().await,
            (None, None) => self.log_in().await,
            (None, Some(_)) => match self.random.below(100) {
                0..40 => drop(self.count().await),
                40..55 => self.mark().await,
                55..70 => self.read().await,
                70..78 => self.renew().await,
                78..82 => self.log_in_elsewhere().await,
                82..88 if !self.stays => self.end().await,
                88..90 if !self.stays => self.end_all().await,
                _ => self.look_at_what_ended().await,
            },
        }
    }

    fn sessions(&mut self) -> SessionManager {
        let any = if self.world.is_roaming { self.any_process() } else { self.process };
        self.world.processes[any].clone()
    }

    fn any_process(&mut self) -> usize {
        self.random.below(self.world.processes.len() as u64) as usize
    }

    fn ledger(&mut self) -> &mut Ledger {
        self.ledger.as_mut().expect("the visitor has a session")
    }

    /// The answer, which comes in time. `None` for a failure of the store.
    async fn ask<T>(
        &self,
        limit: Duration,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Option<Result<T, Error>> {
        let answer = tokio::time::timeout(limit, request).await;
        let answer = answer.unwrap_or_else(|_| panic!("a request takes longer than {limit:?}: {:?}", self.ledger));
        let (told, answer) = match answer {
            Err(Error::Store(_)) => (&self.world.told.failures, None),
            answer => (&self.world.told.successes, Some(answer)),
        };
        told.fetch_add(1, Ordering::SeqCst);
        answer
    }
}

/// Beginning and ending.
impl Visitor {
    async fn log_in(&mut self) {
        let new = NewSession::new().principal(&self.user).attr("Count", &0).attr("Mark", &0);
        let sessions = self.sessions();
        if let Some(session) = self.ask(OPERATION, sessions.create(new)).await {
            self.ledger = Some(Ledger::new(id_of(&session.expect("a login needs nothing"))));
        }
    }

    async fn log_in_elsewhere(&mut self) {
        let (new, sessions) = (NewSession::new().principal(&self.user), self.sessions());
        if let Some(session) = self.ask(OPERATION, sessions.create(new)).await {
            self.others.push(id_of(&session.expect("a login needs nothing")));
        }
    }

    /// Ends the session, under whatever id it has.
    async fn end(&mut self) {
        let sessions = self.sessions();
        for id in self.ledger().ids.clone() {
            let key = SessionId::parse(&id).expect("it is an id").key();
            match self.ask(OPERATION, sessions.end(&key)).await {
                Some(answer) => drop(answer.expect("a logout needs nothing")),
                None => {
                    self.duty = Some(Duty::End);
                    return;
                }
            }
        }
        self.ended.extend(self.ledger.take().into_iter().flat_map(|ledger| ledger.ids));
        self.duty = None;
    }

    /// Ends every session of the user.
    async fn end_all(&mut self) {
        if !self.world.can_end_all {
            return;
        }
        let (user, sessions) = (self.user.clone(), self.sessions());
        match self.ask(OPERATION, sessions.end_all_of(&user)).await {
            Some(answer) => {
                answer.expect("ending all needs nothing");
                self.ended.extend(self.ledger.take().into_iter().flat_map(|ledger| ledger.ids));
                self.ended.append(&mut self.others);
                self.duty = None;
                // An attempt whose answer was lost may arrive late, and then ends what the user has begun meanwhile.
                self.user = fresh_key().to_string();
            }
            None => self.duty = Some(Duty::EndAll),
        }
    }

    async fn look_at_what_ended(&mut self) {
        let number = (self.ended.len() + self.replaced.len()) as u64;
        if number == 0 {
            return;
        }
        let choice = self.random.below(number) as usize;
        match self.ended.get(choice).cloned() {
            Some(id) => {
                let process = self.any_process();
                self.is_not_served(&id, process).await;
            }
            None => drop(self.is_not_served(&self.replaced[choice - self.ended.len()], self.process).await),
        }
    }

    /// Whether the store answered.
    async fn is_not_served(&self, id: &str, process: usize) -> bool {
        let found = self.ask(OPERATION, self.world.processes[process].get(id)).await;
        assert!(!matches!(found, Some(Ok(Some(_)))), "what has ended is served");
        found.is_some()
    }
}

/// Using a session.
impl Visitor {
    /// The session, under the id that it has by now. `None` if the store failed.
    async fn open(&mut self) -> Option<Session> {
        let sessions = self.sessions();
        // A renewal may take effect between the looks.
        for _ in 0..3 {
            for id in self.ledger().ids.clone() {
                let found = self.ask(OPERATION, sessions.get(&id)).await?;
                if let Some(session) = found.expect("reading needs nothing") {
                    return Some(session);
                }
            }
        }
        panic!("a session that was acknowledged is lost: {:?}", self.ledger);
    }

    async fn read(&mut self) {
        let Some(session) = self.open().await else { return };
        let value = |name| session.attr::<u64>(name).expect("it is a number").expect("it is there");
        self.ledger().found(value("Count"), value("Mark"));
    }

    /// The number, if it was acknowledged.
    async fn count(&mut self) -> Option<u64> {
        let session = self.open().await?;
        let counting = session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1);
        let counted = self.ask(WRITE, counting).await.and_then(|answer| self.unless_moved(answer));
        match counted {
            Some(count) => self.ledger().counted(count),
            None => self.ledger().may_have_counted(),
        }
        self.settle().await;
        counted
    }

    /// Sets an attribute, at times with one that needs much room.
    async fn mark(&mut self) {
        let Some(session) = self.open().await else { return };
        self.marks += 1;
        let (mark, large) = (self.marks, if self.random.below(8) == 0 { self.world.large } else { 0 });
        session.set_attr("Mark", &mark).expect("it is small");
        session.set_attr("Text", &"x".repeat(large)).expect("it is not too large");
        match self.ask(WRITE, session.save()).await.and_then(|answer| self.unless_moved(answer)) {
            Some(()) => self.ledger().marked(mark),
            None => self.ledger().may_have_marked(mark),
        }
        self.settle().await;
    }

    async fn renew(&mut self) {
        let [old] = &self.ledger().ids[..] else { return };
        let old = old.clone();
        let Some(session) = self.open().await else { return };
        session.renew_id().expect("it came with its id");
        let new = id_of(&session);
        match self.ask(WRITE, session.save()).await {
            Some(answer) => {
                answer.expect("nobody else uses it");
                self.ledger().ids = vec![new];
                self.replaced.push(old);
            }
            None => self.ledger().may_have_moved(new),
        }
    }

    /// `None` if the session was not found because a renewal of unknown outcome took effect in between.
    fn unless_moved<T>(&mut self, answer: Result<T, Error>) -> Option<T> {
        match answer {
            Err(Error::Gone) if self.ledger().ids.len() > 1 => None,
            answer => Some(answer.unwrap_or_else(|error| panic!("{error:?}: {:?}", self.ledger))),
        }
    }

    /// Finds out under which id the session is, once a renewal of unknown outcome can take effect no more.
    async fn settle(&mut self) {
        let ids = self.ledger().ids.clone();
        if ids.len() < 2 || !self.ledger().is_settled {
            return;
        }
        let sessions = self.sessions();
        let mut here = Vec::new();
        for id in ids {
            let Some(found) = self.ask(OPERATION, sessions.get(&id)).await else { return };
            if found.expect("reading needs nothing").is_some() {
                here.push(id);
            }
        }
        let [id] = &here[..] else { panic!("it is under {} ids: {:?}", here.len(), self.ledger) };
        let gone = self.ledger().settle(id);
        self.replaced.extend(gone);
    }
}

/// The end.
impl Visitor {
    /// Everything works, and everything is as it was acknowledged.
    async fn leave(mut self) -> Last {
        let since = Instant::now();
        let count = loop {
            assert!(since.elapsed() < RECOVERY, "the servers work, and not the sessions: {:?}", self.duty);
            match self.duty {
                None if self.ledger.is_some() => {
                    if let Some(count) = self.count().await
                        && self.ledger().ids.len() == 1
                    {
                        break count;
                    }
                }
                _ => self.act().await,
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        self.read().await;
        for id in &self.ended {
            for process in 0..self.world.processes.len() {
                assert!(self.is_not_served(id, process).await, "the servers work");
            }
        }
        for id in &self.replaced {
            assert!(self.is_not_served(id, self.process).await, "the servers work");
        }
        Last { id: self.ledger().ids[0].clone(), count }
    }
}

fn id_of(session: &Session) -> String {
    session.id().as_str().to_owned()
}
