//! The servers of this run, and what they have counted.

mod firestore;
mod memcached;
mod postgres;
mod redis;
mod sqlite;

use std::net::SocketAddr;
use std::ops::Add;

use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::apps::{Description, Kind, RUTS_REDIS};
use firestore::Firestore;
use memcached::Memcached;
use postgres::Postgres;
use redis::Redis;
use sqlite::Statements;
use workspace_tests::Proxy;

/// What clients have made a server do.
#[derive(Clone, Copy)]
pub struct ServerWork {
    pub commands: u64,
    /// Those of them that write.
    pub writes: u64,
}

impl Add for ServerWork {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        ServerWork { commands: self.commands + other.commands, writes: self.writes + other.writes }
    }
}

trait Server {
    fn addr(&self) -> SocketAddr;

    /// The URL by which an application reaches it through this address.
    fn url(&self, addr: SocketAddr, app: &Description) -> String;

    /// What went through a proxy before it.
    fn round_trips(&self, proxy: &Proxy) -> u64 {
        proxy.round_trips()
    }

    /// None if it does not count.
    fn work_so_far(&self) -> Option<ServerWork>;
}

/// A server, and a proxy before it for those whose round trips are counted.
pub struct Host {
    kind: Kind,
    server: Box<dyn Server>,
    proxy: Proxy,
}

#[derive(Clone, Copy)]
pub struct Counted {
    /// None where there is no server.
    pub round_trips: Option<u64>,
    pub work: Option<ServerWork>,
}

impl Add for Counted {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Counted {
            round_trips: self.round_trips.zip(other.round_trips).map(|(a, b)| a + b),
            work: self.work.zip(other.work).map(|(a, b)| a + b),
        }
    }
}

impl Host {
    fn start(runtime: &Runtime, kind: Kind, server: Box<dyn Server>) -> Self {
        let proxy = runtime.block_on(Proxy::start(server.addr())).expect("a port is free");
        Host { kind, server, proxy }
    }

    fn counted(&self) -> Counted {
        Counted { round_trips: Some(self.server.round_trips(&self.proxy)), work: self.server.work_so_far() }
    }
}

pub struct Hosts {
    hosts: Vec<Host>,
    has_hash_deadlines: bool,
    /// Of SQLite's files.
    folder: TempDir,
    statements: &'static Statements,
    /// Carries what goes through the proxies.
    _runtime: Runtime,
}

impl Hosts {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let redis = Redis::start();
        let has_hash_deadlines = redis.knows("hexpire");
        let mut hosts = vec![
            Host::start(&runtime, Kind::Redis, Box::new(redis)),
            Host::start(&runtime, Kind::Postgres, Box::new(Postgres::start())),
            Host::start(&runtime, Kind::Memcached, Box::new(Memcached::start())),
        ];
        if let Some(firestore) = Firestore::start() {
            hosts.push(Host::start(&runtime, Kind::Firestore, Box::new(firestore)));
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        Hosts { hosts, has_hash_deadlines, folder, statements: Statements::count(), _runtime: runtime }
    }

    /// Whether its servers are there, and new enough for it.
    pub fn can_run(&self, app: &Description) -> bool {
        let is_there = |kind: &Kind| *kind == Kind::Sqlite || self.host(*kind).is_some();
        app.kinds.iter().all(is_there) && (self.has_hash_deadlines || app.name != RUTS_REDIS)
    }

    fn host(&self, kind: Kind) -> Option<&Host> {
        self.hosts.iter().find(|host| host.kind == kind)
    }

    /// Where an application is counted.
    pub fn counted_url(&self, app: &Description) -> String {
        self.urls(app, |host| host.proxy.addr())
    }

    /// What applications have asked for so far where this one has its sessions; none where it asks nobody.
    pub fn counted(&self, app: &Description) -> Option<Counted> {
        let counted = |kind: &Kind| match self.host(*kind) {
            Some(host) => host.counted(),
            None => Counted { round_trips: None, work: Some(self.statements.so_far()) },
        };
        app.kinds.iter().map(counted).reduce(Counted::add)
    }

    /// Counting statements of SQLite takes time, which must not be measured.
    pub fn stop_counting(&self) {
        self.statements.stop();
    }

    /// Where an application finds its sessions, with nothing in between.
    pub fn url(&self, app: &Description) -> String {
        self.urls(app, |host| host.server.addr())
    }

    fn urls(&self, app: &Description, addr: impl Fn(&Host) -> SocketAddr) -> String {
        let url = |kind: &Kind| match self.host(*kind) {
            Some(host) => host.server.url(addr(host), app),
            None => self.folder.path().join(app.name).to_string_lossy().into_owned(),
        };
        app.kinds.iter().map(url).collect::<Vec<_>>().join(" ")
    }
}
