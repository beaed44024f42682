//! What the handler of a request does.

use std::time::Duration;

use fastrand::Rng;

use crate::model::Attr;

/// One step of a handler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    Pause(Duration),
    Set(Attr),
    Unset(Attr),
    /// `update_attr`, which is saved at once.
    Count,
    Save,
    Renew,
    /// `remove`: a logout by who has a session.
    Remove,
    /// `Visit::end`: a logout that loads nothing.
    End,
    /// A login: the session of this user.
    SignIn {
        user: usize,
        keep: bool,
    },
    /// A session for whoever has none.
    StartAnonymous,
    SetIdleTimeout(Duration),
    Discard,
    /// The handler panics.
    Abandon,
    /// Everything after this happens when the response head has left, as in a stream.
    Answer,
}

use Act::*;

/// A handler.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: &'static str,
    pub acts: Vec<Act>,
    /// A HEAD request: what the handler collects is dropped, and it is no use of the session.
    pub only_looks: bool,
}

impl Plan {
    fn new(name: &'static str, acts: impl Into<Vec<Act>>) -> Self {
        Plan { name, acts: acts.into(), only_looks: false }
    }

    pub fn look() -> Self {
        Plan::new("looks", [])
    }

    pub fn count() -> Self {
        Plan::new("counts", [Count])
    }

    pub fn renew() -> Self {
        Plan::new("renews", [Renew])
    }

    pub fn sign_in(user: usize, keep: bool) -> Self {
        Plan::new("signs in", [SignIn { user, keep }])
    }

    pub fn log_out(rng: &mut Rng) -> Self {
        Plan::new("logs out", [if rng.bool() { Remove } else { End }])
    }

    /// Changes of attributes, in any order.
    pub fn write(rng: &mut Rng) -> Self {
        let mut acts = Vec::new();
        for _ in 0..rng.usize(1..=3) {
            acts.push(match rng.u8(0..10) {
                0..6 => Set(attr(rng)),
                6 => Unset(attr(rng)),
                7 => Save,
                _ => Count,
            });
        }
        Plan::new("writes", acts)
    }

    /// What is rare.
    pub fn odd(rng: &mut Rng) -> Self {
        match rng.u8(0..8) {
            0 => Plan::new("discards", [Set(attr(rng)), Discard]),
            1 => Plan::new("panics", [Set(attr(rng)), Abandon]),
            2 => Plan::new("discards a renewal", [Renew, Set(attr(rng)), Discard, Set(attr(rng))]),
            3 => Plan::new("streams", [Set(attr(rng)), Answer, Set(attr(rng)), Save]),
            4 => Plan::new("streams a count", [Answer, Count, Set(attr(rng)), Save]),
            5 => Plan::new("sets a timeout", [SetIdleTimeout(Duration::from_secs(rng.u64(5..=40) * 60))]),
            6 => Plan::new("renews and writes", [Set(attr(rng)), Renew, Set(attr(rng))]),
            _ => Plan::new("counts and renews", [Count, Renew]),
        }
    }

    /// A HEAD request, whose handler does what it does for GET.
    pub fn head(rng: &mut Rng, user: usize) -> Self {
        let acts = match rng.u8(0..6) {
            0 => vec![],
            1 => vec![Set(attr(rng))],
            2 => vec![Set(attr(rng)), Renew],
            3 => vec![if rng.bool() { Remove } else { End }],
            4 => vec![SignIn { user, keep: rng.bool() }],
            _ => vec![StartAnonymous, Set(attr(rng))],
        };
        Plan { only_looks: true, ..Plan::new("only looks", acts) }
    }

    /// Ends the session, and starts another in the same request.
    pub fn switch(user: usize) -> Self {
        Plan::new("switches users", [Remove, SignIn { user, keep: false }])
    }

    pub fn start_anonymous(rng: &mut Rng) -> Self {
        Plan::new("comes without a session", [StartAnonymous, Set(attr(rng))])
    }

    /// Puts pauses before some of the steps and after the last.
    pub fn slowly(mut self, rng: &mut Rng, longest: u64) -> Self {
        let acts = std::mem::take(&mut self.acts);
        for act in acts.into_iter().map(Some).chain([None]) {
            if rng.bool() {
                self.acts.push(Pause(Duration::from_millis(rng.u64(0..=longest))));
            }
            self.acts.extend(act);
        }
        self
    }

    /// How long its pauses are together.
    pub fn pauses(&self) -> Duration {
        let pause = |act: &Act| if let Pause(time) = act { *time } else { Duration::ZERO };
        self.acts.iter().map(pause).sum()
    }
}

fn attr(rng: &mut Rng) -> Attr {
    *rng.choice(&Attr::ALL).expect("there are some")
}
