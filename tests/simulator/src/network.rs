//! The way to a store: calls take a while, fail, lose their answer, or are done when nobody expects it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use session_core::{RecordKey, StoreError};
use tokio::time::{Instant, sleep, sleep_until};

use crate::setup::Faults;
use crate::story::Story;

/// How long callers may still notice a fault after it is over: by their time limits, breakers and pauses.
const AFTERMATH: Duration = Duration::from_secs(12);

/// How late a call may be done that nobody expects any more, in milliseconds.
pub const LONGEST_DELAY: u64 = 20_000;

/// The way to one store.
pub struct Network {
    name: &'static str,
    faults: Faults,
    state: Mutex<State>,
    trouble: Arc<Trouble>,
    story: Arc<Story>,
}

struct State {
    rng: Rng,
    frozen_until: Instant,
    is_healed: bool,
}

/// Until when errors have a reason.
pub struct Trouble {
    beginning: Instant,
    until: AtomicU64,
}

impl Trouble {
    pub fn new() -> Self {
        Trouble { beginning: Instant::now(), until: AtomicU64::new(0) }
    }

    /// Notes a fault that lasts that long.
    pub fn note(&self, lasts: Duration) {
        let until = self.beginning.elapsed() + lasts + AFTERMATH;
        self.until.fetch_max(until.as_millis() as u64, Ordering::Relaxed);
    }

    /// Whether something that began at that millisecond may have met a fault.
    pub fn excuses(&self, began_at: u64) -> bool {
        began_at <= self.until.load(Ordering::Relaxed)
    }
}

/// What becomes of one call.
enum Fate {
    Done { before: Duration, after: Duration },
    Refused,
    Lost,
    Late(Duration),
    Slow(Duration),
}

impl Network {
    pub fn new(name: &'static str, faults: Faults, rng: Rng, trouble: Arc<Trouble>, story: Arc<Story>) -> Self {
        let state = State { rng, frozen_until: Instant::now(), is_healed: false };
        Network { name, faults, state: Mutex::new(state), trouble, story }
    }

    /// From now on nothing fails.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.is_healed = true;
        state.frozen_until = Instant::now();
    }

    /// A call of the store, which is done there in one step.
    pub async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        key: Option<&RecordKey>,
        operation: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let fate = self.fate();
        self.tell(what, key, &fate);
        match fate {
            Fate::Done { before, after } => {
                wait(before).await;
                let answer = operation();
                wait(after).await;
                answer
            }
            Fate::Refused => Err(self.error("refused")),
            Fate::Lost => {
                let _ = operation();
                Err(self.error("the answer was lost"))
            }
            Fate::Late(delay) => {
                let until = Instant::now() + delay;
                tokio::spawn(async move {
                    sleep_until(until).await;
                    let _ = operation();
                });
                Err(self.error("nobody answers"))
            }
            // A task, because the call is under way even if the caller has stopped waiting.
            Fate::Slow(delay) => {
                let until = Instant::now() + delay;
                let call = tokio::spawn(async move {
                    sleep_until(until).await;
                    operation()
                });
                call.await.unwrap_or_else(|_| Err(self.error("the world has ended")))
            }
        }
    }

    fn fate(&self) -> Fate {
        let Faults { refused, lost, late, slow, frozen, latency } = self.faults;
        let State { rng, frozen_until, is_healed } = &mut *self.state.lock();
        let mut time = |most: u64| Duration::from_millis(if most == 0 { 0 } else { rng.u64(0..=most) });
        let (before, after) = (time(latency), time(latency / 3));
        if *is_healed || refused + lost + late + slow + frozen == 0 {
            return Fate::Done { before, after };
        }
        let now = Instant::now();
        if *frozen_until > now {
            return Fate::Slow(*frozen_until - now);
        }
        let (dice, mut edge) = (rng.u32(0..1000), 0);
        let mut falls_on = |rate: u32| {
            let rates = edge..edge + rate;
            edge = rates.end;
            rates.contains(&dice)
        };
        let fate = match () {
            () if falls_on(refused) => Fate::Refused,
            () if falls_on(lost) => Fate::Lost,
            () if falls_on(late) => Fate::Late(Duration::from_millis(rng.u64(1..=LONGEST_DELAY))),
            () if falls_on(slow) => Fate::Slow(Duration::from_millis(rng.u64(50..=8000))),
            () if falls_on(frozen) => {
                let lasts = Duration::from_millis(rng.u64(50..=8000));
                *frozen_until = now + lasts;
                Fate::Slow(lasts)
            }
            () => return Fate::Done { before, after },
        };
        self.trouble.note(fate.lasts());
        fate
    }

    fn error(&self, why: &'static str) -> StoreError {
        StoreError::unavailable(self.name, why)
    }

    fn tell(&self, what: &str, key: Option<&RecordKey>, fate: &Fate) {
        let how = match fate {
            Fate::Done { .. } => return,
            Fate::Refused => "is refused".to_owned(),
            Fate::Lost => "is done, but its answer is lost".to_owned(),
            Fate::Late(delay) => format!("fails, and is done all the same {delay:?} later"),
            Fate::Slow(delay) => format!("takes {delay:?}"),
        };
        self.story.tell_of_key(key, |session| format!("   {}: {what} {session} {how}", self.name));
    }
}

impl Fate {
    /// How long after it began it is over.
    fn lasts(&self) -> Duration {
        match self {
            Fate::Late(delay) | Fate::Slow(delay) => *delay,
            _ => Duration::ZERO,
        }
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
