//! The servers of this run, and what they have counted.

mod memcached;
mod postgres;
mod redis;
mod sqlite;

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::apps::{Description, Kind, RUTS_REDIS};
use crate::proxy::Proxy;
use memcached::Memcached;
use postgres::Postgres;
use redis::Redis;
use sqlite::Statements;

/// What clients have made a server do.
#[derive(Clone, Copy)]
pub struct ServerWork {
    pub commands: u64,
    /// Those of them that write.
    pub writes: u64,
}

trait Server {
    fn addr(&self) -> SocketAddr;

    /// The URL by which an application reaches it through this address.
    fn url(&self, addr: SocketAddr, app: &Description) -> String;

    fn work_so_far(&self) -> ServerWork;
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
    pub work: ServerWork,
}

impl Host {
    fn start(runtime: &Runtime, kind: Kind, server: Box<dyn Server>) -> Self {
        let proxy = runtime.block_on(Proxy::start(server.addr())).expect("a port is free");
        Host { kind, server, proxy }
    }

    fn counted(&self) -> Counted {
        Counted { round_trips: Some(self.proxy.round_trips()), work: self.server.work_so_far() }
    }
}

pub struct Hosts {
    hosts: [Host; 3],
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
        let hosts = [
            Host::start(&runtime, Kind::Redis, Box::new(redis)),
            Host::start(&runtime, Kind::Postgres, Box::new(Postgres::start())),
            Host::start(&runtime, Kind::Memcached, Box::new(Memcached::start())),
        ];
        let folder = tempfile::tempdir().expect("a temporary folder");
        Hosts { hosts, has_hash_deadlines, folder, statements: Statements::count(), _runtime: runtime }
    }

    /// Whether the servers are new enough for it.
    pub fn can_run(&self, app: &Description) -> bool {
        self.has_hash_deadlines || app.name != RUTS_REDIS
    }

    fn host(&self, kind: Kind) -> Option<&Host> {
        self.hosts.iter().find(|host| host.kind == kind)
    }

    /// Where an application is counted.
    pub fn counted_url(&self, app: &Description) -> String {
        match self.host(app.kind) {
            Some(host) => host.server.url(host.proxy.addr(), app),
            None => self.url(app),
        }
    }

    /// What applications of this kind have asked for so far; none where they ask nobody.
    pub fn counted(&self, kind: Kind) -> Option<Counted> {
        match kind {
            Kind::Nowhere => None,
            Kind::Sqlite => Some(Counted { round_trips: None, work: self.statements.so_far() }),
            Kind::Redis | Kind::Postgres | Kind::Memcached => self.host(kind).map(Host::counted),
        }
    }

    /// Counting statements of SQLite takes time, which must not be measured.
    pub fn stop_counting(&self) {
        self.statements.stop();
    }

    /// Where an application finds its sessions, with nothing in between.
    pub fn url(&self, app: &Description) -> String {
        match self.host(app.kind) {
            Some(host) => host.server.url(host.server.addr(), app),
            None => self.folder.path().join(app.name).to_string_lossy().into_owned(),
        }
    }
}
