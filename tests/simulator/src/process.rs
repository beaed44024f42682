//! The processes of a world: each has a manager and a clock of its own, and they share stores.

use std::sync::Arc;

use fastrand::Rng;
use parking_lot::Mutex;
use session_core::{AnyStore, MemoryStore, Record, SessionManager, Store, TieredStore, WriteBehind};
use tokio::task::AbortHandle;

use crate::clock::{ProcessClock, time_of};
use crate::network::{Network, Trouble};
use crate::random::Seeded;
use crate::setup::{Renewals, Setup, Stores};
use crate::stores::{Cache, Remote, Tombstones, now};
use crate::story::Story;

/// What all processes reach.
pub struct Backends {
    setup: Setup,
    memory: MemoryStore,
    remote: Remote,
    cache: Cache,
    networks: [Arc<Network>; 2],
    /// The memory of each process, where it is a cache.
    near: Mutex<Vec<MemoryStore>>,
}

/// One process.
pub struct Process {
    pub manager: SessionManager,
    /// What it does at this moment. A crash ends it.
    pub tasks: Vec<AbortHandle>,
}

impl Backends {
    pub fn new(setup: &Setup, rng: &mut Rng, trouble: &Arc<Trouble>, story: &Arc<Story>) -> Self {
        let mut network =
            |name, faults| Arc::new(Network::new(name, faults, rng.fork(), Arc::clone(trouble), Arc::clone(story)));
        let (to_remote, to_cache) = (network("remote", setup.remote), network("cache", setup.cache));
        Backends {
            setup: setup.clone(),
            memory: MemoryStore::new(),
            remote: Remote::new(Arc::clone(&to_remote)),
            cache: Cache::new(Arc::clone(&to_cache)),
            networks: [to_remote, to_cache],
            near: Mutex::new((0..setup.processes).map(|_| MemoryStore::new()).collect()),
        }
    }

    /// Starts this process, for the first time or after a crash.
    pub fn start(&self, process: usize, clock: ProcessClock, rng: Rng) -> Process {
        let manager = self.manager(process, self.store(process), clock, rng);
        Process { manager, tasks: Vec::new() }
    }

    /// The store of this process as it starts, for the first time or after a crash. What was in its memory is gone.
    pub fn store(&self, process: usize) -> AnyStore {
        let near = MemoryStore::new();
        self.near.lock()[process] = near.clone();
        match self.setup.stores {
            Stores::Memory => AnyStore::new(self.memory.clone()),
            Stores::Remote => AnyStore::new(self.remote.clone()),
            Stores::MemoryBeforeRemote => AnyStore::new(self.through(near, false)),
            Stores::StrictMemoryBeforeRemote => AnyStore::new(self.through(near, true)),
            Stores::CacheBeforeRemote => AnyStore::new(self.through(self.cache.clone(), false)),
            Stores::MemoryLongBeforeRemote => AnyStore::new(self.behind(near)),
            Stores::CacheLongBeforeRemote | Stores::SharedCacheLongBeforeRemote => {
                AnyStore::new(self.behind(self.cache.clone()))
            }
        }
    }

    fn manager(&self, process: usize, store: AnyStore, clock: ProcessClock, rng: Rng) -> SessionManager {
        let mut builder = SessionManager::builder(store)
            .clock(clock)
            .random_source(Seeded::new(rng))
            .idle_timeout(self.setup.idle_timeout)
            .audience(format!("application{}", self.setup.audience(process)))
            .without_background_purge();
        builder = match self.setup.absolute_timeout {
            Some(timeout) => builder.absolute_timeout(timeout),
            None => builder.without_absolute_timeout(),
        };
        if let Some(limit) = self.setup.limit {
            builder = builder.max_sessions_per_principal(limit);
        }
        if let Some(Renewals { every, grace }) = self.setup.renewals {
            builder = match every {
                Some(every) => builder.renew_every(every),
                None => builder,
            };
            builder = match grace {
                Some(grace) => builder.renewal_grace(grace),
                None => builder,
            };
        }
        builder.build().expect("the settings are allowed")
    }

    fn through<F: session_core::FastStore>(&self, fast: F, is_strict: bool) -> TieredStore<F, Remote> {
        let builder = TieredStore::builder(fast, self.remote.clone()).max_staleness(self.setup.max_staleness);
        let builder = if is_strict { builder.strict() } else { builder };
        builder.build().expect("the settings are allowed")
    }

    fn behind<F: session_core::FastStore>(&self, fast: F) -> TieredStore<F, Remote> {
        let settings = WriteBehind::new().delay(self.setup.write_delay).max_sessions(4);
        let builder = TieredStore::builder(fast, self.remote.clone()).write_behind(settings);
        builder.build().expect("the settings are allowed")
    }

    /// All records that are durable, expired ones too where the store still has them.
    pub fn look<T>(&self, look: impl FnOnce(&mut dyn Iterator<Item = &Record>) -> T) -> T {
        if self.setup.stores == Stores::Memory {
            // Whatever has not expired by the clock that is furthest behind.
            let records = now(self.memory.list(time_of(i64::MIN / 4), usize::MAX)).unwrap_or_default();
            return look(&mut records.iter());
        }
        self.remote.look(|records| look(&mut records.all()))
    }

    /// The tombstones that the shared cache was asked for.
    pub fn tombstones(&self) -> Arc<Tombstones> {
        self.cache.tombstones()
    }

    /// Whether there is a cache that can forget.
    pub fn forget(&self, rng: &mut Rng, keys: &[session_core::RecordKey]) -> Option<String> {
        use Stores::*;
        let one = rng.choice(keys);
        match self.setup.stores {
            CacheBeforeRemote | CacheLongBeforeRemote if rng.u8(0..4) == 0 => {
                self.cache.forget_all();
                Some("the cache loses all it has".to_owned())
            }
            CacheBeforeRemote | CacheLongBeforeRemote => {
                self.cache.forget(one?);
                Some("the cache evicts an entry".to_owned())
            }
            MemoryBeforeRemote | StrictMemoryBeforeRemote | MemoryLongBeforeRemote => {
                let process = rng.usize(0..self.setup.processes);
                let _ = now(self.near.lock()[process].delete(one?));
                Some(format!("the memory of P{process} evicts an entry"))
            }
            _ => None,
        }
    }

    /// From now on nothing fails.
    pub fn heal(&self) {
        self.networks.iter().for_each(|network| network.heal());
    }
}
