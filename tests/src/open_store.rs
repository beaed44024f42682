use session_core::AnyStore;

/// The store of this URL, for the programs that tests start.
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
        #[cfg(feature = "memcached")]
        "memcached" => AnyStore::new(session_stores::MemcachedStore::connect(url).await.expect("the server runs")),
        #[cfg(feature = "firestore")]
        "firestore" => {
            let (host, project) = _rest.split_once('/').expect("firestore:HOST:PORT/PROJECT");
            let connected = session_stores::FirestoreStore::connect_to_emulator(host, project).await;
            AnyStore::new(connected.expect("the emulator runs"))
        }
        _ => panic!("no store for {backend:?}"),
    }
}
