use anyhow::Context;
use session_axum::store::FastStore;
use session_axum::{
    AnyStore, FirestoreStore, MemcachedStore, MemoryStore, PostgresStore, RedisStore, SqliteStore, StoreError,
    TieredStore, TrackedRedisStore, WriteBehind,
};

use crate::address::{FastAddress, StoreAddress};
use crate::options::Options;

/// Opens a store that outlives the process, and the fast store before it.
pub async fn open(options: &Options) -> anyhow::Result<AnyStore> {
    let Some(fast) = &options.fast else {
        return open_store(options).await.context("can't open --store");
    };
    if let (FastAddress::Memory, StoreAddress::Redis(url)) = (fast, &options.store) {
        return open_tracked(url, options.write_behind).await;
    }
    let durable = open_store(options).await.context("can't open --store")?;
    match fast {
        FastAddress::Memory => tiered(MemoryStore::with_max_sessions(options.max_sessions), durable, options),
        FastAddress::Redis(url) => {
            tiered(RedisStore::connect(url).await.context("can't open --fast")?, durable, options)
        }
        FastAddress::Memcached(url) => {
            tiered(MemcachedStore::connect(url).await.context("can't open --fast")?, durable, options)
        }
    }
}

async fn open_store(options: &Options) -> Result<AnyStore, StoreError> {
    Ok(match &options.store {
        StoreAddress::Memory => AnyStore::new(MemoryStore::with_max_sessions(options.max_sessions)),
        StoreAddress::Sqlite(file) => AnyStore::new(SqliteStore::open(file).await?),
        StoreAddress::Postgres(url) => AnyStore::new(PostgresStore::connect(url).await?),
        StoreAddress::Redis(url) => AnyStore::new(RedisStore::connect(url).await?),
        StoreAddress::Memcached(url) => AnyStore::new(MemcachedStore::connect(url).await?),
        StoreAddress::Firestore(project) => AnyStore::new(FirestoreStore::connect(project).await?),
    })
}

/// Memory before Redis: the server tells each process what others change, so several demos may run.
async fn open_tracked(url: &str, write_behind: bool) -> anyhow::Result<AnyStore> {
    anyhow::ensure!(!write_behind, "--write-behind can't be used with --fast memory before Redis; leave it out");
    Ok(AnyStore::new(TrackedRedisStore::connect(url).await.context("can't open --store")?))
}

fn tiered(fast: impl FastStore, durable: AnyStore, options: &Options) -> anyhow::Result<AnyStore> {
    let store = TieredStore::builder(fast, durable);
    let store = if options.write_behind { store.write_behind(WriteBehind::default()) } else { store };
    Ok(AnyStore::new(store.build()?))
}
