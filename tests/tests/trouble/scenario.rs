use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

use session_core::{AnyStore, Error, NewSession, SessionId, SessionManager, WriteBehind};
use workspace_tests::records::{fresh_key, manager};
use workspace_tests::troubled::{Backend, TierSettings, Trouble, TroubledServer, open_tiers};

use crate::expected::{Expected, Place, Told};

/// A request takes several operations of a store, each of which may take 5 s.
const LONGEST_REQUEST: Duration = Duration::from_secs(16);
/// How soon everything works when the server does. Firestore's client finds out after 8 s that a connection is silent.
const RECOVERY: Duration = Duration::from_secs(20);

/// The processes that use the store, and the sessions that visitors have.
pub struct Scene {
    place: Place,
    story: String,
    sessions: SessionManager,
    /// Another process, if there can be one.
    elsewhere: Option<SessionManager>,
    /// The store that has everything in the end.
    durable: AnyStore,
    read: String,
    counted: String,
    ended: String,
    renewed: String,
    /// A user with two sessions.
    ann: String,
    of_ann: [String; 2],
    /// Whether the store can end both at once.
    can_end_all: bool,
}

/// What happens to the server.
struct Plot {
    backend: Backend,
    trouble: Trouble,
    /// How many bytes find no room in it.
    large: usize,
    loses_sessions: bool,
}

/// What visitors do before, during and after the trouble, in one place, or in two at the same time.
pub async fn play(mut scenes: Vec<Scene>, server: &TroubledServer, trouble: Trouble) {
    let plot = Plot {
        backend: server.backend(),
        trouble,
        large: if trouble == Trouble::Full { server.large() } else { 0 },
        loses_sessions: server.loses_sessions(trouble),
    };
    for scene in &mut scenes {
        scene.begin(&plot).await;
    }
    server.begin(trouble).await;
    let answers = match &scenes[..] {
        [one, other] => Vec::from(<[_; 2]>::from(tokio::join!(one.during(&plot), other.during(&plot)))),
        scenes => vec![scenes[0].during(&plot).await],
    };
    server.end(trouble).await;
    match (&scenes[..], &answers[..]) {
        ([one, other], [told, others]) => {
            _ = tokio::join!(one.afterwards(told, &plot), other.afterwards(others, &plot));
        }
        (scenes, answers) => scenes[0].afterwards(&answers[0], &plot).await,
    }
}

/// What visitors were told while the trouble lasted.
struct Answers {
    saved: Result<u64, Error>,
    created: Result<String, Error>,
    ended: Result<(), Error>,
    ended_all: Result<(), Error>,
    renewed: (String, Result<(), Error>),
}

impl Scene {
    pub async fn alone(server: &TroubledServer) -> Self {
        Scene::set(Place::Alone, server.open().await, Some(server.open().await), server.open().await).await
    }

    pub async fn tiers(place: Place, fast: &TroubledServer, durable: &TroubledServer) -> Self {
        // Where the durable tier has the trouble, a machine that has much to do is not taken for a fast tier that fails.
        let fast_time_limit = (!place.is_fast()).then_some(Duration::from_secs(5));
        let settings = TierSettings { behind: place.is_behind().then(WriteBehind::new), fast_time_limit };
        let here = open_tiers(fast, durable, settings).await;
        let elsewhere = if fast.is_shared() { Some(open_tiers(fast, durable, settings).await) } else { None };
        Scene::set(place, here, elsewhere, durable.open().await).await
    }

    async fn set(place: Place, here: AnyStore, elsewhere: Option<AnyStore>, durable: AnyStore) -> Self {
        let (sessions, elsewhere) = (manager(&here), elsewhere.as_ref().map(manager));
        let ann = fresh_key().to_string();
        let begin = async |user: &str| {
            let new = NewSession::new().principal(user).attr("Count", &0);
            sessions.create(new).await.unwrap().id().as_str().to_owned()
        };
        let bob = fresh_key().to_string();
        let (read, counted, ended) = (begin(&bob).await, begin(&bob).await, begin(&bob).await);
        let (renewed, of_ann) = (begin(&bob).await, [begin(&ann).await, begin(&ann).await]);
        let can_end_all = sessions.capabilities().principals;
        Scene {
            place,
            story: String::new(),
            sessions: sessions.clone(),
            elsewhere,
            durable,
            read,
            counted,
            ended,
            renewed,
            ann,
            of_ann,
            can_end_all,
        }
    }

    async fn begin(&mut self, plot: &Plot) {
        self.story = format!("{:?}, {:?}", self.place, plot.trouble);
        // A transaction of Firestore whose caller gave up before it had an answer holds its locks for a minute.
        self.can_end_all &= plot.backend != Backend::Firestore || plot.trouble == Trouble::Unreachable;
        assert_eq!(self.count(0).await.unwrap(), 1, "{}", self.story);
    }

    async fn during(&self, plot: &Plot) -> Answers {
        let (expected, large, story) = (Expected::of(self.place, plot.backend, plot.trouble), plot.large, &*self.story);
        let (read, saved, created, ended, ended_all, renewed) = tokio::join!(
            in_time("reading", self.open(&self.read)),
            in_time("counting", self.count(large)),
            in_time("a login", self.log_in(large)),
            in_time("a logout", self.end()),
            in_time("ending all", self.end_all()),
            in_time("renewing", self.renew()),
        );
        assert_told("reading", &read, expected.read, story);
        assert_told("counting", &saved, expected.save, story);
        assert_told("a login", &created, expected.create, story);
        assert_told("a logout", &ended, expected.end, story);
        assert_told("ending all", &ended_all, if self.can_end_all { expected.end } else { Told::Success }, story);
        let answers = Answers { saved, created, ended, ended_all, renewed };
        self.serves_nothing_that_ended(&answers).await;
        answers
    }

    /// What has ended is served by no process. Where the copy of it could not be taken away, by this one.
    async fn serves_nothing_that_ended(&self, answers: &Answers) {
        let story = &self.story;
        let endings = [(&answers.ended, &self.ended), (&answers.ended_all, &self.of_ann[0])];
        for (answer, id) in endings.into_iter().take(if self.can_end_all { 2 } else { 1 }) {
            let here = (answer.is_ok() || self.place.is_fast()).then_some(&self.sessions);
            let elsewhere = self.elsewhere.as_ref().filter(|_| answer.is_ok());
            for sessions in here.into_iter().chain(elsewhere) {
                let found = in_time("reading what has ended", sessions.get(id)).await;
                assert!(!matches!(found, Ok(Some(_))), "{story}: what has ended is served");
            }
        }
    }

    async fn afterwards(&self, answers: &Answers, plot: &Plot) {
        let (large, story) = (plot.large, &*self.story);
        if self.place == Place::Alone && plot.loses_sessions {
            return self.begins_anew(plot.trouble == Trouble::Killed, story).await;
        }
        for sessions in [Some(&self.sessions), self.elsewhere.as_ref()].into_iter().flatten() {
            soon(story, async || sessions.create(NewSession::new()).await).await;
        }
        // Whoever was told of a failure does it again.
        soon(story, async || self.end().await).await;
        soon(story, async || self.end_all().await).await;
        let count = soon(story, async || self.count(large).await).await;
        let possible = if answers.saved.is_ok() { 3..=3 } else { 2..=3 };
        assert!(possible.contains(&count), "{story}: {count} after {:?}", answers.saved);
        self.has_ended_what_ended(story).await;
        self.has_one_of_both(&answers.renewed, story).await;
        self.sessions.close().await.unwrap_or_else(|error| panic!("{story}: {error:?}"));
        let in_the_end = manager(&self.durable);
        let found = soon(story, async || in_the_end.get(&self.counted).await).await.expect("it is durable");
        assert_eq!(found.attr::<u64>("Count").unwrap(), Some(count), "{story}");
        if let Ok(created) = &answers.created {
            assert!(in_the_end.get(created).await.unwrap().is_some(), "{story}: a login is lost");
        }
    }

    async fn has_ended_what_ended(&self, story: &str) {
        let ended = [&self.ended, &self.of_ann[0], &self.of_ann[1]];
        for sessions in [Some(&self.sessions), self.elsewhere.as_ref()].into_iter().flatten() {
            for id in ended.into_iter().take(if self.can_end_all { 3 } else { 1 }) {
                let found = soon(story, async || sessions.get(id).await).await;
                assert!(found.is_none(), "{story}: what has ended is served");
            }
        }
    }

    /// Of the old and the new id exactly one works: the new one if the renewal was acknowledged.
    async fn has_one_of_both(&self, (new, answer): &(String, Result<(), Error>), story: &str) {
        let works = async |id: &str| soon(story, async || self.sessions.get(id).await).await.is_some();
        let mut found = [works(&self.renewed).await, works(new).await];
        if found[0] == found[1] {
            // It took effect between the looks.
            found = [works(&self.renewed).await, works(new).await];
        }
        assert!(found == [false, true] || found == [true, false] && answer.is_err(), "{story}: {found:?}, {answer:?}");
    }

    /// The server has forgotten sessions. Their visitors have none, and begin new ones.
    async fn begins_anew(&self, is_empty: bool, story: &str) {
        for sessions in [Some(&self.sessions), self.elsewhere.as_ref()].into_iter().flatten() {
            let new = soon(story, async || sessions.create(NewSession::new()).await).await;
            assert!(sessions.get(new.id().as_str()).await.unwrap().is_some(), "{story}");
            assert_eq!(sessions.get(&self.read).await.unwrap().is_none(), is_empty, "{story}");
        }
    }
}

/// What visitors do.
impl Scene {
    async fn open(&self, id: &str) -> Result<(), Error> {
        let found = self.sessions.get(id).await?;
        assert!(found.is_some(), "a failure is no stranger");
        Ok(())
    }

    /// The next number, saved with so many other bytes.
    async fn count(&self, bytes: usize) -> Result<u64, Error> {
        let session = self.sessions.get(&self.counted).await?.expect("a failure is no stranger");
        session.set_attr("Text", &"x".repeat(bytes))?;
        session.update_attr("Count", |count: Option<u64>| count.unwrap_or(0) + 1).await
    }

    async fn log_in(&self, bytes: usize) -> Result<String, Error> {
        let new = NewSession::new().attr("Text", &"x".repeat(bytes));
        Ok(self.sessions.create(new).await?.id().as_str().to_owned())
    }

    /// As the extractor for logouts does, which asks for no session first.
    async fn end(&self) -> Result<(), Error> {
        let id = SessionId::parse(&self.ended).expect("it is an id");
        self.sessions.end(&id.key()).await.map(drop)
    }

    async fn end_all(&self) -> Result<(), Error> {
        if self.can_end_all { self.sessions.end_all_of(&self.ann).await.map(drop) } else { Ok(()) }
    }

    /// The new id, and whether it was acknowledged.
    async fn renew(&self) -> (String, Result<(), Error>) {
        let session = match self.sessions.get(&self.renewed).await {
            Ok(session) => session.expect("a failure is no stranger"),
            Err(error) => return (self.renewed.clone() + "none", Err(error)),
        };
        session.renew_id().unwrap();
        let answer = session.save().await;
        (session.id().as_str().to_owned(), answer)
    }
}

/// The answer, which comes in time.
async fn in_time<T>(what: &str, request: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(LONGEST_REQUEST, request).await;
    answer.unwrap_or_else(|_| panic!("{what} takes longer than {LONGEST_REQUEST:?}"))
}

fn assert_told<T: Debug>(what: &str, answer: &Result<T, Error>, told: Told, story: &str) {
    let is_right = match told {
        Told::Success => answer.is_ok(),
        Told::Failure => matches!(answer, Err(Error::Store(_))),
        Told::Either => matches!(answer, Ok(_) | Err(Error::Store(_))),
        Told::Loss => matches!(answer, Ok(_) | Err(Error::Store(_) | Error::Gone)),
    };
    assert!(is_right, "{story}: {what}: {answer:?}, and not {told:?}");
}

/// The answer, once it is no failure of the store.
async fn soon<T>(story: &str, request: impl AsyncFn() -> Result<T, Error>) -> T {
    let since = Instant::now();
    loop {
        match request().await {
            Ok(answer) => return answer,
            Err(Error::Store(error)) if since.elapsed() < RECOVERY => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop(error);
            }
            Err(error) => panic!("{story}: after {:?}: {error:?}", since.elapsed()),
        }
    }
}
