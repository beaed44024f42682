use session_core::conformance_tests;

mod single {
    super::conformance_tests!({
        let Some(store) = crate::support::single().await else { return };
        store
    });
}

/// S14. `tests/run valkey` runs all other tests on Valkey too.
mod valkey {
    super::conformance_tests!({
        let Some(server) = crate::support::shared_valkey() else { return };
        crate::support::connect(server).await
    });
    session_core::fast_store_tests!({
        let Some(server) = crate::support::shared_valkey() else { return };
        crate::support::connect(server).await
    });
}

/// S14.
mod tracked_on_valkey {
    super::conformance_tests!({
        let Some(server) = crate::support::shared_valkey() else { return };
        let store = session_stores::TrackedRedisStore::connect(&server.url()).await.expect("the server runs");
        store.with_prefix("tracked:").expect("it is a prefix")
    });
}

/// S14: what the others run on is what it says.
#[tokio::test]
async fn the_valkey_server_is_one() {
    let Some(server) = crate::support::shared_valkey() else { return };
    assert!(server.ask(&["INFO", "server"]).contains("server_name:valkey"));
}

mod cluster {
    super::conformance_tests!({
        let Some(store) = crate::support::cluster().await else { return };
        store
    });
}

/// A prefix with a hash tag keeps all keys in one slot, and every step one script.
mod one_slot {
    super::conformance_tests!({
        let Some(store) = crate::support::cluster().await else { return };
        store.with_prefix("{one slot}:").expect("it is a prefix")
    });
}

/// The application's own connection.
mod manager {
    super::conformance_tests!({
        let Some(server) = crate::support::shared_server() else { return };
        let client = redis::Client::open(server.url()).expect("it is a URL");
        let manager = client.get_connection_manager().await.expect("the server runs");
        session_stores::RedisStore::from_manager(manager).with_prefix("managed:").expect("it is a prefix")
    });
}

mod encrypted {
    super::conformance_tests!({
        let Some(store) = crate::support::single().await else { return };
        let store = store.with_prefix("encrypted:").expect("it is a prefix");
        store.with_codec(session_core::EncryptedCodec::new(&[7; 32]))
    });
}

/// Where records are written in steps, and completed by whoever reads them.
mod encrypted_cluster {
    super::conformance_tests!({
        let Some(store) = crate::support::cluster().await else { return };
        let store = store.with_prefix("encrypted:").expect("it is a prefix");
        store.with_codec(session_core::EncryptedCodec::new(&[7; 32]))
    });
}

/// Copies in memory.
mod tracked {
    super::conformance_tests!({
        let Some(server) = crate::support::shared_server() else { return };
        let store = session_stores::TrackedRedisStore::connect(&server.url()).await.expect("the server runs");
        store.with_prefix("tracked:").expect("it is a prefix")
    });
    session_core::immediate_store_tests!({
        let Some(server) = crate::support::shared_server() else { return };
        let store = session_stores::TrackedRedisStore::connect(&server.url()).await.expect("the server runs");
        store.with_prefix("tracked:").expect("it is a prefix")
    });
}

/// Copies in memory, compared at each load.
mod strict {
    super::conformance_tests!({
        let Some(server) = crate::support::shared_server() else { return };
        let store = session_stores::TrackedRedisStore::connect(&server.url()).await.expect("the server runs");
        store.with_prefix("strict:").expect("it is a prefix").strict()
    });
}

/// Redis as the fast tier. The suite moves time back and forth by minutes, and wants to see each use
/// at once.
mod tiered {
    super::conformance_tests!({
        let Some(store) = crate::support::single().await else { return };
        let (fast, durable) = (
            store.clone().with_prefix("fast:").expect("it is a prefix"),
            store.with_prefix("durable:").expect("it is a prefix"),
        );
        let builder = session_core::TieredStore::builder(fast, durable);
        builder.max_staleness(std::time::Duration::from_secs(1_000_000)).build().expect("these settings work")
    });
}

/// Redis as the fast tier that is written first.
mod write_behind {
    super::conformance_tests!({
        let Some(store) = crate::support::single().await else { return };
        let (fast, durable) = (
            store.clone().with_prefix("before:").expect("it is a prefix"),
            store.with_prefix("behind:").expect("it is a prefix"),
        );
        let builder = session_core::TieredStore::builder(fast, durable).write_behind(Default::default());
        builder.build().expect("these settings work")
    });
}
