use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use session_core::{NewSession, SessionId, SessionManager};

/// Another process that counts up a session: see `src/bin/worker.rs`.
pub struct Worker(Child);

impl Worker {
    /// Starts one. `program` is `env!("CARGO_BIN_EXE_worker")`, which only tests can say.
    pub fn start(program: &str, url: &str, session_id: &str, clients: usize, updates: usize) -> Self {
        let arguments = [url, session_id, &clients.to_string(), &updates.to_string()];
        let worker = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Worker(worker.expect("the program can be run"))
    }

    /// Its next answer; `None` when it has ended.
    pub fn answer(&mut self) -> Option<u64> {
        let mut line = Vec::new();
        let output = self.0.stdout.as_mut().expect("it is piped");
        // Byte by byte, so that nothing is taken that is not asked for.
        BufReader::with_capacity(1, output).read_until(b'\n', &mut line).expect("it can be read");
        let line = String::from_utf8(line).expect("answers are numbers");
        line.strip_suffix('\n').map(|number| number.parse().expect("answers are numbers"))
    }

    /// Kills it in the middle of what it does; the answers that it had got and printed.
    pub fn kill(mut self) -> Vec<u64> {
        self.0.kill().expect("it can be killed");
        let answers = self.answers();
        self.0.wait().expect("it was killed");
        answers
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
