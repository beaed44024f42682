//! Purging for a cron job: `PurgeService`, in a router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode, header};
use session_axum::{NewSession, PurgeService, SessionManager};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use session_core::{Event, ManualClock, MemoryStore};
use workspace_tests::client::{Answer, Client};

const SECRET: &str = "open sesame";
const BEARER: (&str, &str) = ("authorization", "Bearer open sesame");

/// A store, and a job that purges it.
struct Job {
    store: FaultyStore,
    clock: Arc<ManualClock>,
    sessions: SessionManager,
}

impl Job {
    fn new() -> Self {
        let (store, clock) = (FaultyStore::new(MemoryStore::new()), Arc::new(ManualClock::default()));
        let sessions = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
        Job { store, clock, sessions: sessions.build().unwrap() }
    }

    async fn expired(&self, count: usize) {
        for _ in 0..count {
            self.sessions.create(NewSession::new()).await.unwrap();
        }
        self.clock.advance(Duration::from_secs(3600));
    }

    fn service(&self) -> PurgeService {
        PurgeService::new(self.sessions.clone(), SECRET).unwrap()
    }
}

async fn ask(service: PurgeService, method: Method, headers: &[(&str, &str)]) -> Answer {
    Client::new(&Router::new().route_service("/purge", service)).send(method, "/purge", headers).await
}

#[track_caller]
fn check(answer: &Answer, status: StatusCode, report: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (status, report));
    assert_eq!(answer.all("content-type"), ["application/json"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
}

#[tokio::test]
async fn what_has_expired_is_deleted_and_counted() {
    let job = Job::new();
    job.expired(250).await;
    job.sessions.create(NewSession::new()).await.unwrap();
    check(&ask(job.service(), Method::GET, &[BEARER]).await, StatusCode::OK, r#"{"completed":true,"purged":250}"#);
    assert_eq!(job.store.inner().len(), 1);
    check(&ask(job.service(), Method::POST, &[BEARER]).await, StatusCode::OK, r#"{"completed":true,"purged":0}"#);
}

#[tokio::test]
async fn a_job_whose_time_is_over_says_that_some_are_left() {
    let job = Job::new();
    job.expired(250).await;
    let service = job.service().time_limit(Duration::ZERO);
    let mut answers = 0;
    while !job.store.inner().is_empty() {
        let before = job.store.inner().len();
        let answer = ask(service.clone(), Method::GET, &[BEARER]).await;
        let (left, purged) = (job.store.inner().len(), before - job.store.inner().len());
        check(&answer, StatusCode::OK, &format!(r#"{{"completed":{},"purged":{purged}}}"#, left == 0));
        answers += 1;
    }
    assert!(answers > 1);
}

#[tokio::test]
async fn a_store_that_fails_midway_is_told_with_what_was_done() {
    let (store, clock) = (FaultyStore::new(MemoryStore::new()), Arc::new(ManualClock::default()));
    let faults = store.faults().clone();
    let sessions = SessionManager::builder(store.clone())
        .clock(Arc::clone(&clock))
        .without_background_purge()
        .observer(move |event: Event<'_>| {
            if let Event::Expired { .. } = event {
                faults.fail_every(Operation::WRITES, Fault::Refused);
            }
        });
    let job = Job { store, clock, sessions: sessions.build().unwrap() };
    job.expired(250).await;
    let answer = ask(job.service(), Method::GET, &[BEARER]).await;
    let purged = 250 - job.store.inner().len();
    assert!((1..250).contains(&purged));
    check(&answer, StatusCode::SERVICE_UNAVAILABLE, &format!(r#"{{"completed":false,"purged":{purged}}}"#));
}

#[tokio::test]
async fn without_the_secret_nothing_is_purged() {
    let job = Job::new();
    job.expired(1).await;
    let wrong = [
        "open sesame",
        "Bearer",
        "Bearer ",
        "Bearer open sesam",
        "Bearer open sesame!",
        "Bearer Open sesame",
        "Basic open sesame",
    ];
    let mut answers = vec![ask(job.service(), Method::POST, &[]).await];
    for value in wrong {
        answers.push(ask(job.service(), Method::GET, &[("authorization", value)]).await);
    }
    for answer in answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
    }
    assert_eq!(job.store.inner().len(), 1);
}

/// As it is where a variable of the environment was forgotten.
#[tokio::test]
async fn an_empty_secret_opens_nothing() {
    assert!(PurgeService::new(Job::new().sessions, "").is_err());
}

#[tokio::test]
async fn the_secret_is_not_in_what_is_printed() {
    assert!(!format!("{:?}", Job::new().service()).contains(SECRET));
}

#[tokio::test]
async fn a_secret_that_no_job_can_send_is_refused_when_the_service_is_made() {
    let sessions = Job::new().sessions;
    for secret in
        ["s3cret\n", "s3cret\r\n", " s3cret", "s3cret ", "\ts3cret", "s3\ncret", "s3cret\u{200b}", "s\u{e9}cret", "\n"]
    {
        let error = PurgeService::new(sessions.clone(), secret).unwrap_err().to_string();
        assert!(error.contains("`secret`") && error.contains("trim"), "{error}");
        assert!(!error.contains(secret.trim()) || secret.trim().is_empty(), "{error} tells the secret");
    }
    assert!(PurgeService::new(sessions, "s3cret").is_ok());
}
