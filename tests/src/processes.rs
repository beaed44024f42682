use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use session_core::{Error, NewSession, SessionId, SessionManager};

/// Another process that changes a session: see `src/bin/worker.rs`. `program` is
/// `env!("CARGO_BIN_EXE_worker")`, which only tests can say.
pub struct Worker(Child);

impl Worker {
    /// Starts one that counts.
    pub fn start(program: &str, url: &str, session_id: &str, clients: usize, updates: usize) -> Self {
        Worker::run(program, &["count", url, session_id, &clients.to_string(), &updates.to_string()])
    }

    /// Starts one that renews the session's id until it is killed.
    pub fn start_renewing(program: &str, url: &str, session_id: &str) -> Self {
        Worker::run(program, &["renew", url, session_id])
    }

    fn run(program: &str, arguments: &[&str]) -> Self {
        let worker = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Worker(worker.expect("the program can be run"))
    }

    /// Its next answer; `None` when it has ended.
    pub fn answer(&mut self) -> Option<u64> {
        self.line().map(|line| line.parse().expect("answers are numbers"))
    }

    /// The next line that it prints; `None` when it has ended.
    pub fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let output = self.0.stdout.as_mut().expect("it is piped");
        // Byte by byte, so that nothing is taken that is not asked for.
        BufReader::with_capacity(1, output).read_until(b'\n', &mut line).expect("it can be read");
        let line = String::from_utf8(line).expect("it prints text");
        line.strip_suffix('\n').map(str::to_owned)
    }

    /// Kills it in the middle of what it does; the answers that it had got and printed.
    pub fn kill(self) -> Vec<u64> {
        self.kill_and_read().iter().map(|line| line.parse().expect("answers are numbers")).collect()
    }

    /// Kills it in the middle of what it does; the lines that it had printed.
    pub fn kill_and_read(mut self) -> Vec<String> {
        self.0.kill().expect("it can be killed");
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            lines.push(line);
        }
        self.0.wait().expect("it was killed");
        lines
    }

    /// Waits until it ends, however that is; the answers that it had got and printed.
    pub fn rest(mut self) -> Vec<u64> {
        let answers = self.answers();
        self.0.wait().expect("it ends");
        answers
    }

    /// Waits until it is done; all its answers.
    ///
    /// # Panics
    ///
    /// If it failed.
    #[track_caller]
    pub fn finish(mut self) -> Vec<u64> {
        let answers = self.answers();
        assert!(self.0.wait().expect("it ends").success(), "a worker failed");
        answers
    }

    fn answers(&mut self) -> Vec<u64> {
        let output = self.0.stdout.take().expect("it is piped");
        // A line that was cut off is no answer.
        let lines = BufReader::new(output).split(b'\n').map(|line| line.expect("it can be read"));
        lines.map_while(|line| String::from_utf8(line).ok()?.parse().ok()).collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// G7, F9: so many processes with so many clients each update one session; every update counts, and
/// each got an answer of its own. The session's id.
///
/// `program` is `env!("CARGO_BIN_EXE_worker")`. Blocks the thread while the processes work.
pub async fn count_in_processes(
    program: &str,
    url: &str,
    sessions: &SessionManager,
    [processes, clients, updates]: [usize; 3],
) -> SessionId {
    let session = sessions.create(NewSession::new().attr("Count", &0)).await.expect("the store works");
    let id = session.id();
    let start = || Worker::start(program, url, id.as_str(), clients, updates);
    let workers: Vec<Worker> = (0..processes).map(|_| start()).collect();
    let reading = workers.into_iter().map(|worker| std::thread::spawn(|| worker.finish()));
    let reading: Vec<_> = reading.collect();
    let answers: Vec<u64> = reading.into_iter().flat_map(|thread| thread.join().expect("no worker failed")).collect();

    let total = processes * clients * updates;
    assert_eq!(answers.len(), total);
    let distinct: HashSet<u64> = answers.into_iter().collect();
    assert_eq!(distinct.len(), total, "two updates got the same answer");
    let session = sessions.get(id.as_str()).await.expect("the store works").expect("it is alive");
    assert_eq!(session.attr::<usize>("Count").expect("it is a number"), Some(total));
    id
}

/// F8: a process that counts is killed, so many times. What was acknowledged is there, and of what was
/// under way at most one update for each client.
pub async fn killed_in_the_middle_loses_nothing_acknowledged(
    program: &str,
    url: &str,
    sessions: &SessionManager,
    kills: usize,
) {
    const CLIENTS: usize = 4;
    let session = sessions.create(NewSession::new().attr("Count", &0)).await.expect("the store works");
    for round in 0..kills {
        let mut worker = Worker::start(program, url, session.id().as_str(), CLIENTS, usize::MAX);
        let mut answers: Vec<u64> = (0..=round % 23).filter_map(|_| worker.answer()).collect();
        answers.extend(worker.kill());
        let last = answers.into_iter().max().expect("there was an answer");
        let found = sessions.get(session.id().as_str()).await.expect("the store works").expect("it is alive");
        let count = found.attr::<u64>("Count").expect("it is a number").expect("it is counted");
        let possible = last..=last + CLIENTS as u64;
        assert!(possible.contains(&count), "{count} is stored after {last} was acknowledged");
    }
}

/// F8, G6: a process that renews an id is killed, so many times. One of the two ids opens the session
/// with everything, the new one if that was acknowledged; the other opens nothing, nor does any before.
pub async fn killed_while_renewing_leaves_exactly_one(
    program: &str,
    url: &str,
    sessions: &SessionManager,
    kills: usize,
) {
    // Of a user, so that a moved note is left.
    let new = NewSession::new().principal("ann").attr("Count", &0);
    let session = sessions.create(new).await.expect("the store works");
    let opened = async |id: &str| {
        let session = sessions.get(id).await.expect("the store works");
        session.map(|session| session.attr::<u64>("Count").expect("it is a number"))
    };
    // The server may still have a killed client's request to carry out. After a save the renewal is done already, also if
    // the save has followed it, or can't be any more.
    let saved = async |id: &str, round: usize| {
        let session = sessions.get(id).await.expect("the store works")?;
        session.set_attr("Round", &round).expect("it can be set");
        match session.save().await {
            Ok(()) => opened(id).await,
            Err(Error::Gone) => None,
            Err(error) => panic!("{error:?}"),
        }
    };
    let (mut id, mut count, mut dead) = (session.id().as_str().to_owned(), 0, Vec::new());
    for round in 0..kills {
        let mut worker = Worker::start_renewing(program, url, &id);
        let mut lines: Vec<String> = (0..=round % 23).filter_map(|_| worker.line()).collect();
        lines.extend(worker.kill_and_read());
        let mut ids = vec![id];
        let announced = lines.iter().filter(|line| *line != "done");
        ids.extend(announced.cloned());
        assert!(ids.len() > 1, "it has renewed nothing");
        let is_done = lines.last().is_some_and(|line| line == "done");

        let new = ids.pop().expect("there are two");
        let old = ids.pop().expect("there are two");
        let found = (saved(&old, round).await, opened(&new).await);
        count += ids.len() as u64;
        dead.extend(ids);
        let (living, ended, counted) = match found {
            (Some(counted), None) if !is_done => (old, new, counted),
            (None, Some(counted)) => {
                count += 1;
                (new, old, counted)
            }
            wrong => panic!("round {round}, acknowledged: {is_done}, old and new: {wrong:?}"),
        };
        assert_eq!(counted, Some(count), "round {round}, acknowledged: {is_done}");
        dead.push(ended);
        id = living;
    }
    for id in dead {
        assert_eq!(opened(&id).await, None, "an id that ended opens a session");
    }
}
