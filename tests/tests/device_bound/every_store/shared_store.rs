use std::any::Any;

use session_axum::{AnyStore, MemoryStore};
use workspace_tests::{FirestoreEmulator, MemcachedServer, PostgresServer, RedisCluster, RedisServer, open_store};

/// A store that several processes share.
pub struct SharedStore {
    place: Place,
    /// The servers, for as long as it is used.
    _servers: Vec<Box<dyn Any>>,
}

enum Place {
    /// In one process, of which each layer is one here.
    Memory(MemoryStore),
    /// Of which each process opens a store of its own.
    Url(String),
}

impl SharedStore {
    fn new(url: String, server: impl Any) -> Self {
        SharedStore { place: Place::Url(url), _servers: vec![Box::new(server)] }
    }

    /// As one process opens it, with connections of its own.
    pub async fn open(&self) -> AnyStore {
        match &self.place {
            Place::Memory(store) => AnyStore::new(store.clone()),
            Place::Url(url) => open_store(url).await,
        }
    }

    pub fn memory() -> Option<Self> {
        Some(SharedStore { place: Place::Memory(MemoryStore::new()), _servers: Vec::new() })
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
        SharedStore::redis().map(|redis| redis.under_scheme("tracked:"))
    }

    /// With copies in each process, whose version is compared at each load.
    pub fn strict_redis() -> Option<Self> {
        SharedStore::redis().map(|redis| redis.under_scheme("strict:"))
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

    fn tiers(self, mode: &str, durable: Self) -> Self {
        let place = Place::Url(format!("{mode}:{} {}", self.url(), durable.url()));
        SharedStore { place, _servers: self._servers.into_iter().chain(durable._servers).collect() }
    }

    fn under_scheme(self, prefix: &str) -> Self {
        SharedStore { place: Place::Url(format!("{prefix}{}", self.url())), ..self }
    }

    fn url(&self) -> &str {
        let Place::Url(url) = &self.place else { panic!("memory has no URL") };
        url
    }
}
