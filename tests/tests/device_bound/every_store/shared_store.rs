use std::any::Any;

use workspace_tests::{FirestoreEmulator, MemcachedServer, PostgresServer, RedisCluster, RedisServer};

/// A store that several processes can open by its URL, as [`open_store`](workspace_tests::open_store) has it.
pub struct SharedStore {
    pub url: String,
    /// The servers, for as long as it is used.
    _servers: Vec<Box<dyn Any>>,
}

impl SharedStore {
    fn new(url: String, server: impl Any) -> Self {
        SharedStore { url, _servers: vec![Box::new(server)] }
    }

    pub fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Some(SharedStore::new(format!("sqlite:{}", folder.path().join("sessions.db").display()), folder))
    }

    pub fn postgres() -> Option<Self> {
        let server = PostgresServer::start()?;
        Some(SharedStore::new(server.url(), server))
    }

    pub fn redis() -> Option<Self> {
        let server = RedisServer::start()?;
        Some(SharedStore::new(server.url(), server))
    }

    /// With copies in each process, which the server invalidates.
    pub fn tracked_redis() -> Option<Self> {
        SharedStore::redis().map(|redis| redis.as_url("tracked:"))
    }

    /// With copies in each process, whose version is compared at each load.
    pub fn strict_redis() -> Option<Self> {
        SharedStore::redis().map(|redis| redis.as_url("strict:"))
    }

    pub fn redis_cluster() -> Option<Self> {
        let cluster = RedisCluster::shared()?;
        Some(SharedStore::new(format!("cluster:{}", cluster.urls().join(" ")), cluster))
    }

    pub fn memcached() -> Option<Self> {
        let server = MemcachedServer::start()?;
        Some(SharedStore::new(server.url(), server))
    }

    pub fn firestore() -> Option<Self> {
        let server = FirestoreEmulator::start()?;
        Some(SharedStore::new(server.url(), server))
    }

    /// This one as the fast tier, written through.
    pub fn before(self, durable: Option<Self>) -> Option<Self> {
        durable.map(|durable| self.tiers("through", durable))
    }

    /// This one as the fast tier, which is written first.
    pub fn long_before(self, durable: Option<Self>) -> Option<Self> {
        durable.map(|durable| self.tiers("behind", durable))
    }

    fn tiers(mut self, mode: &str, durable: Self) -> Self {
        self.url = format!("{mode}:{} {}", self.url, durable.url);
        self._servers.extend(durable._servers);
        self
    }

    fn as_url(self, prefix: &str) -> Self {
        SharedStore { url: format!("{prefix}{}", self.url), ..self }
    }
}
