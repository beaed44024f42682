//! What the workspace tests share.

pub mod calls;
pub mod client;
pub mod clones;
pub mod forgery;
pub mod log;
pub mod random;
pub mod records;
pub mod smoke;
pub mod store_fault_tests;
pub mod store_faults;
pub mod wrong_clocks;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod authority;
#[cfg(feature = "browser")]
mod axe;
#[cfg(feature = "browser")]
pub mod browser;
#[cfg(feature = "device-bound")]
mod chromium;
#[cfg(any(feature = "browser", feature = "device-bound", feature = "redis"))]
mod demo;
#[cfg(feature = "device-bound")]
mod device;
#[cfg(feature = "firestore")]
mod firestore_emulator;
mod http2_frames;
mod kinds_of_stores;
#[cfg(feature = "memcached")]
mod memcached_server;
mod open_store;
#[cfg(feature = "postgres")]
mod pgbouncer;
#[cfg(feature = "postgres")]
mod postgres_pair;
#[cfg(feature = "postgres")]
mod postgres_server;
mod processes;
mod proxy;
#[cfg(feature = "redis")]
mod redis_server;
#[cfg(any(
    feature = "browser",
    feature = "device-bound",
    feature = "firestore",
    feature = "memcached",
    feature = "postgres",
    feature = "redis"
))]
mod server_process;
#[cfg(feature = "device-bound")]
mod tls_port;
#[cfg(all(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
pub mod troubled;

#[cfg(any(feature = "postgres", feature = "redis"))]
pub use authority::{Authority, Certificate};
#[cfg(feature = "browser")]
pub use axe::Axe;
#[cfg(feature = "device-bound")]
pub use chromium::Chromium;
#[cfg(any(feature = "browser", feature = "device-bound", feature = "redis"))]
pub use demo::{Demo, DemoVisitor};
#[cfg(feature = "device-bound")]
pub use device::Device;
#[cfg(feature = "firestore")]
pub use firestore_emulator::FirestoreEmulator;
pub use kinds_of_stores::{KindOfStore, kinds_of_stores};
#[cfg(feature = "memcached")]
pub use memcached_server::MemcachedServer;
pub use open_store::open_store;
#[cfg(feature = "postgres")]
pub use pgbouncer::PgBouncer;
#[cfg(feature = "postgres")]
pub use postgres_pair::PostgresPair;
#[cfg(feature = "postgres")]
pub use postgres_server::PostgresServer;
pub use processes::{
    Worker, count_in_processes, killed_in_the_middle_loses_nothing_acknowledged,
    killed_while_renewing_leaves_exactly_one,
};
pub use proxy::{Fault, Proxy};
#[cfg(feature = "redis")]
pub use redis_server::{RedisCluster, RedisSentinel, RedisServer};
#[cfg(any(
    feature = "browser",
    feature = "device-bound",
    feature = "firestore",
    feature = "memcached",
    feature = "postgres",
    feature = "redis"
))]
pub use server_process::{ServerProcess, free_port, is_installed, skip, skip_on_this_machine};
#[cfg(feature = "device-bound")]
pub use tls_port::TlsPort;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// Compiles the examples of a guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guides/own-store.md")]
pub struct OwnStoreGuide;
