//! A browser that binds sessions to its device, as Chromium does it: `dbsc` in its network stack.
//!
//! It knows nothing of worlds. What it sends goes to an [`Outside`], which may be a world or the script of a test: the test
//! `chromium_and_the_model_send_the_same` runs the same scripts against it and against Chromium.
//!
//! | file | what it is |
//! |---|---|
//! | `fetch.rs` | a request: held for a refresh where it needs one, sent, and what the response brings |
//! | `refresh.rs` | one refresh for all that wait, and what each answer to it does |
//! | `register.rs` | the registration of a key |
//! | `binding.rs` | the browser's side of a bound session |
//! | `jar.rs` | its cookies |

mod binding;
mod fetch;
mod jar;
mod refresh;
mod register;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

pub use binding::{Binding, Ending};
pub use fetch::{Sending, Started};
use jar::Jar;
use refresh::Refreshing;

use super::keys::{self, Key};
use super::message::{Closed, Request, Response};

/// An answer that is on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response, Closed>> + Send>>;

/// What a browser reaches, and what it tells whoever looks on.
pub trait Outside: Send + Sync {
    /// Sends a request.
    fn send(&self, request: Request) -> Answering;

    /// The browser's side of a bound session has changed.
    fn learns(&self, event: Event) {
        let _ = event;
    }
}

/// A change of the browser's side, with the number of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key is registered, and takes the place of any before.
    Registered(usize),
    /// A refresh has succeeded. Its key counts from now on.
    Refreshed(usize),
    /// The session is not bound any more.
    Ended {
        /// The key that counted.
        live: usize,
        /// The key by whose refresh it has ended: another one, if a registration came between.
        asked: usize,
        /// Why.
        ending: Ending,
    },
}

/// A browser with its cookie jar, which all its tabs share.
pub struct Browser {
    outside: Arc<dyn Outside>,
    state: Mutex<State>,
}

struct State {
    jar: Jar,
    binding: Option<Binding>,
    refreshing: Option<Refreshing>,
    failures: Failures,
    /// The number of the next key.
    next_key: usize,
    /// How far apart its keys are, where several browsers share them.
    between_keys: usize,
}

/// How the refreshes of a binding have failed since the last one that did not.
#[derive(Default)]
struct Failures {
    of_server: u32,
    /// Until then requests are not held.
    back_off_until: Option<Instant>,
    /// A refresh has failed that no request waited for. There is no other such.
    of_early_refresh: bool,
}

impl Browser {
    /// A browser without cookies, whose keys have these numbers: the first, and every so many after it.
    pub fn new(outside: Arc<dyn Outside>, first_key: usize, between_keys: usize) -> Arc<Self> {
        let (jar, failures) = (Jar::default(), Failures::default());
        let state = State { jar, binding: None, refreshing: None, failures, next_key: first_key, between_keys };
        Arc::new(Browser { outside, state: Mutex::new(state) })
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.state.lock().jar.value(name).map(str::to_owned)
    }

    /// Forgets a cookie, as if it had lapsed.
    pub fn drop_cookie(&self, name: &str) {
        self.state.lock().jar.forget(name);
    }

    /// Whether it does not hold requests for a while, because refreshes have failed.
    pub fn backs_off(&self) -> bool {
        !self.state.lock().may_refresh()
    }

    /// The number of the key of its bound session.
    pub fn key(&self) -> Option<usize> {
        Some(self.state.lock().binding.as_ref()?.key.number)
    }
}

impl State {
    fn new_key(&mut self) -> &'static Key {
        let number = self.next_key;
        self.next_key += self.between_keys;
        keys::key(number)
    }

    /// From now on this is the bound session, whatever was before.
    fn bind(&mut self, binding: Binding) {
        self.binding = Some(binding);
        self.failures = Failures::default();
    }

    fn may_refresh(&self) -> bool {
        self.failures.back_off_until.is_none_or(|until| until <= Instant::now())
    }
}

impl Failures {
    /// The first three cost nothing. After each further one, requests are not held for a while.
    fn note_server_error(&mut self) {
        self.of_server += 1;
        if let Some(further) = self.of_server.checked_sub(4) {
            let pause = Duration::from_millis(500).mul_f64(1.5_f64.powi(further.min(30) as i32));
            self.back_off_until = Some(Instant::now() + pause.min(Duration::from_secs(480)));
        }
    }

    fn note_success(&mut self) {
        self.of_server = self.of_server.saturating_sub(1);
        self.of_early_refresh = false;
    }
}
