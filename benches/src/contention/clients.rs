use std::ops::Range;
use std::time::{Duration, Instant};

use session_core::{NewSession, PresentedIds, SessionId, SessionManager};
use tokio::task::JoinSet;

/// Sessions in which clients count.
pub struct Sessions {
    manager: SessionManager,
    ids: Vec<SessionId>,
}

/// How long each count took.
pub struct Latencies {
    sorted: Vec<Duration>,
    time: Duration,
}

impl Sessions {
    pub async fn start(manager: &SessionManager, sessions: usize) -> Self {
        let mut ids = Vec::new();
        for _ in 0..sessions {
            ids.push(manager.create(NewSession::new()).await.expect("the store works").id());
        }
        Sessions { manager: manager.clone(), ids }
    }

    /// So many clients count as fast as they can, each in sessions of its range, one after the other at random.
    pub async fn count(
        &self,
        clients: usize,
        sessions_of: impl Fn(usize) -> Range<usize>,
        time: Duration,
    ) -> Latencies {
        let until = Instant::now() + time;
        let mut counting = JoinSet::new();
        for client in 0..clients {
            let (manager, ids) = (self.manager.clone(), self.ids[sessions_of(client)].to_vec());
            counting.spawn(async move {
                let (mut latencies, mut random) = (Vec::new(), client as u64 + 1);
                while Instant::now() < until {
                    // Knuth's MMIX, good enough to pick sessions.
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let id = &ids[(random >> 33) as usize % ids.len()];
                    let began = Instant::now();
                    request(&manager, id).await;
                    latencies.push(began.elapsed());
                }
                latencies
            });
        }
        let mut sorted = counting.join_all().await.concat();
        sorted.sort_unstable();
        Latencies { sorted, time }
    }
}

/// What a request does that counts.
async fn request(manager: &SessionManager, id: &SessionId) {
    let visit = manager.visit();
    let mut presented = PresentedIds::default();
    presented.push(id.as_str());
    let session = visit.open(&presented).await.expect("the store works").expect("nobody ends it");
    session.update_attr("n", |n: Option<u64>| n.unwrap_or(0) + 1).await.expect("somebody is faster, but not always");
    visit.commit().await.expect("the store works");
}

impl Latencies {
    /// In milliseconds.
    pub fn percentile(&self, part: f64) -> f64 {
        let at = (self.sorted.len() as f64 * part) as usize;
        self.sorted
            .get(at.min(self.sorted.len().saturating_sub(1)))
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    }

    pub fn a_second(&self) -> f64 {
        self.sorted.len() as f64 / self.time.as_secs_f64()
    }
}
