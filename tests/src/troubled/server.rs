use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use session_core::{AnyStore, FastStore, MemoryStore, TieredStore, WriteBehind};
use session_stores::{FirestoreStore, MemcachedStore, PostgresStore, RedisStore, TrackedRedisStore};

use super::Trouble;
use super::filling::{empty_memcached, empty_postgres, fill_memcached, fill_postgres};
use super::sqlite_file::SqliteFile;
use crate::firestore_emulator::FirestoreEmulator;
use crate::memcached_server::{FrozenMemcached, MemcachedServer};
use crate::postgres_server::PostgresServer;
use crate::proxy::{Fault, Proxy};
use crate::redis_server::RedisServer;

/// What kind of server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The memory of this process, which never gets into trouble.
    Memory,
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
    /// A server that has on disk whatever it has acknowledged.
    Redis,
    /// The same, with copies in each process whose version is compared at each load.
    TrackedRedis,
    /// A server that evicts nothing: it refuses what it has no room for.
    Memcached,
    /// The emulator, which keeps everything in memory.
    Firestore,
}

/// A server of a test's own, with a proxy before it, which gets into trouble when it is told to.
pub struct TroubledServer {
    backend: Backend,
    kind: Kind,
    proxy: Option<Proxy>,
    frozen_memcached: Mutex<Option<FrozenMemcached>>,
}

enum Kind {
    Memory,
    Sqlite(SqliteFile),
    Postgres(Mutex<PostgresServer>),
    Redis(Mutex<RedisServer>),
    Memcached(Mutex<MemcachedServer>),
    Firestore(Mutex<FirestoreEmulator>),
}

/// How long a slow server takes for an answer.
const SLOW: Duration = Duration::from_secs(3);

impl TroubledServer {
    /// `None`, said aloud, where the server is not installed.
    pub async fn start(backend: Backend) -> Option<Self> {
        let (kind, addr) = match backend {
            Backend::Memory => (Kind::Memory, None),
            Backend::Sqlite => (Kind::Sqlite(SqliteFile::new()), None),
            Backend::Postgres => {
                let server = PostgresServer::start()?;
                let addr = server.addr();
                (Kind::Postgres(Mutex::new(server)), Some(addr))
            }
            Backend::Redis | Backend::TrackedRedis => {
                let server = RedisServer::start_durable()?;
                let addr = server.addr();
                (Kind::Redis(Mutex::new(server)), Some(addr))
            }
            Backend::Memcached => {
                let server = MemcachedServer::start_with(&["-M", "-m", "8"])?;
                let addr = server.addr();
                (Kind::Memcached(Mutex::new(server)), Some(addr))
            }
            Backend::Firestore => {
                let server = FirestoreEmulator::start()?;
                let addr = server.addr();
                (Kind::Firestore(Mutex::new(server)), Some(addr))
            }
        };
        let proxy = match addr {
            Some(addr) => Some(Proxy::start(addr).await.expect("there is a free port")),
            None => None,
        };
        Some(TroubledServer { backend, kind, proxy, frozen_memcached: Mutex::default() })
    }

    /// What it can get into.
    pub fn troubles(&self) -> &'static [Trouble] {
        use Trouble::*;
        match &self.kind {
            Kind::Memory => &[],
            Kind::Sqlite(_) => &[Full, ReadOnly, Slow, Silent],
            Kind::Postgres(_) => &[Full, ReadOnly, Slow, Silent, Unreachable, Frozen, Killed],
            Kind::Redis(_) => &[Full, ReadOnly, Demoted, Slow, Silent, Unreachable, Frozen, Killed],
            Kind::Memcached(_) => &[Full, Slow, Silent, Unreachable, Frozen, Killed],
            Kind::Firestore(_) => &[Slow, Silent, Unreachable],
        }
    }

    /// Which it is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether the trouble costs sessions that it has acknowledged.
    pub fn loses_sessions(&self, trouble: Trouble) -> bool {
        matches!((&self.kind, trouble), (Kind::Memcached(_), Trouble::Killed | Trouble::Full))
    }

    /// Whether other processes can use it too.
    pub fn is_shared(&self) -> bool {
        !matches!(self.kind, Kind::Memory)
    }

    /// How many bytes surely find no room in it when it is full.
    pub fn large(&self) -> usize {
        match self.kind {
            Kind::Sqlite(_) | Kind::Postgres(_) => 400_000,
            _ => 0,
        }
    }

    fn addr(&self) -> SocketAddr {
        self.proxy.as_ref().expect("it is behind a proxy").addr()
    }

    fn set(&self, fault: Fault) {
        self.proxy.as_ref().expect("it is behind a proxy").set(fault);
    }

    /// The proxy before it, if it is reached by one.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// A store on it, with connections of its own.
    pub async fn open(&self) -> AnyStore {
        match &self.kind {
            Kind::Memory => AnyStore::new(MemoryStore::new()),
            Kind::Sqlite(file) => file.open().await,
            Kind::Postgres(_) => {
                let store = PostgresStore::connect(&PostgresServer::url_at(self.addr())).await;
                AnyStore::new(store.expect("the server runs"))
            }
            Kind::Redis(_) if self.backend == Backend::TrackedRedis => AnyStore::new(self.tracked_redis().await),
            Kind::Redis(_) => AnyStore::new(self.redis().await),
            Kind::Memcached(_) => AnyStore::new(self.memcached().await),
            Kind::Firestore(_) => {
                let store = FirestoreStore::connect_to_emulator(&self.addr().to_string(), "tests").await;
                AnyStore::new(store.expect("the emulator runs"))
            }
        }
    }

    async fn redis(&self) -> RedisStore {
        RedisStore::connect(&format!("redis://{}/", self.addr())).await.expect("the server runs")
    }

    async fn tracked_redis(&self) -> TrackedRedisStore {
        let store = TrackedRedisStore::connect(&format!("redis://{}/", self.addr())).await;
        store.expect("the server runs").strict()
    }

    async fn memcached(&self) -> MemcachedStore {
        MemcachedStore::connect(&self.addr().to_string()).await.expect("the server runs")
    }

    /// The trouble begins.
    pub async fn begin(&self, trouble: Trouble) {
        if let (Kind::Sqlite(file), Trouble::Slow | Trouble::Silent) = (&self.kind, trouble) {
            return file.lock((trouble == Trouble::Slow).then_some(SLOW)).await;
        }
        match trouble {
            Trouble::Full => self.fill(),
            Trouble::ReadOnly => self.set_read_only(true),
            Trouble::Demoted => self.set_master(["127.0.0.1", "1"]),
            // Half of it on the way there, half on the way back.
            Trouble::Slow => self.set(Fault::Delay(SLOW / 2)),
            Trouble::Silent => self.set(Fault::BlackHole),
            Trouble::Unreachable => self.set(Fault::Refuse),
            Trouble::Frozen => self.freeze(),
            Trouble::Killed => self.kill(),
        }
    }

    /// The trouble is over.
    pub async fn end(&self, trouble: Trouble) {
        if let (Kind::Sqlite(file), Trouble::Slow | Trouble::Silent) = (&self.kind, trouble) {
            return file.unlock().await;
        }
        match trouble {
            Trouble::Full => self.empty(),
            Trouble::ReadOnly => self.set_read_only(false),
            Trouble::Demoted => self.set_master(["NO", "ONE"]),
            Trouble::Slow | Trouble::Silent | Trouble::Unreachable => self.set(Fault::None),
            Trouble::Frozen => self.thaw(),
            Trouble::Killed => self.restart(),
        }
    }

    fn fill(&self) {
        match &self.kind {
            Kind::Sqlite(file) => file.set_full(true),
            Kind::Postgres(server) => fill_postgres(&server.lock()),
            Kind::Redis(server) => set_redis(&server.lock(), &["maxmemory", "1", "maxmemory-policy", "noeviction"]),
            Kind::Memcached(server) => fill_memcached(&server.lock()),
            Kind::Memory | Kind::Firestore(_) => panic!("it is never full"),
        }
    }

    fn empty(&self) {
        match &self.kind {
            Kind::Sqlite(file) => file.set_full(false),
            Kind::Postgres(server) => empty_postgres(&server.lock()),
            Kind::Redis(server) => set_redis(&server.lock(), &["maxmemory", "0"]),
            Kind::Memcached(server) => empty_memcached(&server.lock()),
            Kind::Memory | Kind::Firestore(_) => panic!("it is never full"),
        }
    }

    fn set_read_only(&self, is_read_only: bool) {
        match &self.kind {
            Kind::Sqlite(file) => file.set_read_only(is_read_only),
            Kind::Postgres(server) => {
                let server = server.lock();
                let mode = if is_read_only { "on" } else { "off" };
                server.sql(&format!("ALTER SYSTEM SET default_transaction_read_only = {mode}"));
                server.sql("SELECT pg_reload_conf()");
                while server.sql("SHOW default_transaction_read_only").trim() != mode {}
            }
            // It wants more replicas than it has.
            Kind::Redis(server) => {
                set_redis(&server.lock(), &["min-replicas-to-write", if is_read_only { "1" } else { "0" }]);
            }
            Kind::Memory | Kind::Memcached(_) | Kind::Firestore(_) => panic!("it is never read-only"),
        }
    }

    fn set_master(&self, master: [&str; 2]) {
        let Kind::Redis(server) = &self.kind else { panic!("it has no replicas") };
        server.lock().ask(&["REPLICAOF", master[0], master[1]]);
    }

    fn freeze(&self) {
        match &self.kind {
            Kind::Postgres(server) => server.lock().freeze(),
            Kind::Redis(server) => server.lock().freeze(),
            Kind::Memcached(server) => *self.frozen_memcached.lock() = Some(server.lock().freeze()),
            Kind::Memory | Kind::Sqlite(_) | Kind::Firestore(_) => panic!("it is never frozen"),
        }
    }

    fn thaw(&self) {
        match &self.kind {
            Kind::Postgres(server) => server.lock().thaw(),
            Kind::Redis(server) => server.lock().thaw(),
            _ => drop(self.frozen_memcached.lock().take()),
        }
    }

    fn kill(&self) {
        match &self.kind {
            Kind::Postgres(server) => server.lock().kill(),
            Kind::Redis(server) => server.lock().kill(),
            Kind::Memcached(server) => server.lock().kill(),
            Kind::Firestore(server) => server.lock().kill(),
            Kind::Memory | Kind::Sqlite(_) => panic!("there is no server to kill"),
        }
    }

    fn restart(&self) {
        match &self.kind {
            Kind::Postgres(server) => server.lock().restart(),
            Kind::Redis(server) => server.lock().restart(),
            Kind::Memcached(server) => server.lock().restart(),
            Kind::Firestore(server) => server.lock().restart(),
            Kind::Memory | Kind::Sqlite(_) => {}
        }
    }
}

fn set_redis(server: &RedisServer, settings: &[&str]) {
    let answer = server.ask(&[&["CONFIG", "SET"], settings].concat());
    assert!(answer.starts_with("+OK"), "{answer}");
}

/// How two tiers are set.
#[derive(Clone, Copy, Default)]
pub struct TierSettings {
    /// Written behind, with these settings; otherwise through.
    pub behind: Option<WriteBehind>,
    /// How long an operation of the fast tier may take. `None` as by default.
    pub fast_time_limit: Option<Duration>,
}

impl TierSettings {
    fn tiers(self, fast: impl FastStore, durable: AnyStore) -> AnyStore {
        let mut tiers = TieredStore::builder(fast, durable);
        if let Some(settings) = self.behind {
            tiers = tiers.write_behind(settings);
        }
        if let Some(limit) = self.fast_time_limit {
            tiers = tiers.fast_time_limit(limit);
        }
        AnyStore::new(tiers.build().expect("these settings work"))
    }
}

/// The two as tiers, as one process has them.
pub async fn open_tiers(fast: &TroubledServer, durable: &TroubledServer, settings: TierSettings) -> AnyStore {
    let durable = durable.open().await;
    match &fast.kind {
        Kind::Memory => settings.tiers(MemoryStore::new(), durable),
        Kind::Redis(_) => settings.tiers(fast.redis().await, durable),
        Kind::Memcached(_) => settings.tiers(fast.memcached().await, durable),
        Kind::Sqlite(_) | Kind::Postgres(_) | Kind::Firestore(_) => panic!("it is no fast tier"),
    }
}
