//! G25: random failures under load, on each store and each pair: nothing acknowledged is lost, and what has ended stays
//! ended.
//!
//! One seed decides what fails and what visitors do. It is printed; `SEED` in the environment sets it. The order in which
//! things meet is up to the machine. The number of failures is `CAMPAIGN`.

#![cfg(all(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]

mod failure;
mod ledger;
mod visitor;
mod world;

use workspace_tests::troubled::Backend;

use world::{Tiers, World};

async fn alone(backend: Backend) {
    let Some(world) = World::alone(backend).await else { return };
    world.suffer().await;
}

async fn through(fast: Backend, durable: Backend) {
    let Some(world) = World::tiers(fast, durable, Tiers::Through).await else { return };
    world.suffer().await;
}

async fn behind(fast: Backend, durable: Backend) {
    let Some(world) = World::tiers(fast, durable, Tiers::Behind).await else { return };
    world.suffer().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_alone() {
    alone(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_alone() {
    alone(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_alone() {
    alone(Backend::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tracked_redis_alone() {
    alone(Backend::TrackedRedis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memcached_alone() {
    alone(Backend::Memcached).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn firestore_alone() {
    alone(Backend::Firestore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_before_sqlite() {
    through(Backend::Memory, Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_long_before_sqlite() {
    behind(Backend::Memory, Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_before_sqlite() {
    through(Backend::Redis, Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_long_before_sqlite() {
    behind(Backend::Redis, Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_before_postgres() {
    through(Backend::Redis, Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_long_before_postgres() {
    behind(Backend::Redis, Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memcached_before_postgres() {
    through(Backend::Memcached, Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memcached_long_before_postgres() {
    behind(Backend::Memcached, Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memcached_before_redis() {
    through(Backend::Memcached, Backend::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memcached_long_before_redis() {
    behind(Backend::Memcached, Backend::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memcached_before_firestore() {
    through(Backend::Memcached, Backend::Firestore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memcached_long_before_firestore() {
    behind(Backend::Memcached, Backend::Firestore).await;
}
