use std::sync::Arc;
use std::time::Duration;

use http::Method;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Binding, Browser, Ending, Event, State};
use crate::device::message::{IDENTIFIER, PROOF, Request, Response};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many proofs may be answered by a challenge.
const MOST_PROOFS: usize = 4;

/// A refresh that is under way. Those that wait for it go on in the order in which they came, so that a world is the same
/// at every run: a channel of tokio wakes them in any order.
#[derive(Clone, Default)]
pub(super) struct Refreshing(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    outcome: Mutex<Option<Outcome>>,
    told: Notify,
}

/// What a refresh has come to, for the requests that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Refreshed,
    ServerError,
    Unreachable,
    /// The session is not bound any more.
    Ended,
}

/// What one answer means.
enum Answered {
    /// The same instructions as before.
    Unchanged,
    Instructed(Box<Binding>),
    Challenged(Option<String>),
    Failed(Outcome),
    Ends(Ending),
}

impl Refreshing {
    pub(super) async fn outcome(self) -> Outcome {
        loop {
            let told = self.0.told.notified();
            let outcome = *self.0.outcome.lock();
            match outcome {
                Some(outcome) => return outcome,
                None => told.await,
            }
        }
    }

    fn tell(&self, outcome: Outcome) {
        *self.0.outcome.lock() = Some(outcome);
        self.0.told.notify_waiters();
    }
}

impl Outcome {
    /// What the server is told of it.
    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Outcome::ServerError => Some("server_error"),
            Outcome::Unreachable => Some("unreachable"),
            Outcome::Refreshed | Outcome::Ended => None,
        }
    }
}

impl Browser {
    /// Begins a refresh, which goes on whatever becomes of the request that needs it. `is_early`: none waits for it.
    pub(super) fn begin_refresh(self: &Arc<Self>, state: &mut State, is_early: bool) -> Refreshing {
        let refreshing = Refreshing::default();
        state.refreshing = Some(refreshing.clone());
        if let Some(binding) = state.binding.clone() {
            let (browser, refreshing) = (Arc::clone(self), refreshing.clone());
            tokio::spawn(async move {
                let answered = browser.ask_to_refresh(&binding).await;
                let outcome = browser.is_refreshed(&binding, answered, is_early);
                refreshing.tell(outcome);
            });
        }
        refreshing
    }

    /// Asks until the answer is no challenge.
    async fn ask_to_refresh(self: &Arc<Self>, binding: &Binding) -> Answered {
        let (mut challenge, mut proofs) = (binding.challenge.clone(), 0);
        while proofs < MOST_PROOFS {
            let mut request = Request::new(Method::POST, binding.refresh_path.clone());
            request = request.with(IDENTIFIER, &format!("\"{}\"", binding.identifier));
            if let Some(challenge) = &challenge {
                request = request.with(PROOF, &binding.key.refresh(challenge));
                proofs += 1;
            }
            let Ok(Ok(response)) = timeout(PATIENCE, self.send(self.with_cookies(request.clone()))).await else {
                return Answered::Failed(Outcome::Unreachable);
            };
            self.take(&response, false);
            match self.read(binding, &request, &response).await {
                // Without another challenge, it signs the one that it has.
                Answered::Challenged(next) => challenge = next.or(challenge),
                answered => return answered,
            }
        }
        Answered::Ends(Ending::TooManyChallenges)
    }

    async fn read(self: &Arc<Self>, binding: &Binding, request: &Request, response: &Response) -> Answered {
        let challenge = || response.challenge_for(&binding.identifier);
        match response.status {
            200..300 if response.body.is_empty() => Answered::Unchanged,
            200..300 => match Binding::read(&response.body, &binding.refresh_path, binding.key) {
                Ok(new) if new.identifier != binding.identifier => Answered::Ends(Ending::InvalidInstructions),
                Ok(mut new) => {
                    new.challenge = challenge();
                    Answered::Instructed(Box::new(new))
                }
                Err(ending) => Answered::Ends(ending),
            },
            300..400 => {
                // Followed to a page with the same headers, which has no instructions.
                if let Some(to) = response.leads_to() {
                    let headers = request.headers.clone();
                    let _ = self
                        .send(self.with_cookies(Request { method: Method::GET, path: to.to_owned(), headers }))
                        .await;
                }
                Answered::Ends(Ending::InvalidInstructions)
            }
            403 if challenge().is_some() || request.headers.contains_key(PROOF) => Answered::Challenged(challenge()),
            403 => Answered::Ends(Ending::InvalidChallenge),
            400..500 => Answered::Ends(Ending::PersistentHttpError),
            _ => Answered::Failed(Outcome::ServerError),
        }
    }

    /// Takes the result to the bound session of that name, though its key may have changed since the refresh began.
    fn is_refreshed(&self, binding: &Binding, answered: Answered, is_early: bool) -> Outcome {
        let mut state = self.state.lock();
        state.refreshing = None;
        let Some(live) = state.binding.as_ref().map(|live| live.key.number) else { return Outcome::Ended };
        let (outcome, event) = match answered {
            Answered::Unchanged => (Outcome::Refreshed, Some(Event::Refreshed(live))),
            Answered::Instructed(new) => {
                state.bind(*new);
                (Outcome::Refreshed, Some(Event::Refreshed(binding.key.number)))
            }
            Answered::Ends(ending) => {
                state.binding = None;
                (Outcome::Ended, Some(Event::Ended { live, asked: binding.key.number, ending }))
            }
            Answered::Failed(outcome) => (outcome, None),
            Answered::Challenged(_) => unreachable!("a challenge is answered"),
        };
        match outcome {
            Outcome::Refreshed => state.failures.note_success(),
            Outcome::ServerError => state.failures.note_server_error(),
            Outcome::Unreachable | Outcome::Ended => {}
        }
        state.failures.of_early_refresh |= is_early && outcome != Outcome::Refreshed;
        drop(state);
        if let Some(event) = event {
            self.outside.learns(event);
        }
        outcome
    }
}
