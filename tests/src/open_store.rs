use session_core::AnyStore;
#[cfg(any(feature = "memcached", feature = "redis"))]
use session_core::{FastStore, TieredStore};

/// The store of this URL, for the programs that tests start: `through:FAST DURABLE` and
/// `behind:FAST DURABLE` are two in tiers, `tracked:URL` and `strict:URL` are Redis with copies in this process, and
/// `cluster:URL URL …` is a cluster of Redis.
///
/// # Panics
///
/// If it can't be opened, or its backend's feature is off.
pub async fn open_store(url: &str) -> AnyStore {
    let (backend, _rest) = url.split_once(':').expect("a URL has a colon");
    match backend {
        #[cfg(feature = "sqlite")]
        "sqlite" => AnyStore::new(session_stores::SqliteStore::open(_rest).await.expect("the file can be opened")),
        #[cfg(feature = "postgres")]
        "postgres" => AnyStore::new(session_stores::PostgresStore::connect(url).await.expect("the server runs")),
        #[cfg(feature = "redis")]
        "redis" => AnyStore::new(session_stores::RedisStore::connect(url).await.expect("the server runs")),
        #[cfg(feature = "redis")]
        "tracked" => AnyStore::new(tracked(_rest).await),
        #[cfg(feature = "redis")]
        "strict" => AnyStore::new(tracked(_rest).await.strict()),
        #[cfg(feature = "redis")]
        "cluster" => {
            AnyStore::new(session_stores::RedisStore::cluster(_rest.split(' ')).await.expect("the cluster runs"))
        }
        #[cfg(feature = "memcached")]
        "memcached" => AnyStore::new(session_stores::MemcachedStore::connect(url).await.expect("the server runs")),
        #[cfg(feature = "firestore")]
        "firestore" => {
            let (host, project) = _rest.split_once('/').expect("firestore:HOST:PORT/PROJECT");
            let connected = session_stores::FirestoreStore::connect_to_emulator(host, project).await;
            AnyStore::new(connected.expect("the emulator runs"))
        }
        #[cfg(any(feature = "memcached", feature = "redis"))]
        "through" | "behind" => {
            let (fast, durable) = _rest.split_once(' ').expect("two URLs");
            open_tiers(fast, Box::pin(open_store(durable)).await, backend == "behind").await
        }
        _ => panic!("no store for {backend:?}"),
    }
}

#[cfg(feature = "redis")]
async fn tracked(url: &str) -> session_stores::TrackedRedisStore {
    session_stores::TrackedRedisStore::connect(url).await.expect("the server runs")
}

#[cfg(any(feature = "memcached", feature = "redis"))]
async fn open_tiers(fast: &str, durable: AnyStore, is_behind: bool) -> AnyStore {
    fn tiered(fast: impl FastStore, durable: AnyStore, is_behind: bool) -> AnyStore {
        let tiers = TieredStore::builder(fast, durable);
        let tiers = if is_behind { tiers.write_behind(Default::default()) } else { tiers };
        AnyStore::new(tiers.build().expect("these settings work"))
    }
    match fast.split_once(':') {
        #[cfg(feature = "redis")]
        Some(("redis", _)) => {
            tiered(session_stores::RedisStore::connect(fast).await.expect("the server runs"), durable, is_behind)
        }
        #[cfg(feature = "memcached")]
        Some(("memcached", _)) => {
            tiered(session_stores::MemcachedStore::connect(fast).await.expect("the server runs"), durable, is_behind)
        }
        _ => panic!("{fast:?} is no fast store"),
    }
}
