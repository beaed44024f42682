use std::time::Duration;

use workspace_tests::Fault;
use workspace_tests::random::Random;
use workspace_tests::troubled::{Trouble, TroubledServer};

/// What goes wrong next, and for how long.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// The server is in trouble for a while.
    Trouble(Trouble, Duration),
    /// A connection is cut, somewhere in what is sent.
    CutRequest(u64),
    /// A connection is cut, somewhere in what is answered.
    CutReply(u64),
    /// The connections of now are silent for ever; new ones work.
    Stranded,
}

/// In bytes; an operation sends and gets about as many.
const LONGEST_CUT: u64 = 1500;
/// How long a cut is waited for at most. Nobody may send as much on one connection.
const CUT_LIMIT: Duration = Duration::from_secs(2);
/// How long most troubles last, in milliseconds.
const SHORT: u64 = 300;
/// How long others last: longer than whoever waits for an answer.
const LONG: u64 = 7000;

impl Failure {
    /// One that this server can have and that must lose nothing.
    pub fn of(server: &TroubledServer, is_alone: bool, random: &mut Random) -> Self {
        let troubles: Vec<Trouble> =
            server.troubles().iter().copied().filter(|trouble| !is_alone || !server.loses_sessions(*trouble)).collect();
        let connected = if server.proxy().is_some() { 3 } else { 0 };
        let choice = random.below(troubles.len() as u64 + connected) as usize;
        let longest = if random.below(6) == 0 { LONG } else { SHORT };
        let time = random.below(longest);
        match troubles.get(choice) {
            Some(trouble) => Failure::Trouble(*trouble, Duration::from_millis(time)),
            None if choice == troubles.len() => Failure::CutRequest(random.below(LONGEST_CUT)),
            None if choice == troubles.len() + 1 => Failure::CutReply(random.below(LONGEST_CUT)),
            None => Failure::Stranded,
        }
    }

    /// Lets it happen, from its beginning to its end.
    pub async fn happen(self, server: &TroubledServer) {
        match self {
            Failure::Trouble(trouble, time) => {
                server.begin(trouble).await;
                tokio::time::sleep(time).await;
                server.end(trouble).await;
            }
            Failure::CutRequest(bytes) => cut(server, Fault::CutRequestAfter(bytes)).await,
            Failure::CutReply(bytes) => cut(server, Fault::CutReplyAfter(bytes)).await,
            Failure::Stranded => server.proxy().expect("it has connections").strand_connections(),
        }
    }
}

async fn cut(server: &TroubledServer, fault: Fault) {
    let proxy = server.proxy().expect("it has connections");
    proxy.set(fault);
    let is_over = async {
        while proxy.fault() != Fault::None {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(CUT_LIMIT, is_over).await;
    proxy.set(Fault::None);
}
