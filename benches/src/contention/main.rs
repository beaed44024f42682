//! What many clients at once make each other wait for, in one process, on servers of their own: clients that count in
//! sessions that they share, and bystanders of a session that others hammer. Prints one figure a line.

mod clients;

use std::time::Duration;

use benches::figure;
use clap::Parser;
use session_core::SessionManager;
use session_stores::{PostgresStore, RedisStore};
use workspace_tests::{PostgresServer, RedisServer};

use crate::clients::{Latencies, Sessions};

#[derive(Parser)]
struct Options {
    /// Each measures everything once, so that all have the same noise.
    rounds: usize,
    /// How long clients count in each measurement.
    seconds: f64,
}

const SHARING: usize = 256;
const SHARED: usize = 1000;
const HAMMERING: usize = 64;

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let redis = RedisServer::start();
    let postgres = PostgresServer::start();
    let mut subjects = Vec::new();
    if let Some(redis) = &redis {
        let store = RedisStore::connect(&redis.url()).await.expect("the server runs");
        subjects.push(("redis", SessionManager::new(store)));
    }
    if let Some(postgres) = &postgres {
        let store = PostgresStore::connect(&postgres.url()).await.expect("the server runs");
        subjects.push(("postgres", SessionManager::new(store)));
    }
    for _ in 0..options.rounds {
        for (name, sessions) in &subjects {
            measure(name, sessions, Duration::from_secs_f64(options.seconds)).await;
        }
    }
}

async fn measure(name: &str, sessions: &SessionManager, time: Duration) {
    let own = Sessions::start(sessions, SHARING).await;
    print(name, "256 with a session each", &own.count(SHARING, |client| client..client + 1, time).await);
    let shared = Sessions::start(sessions, SHARED).await;
    print(name, "256 over 1,000 sessions", &shared.count(SHARING, |_| 0..SHARED, time).await);

    // Bystanders have the sessions behind those of the hammering clients.
    let both = Sessions::start(sessions, 2 * HAMMERING).await;
    let bystander = |client| client + HAMMERING..client + HAMMERING + 1;
    let ((), bystanders) = tokio::join!(
        async {
            print(name, "64 with a session each", &both.count(HAMMERING, |client| client..client + 1, time).await);
        },
        both.count(HAMMERING, bystander, time)
    );
    print(name, "64 bystanders of those", &bystanders);
    let ((), bystanders) = tokio::join!(
        async { print(name, "64 in one session", &both.count(HAMMERING, |_| 0..1, time).await) },
        both.count(HAMMERING, bystander, time)
    );
    print(name, "64 bystanders of that", &bystanders);
}

fn print(name: &str, work: &str, latencies: &Latencies) {
    figure::print("contention", name, work, "median ms", latencies.percentile(0.5));
    figure::print("contention", name, work, "p99 ms", latencies.percentile(0.99));
    figure::print("contention", name, work, "a second", latencies.a_second());
}
