//! Sessions spread over several servers by their keys.

use session_core::{Record, Renewed, Store};
use session_stores::MemcachedStore;
use workspace_tests::MemcachedServer;
use workspace_tests::records::*;

async fn three() -> Option<(Vec<MemcachedServer>, MemcachedStore)> {
    let servers: Option<Vec<_>> = (0..3).map(|_| MemcachedServer::start()).collect();
    let servers = servers?;
    let addresses: Vec<String> = servers.iter().map(|server| server.addr().to_string()).collect();
    let store = MemcachedStore::connect(&format!("memcached://{}", addresses.join(","))).await;
    Some((servers, store.expect("the servers run")))
}

mod conformance {
    use std::sync::OnceLock;

    use workspace_tests::MemcachedServer;

    session_core::conformance_tests!({
        static SERVERS: OnceLock<Option<Vec<MemcachedServer>>> = OnceLock::new();
        let start = || (0..3).map(|_| MemcachedServer::start()).collect();
        let Some(servers) = SERVERS.get_or_init(start) else { return };
        let addresses: Vec<String> = servers.iter().map(|server| server.addr().to_string()).collect();
        session_stores::MemcachedStore::connect(&addresses.join(",")).await.expect("the servers run")
    });
}

#[tokio::test]
async fn each_server_has_its_share() {
    let Some((servers, store)) = three().await else { return };
    for _ in 0..300 {
        created(&store, fresh_record()).await;
    }
    let items = servers.iter().map(|server| {
        let stats = server.ask("stats");
        let items = stats.lines().find_map(|line| line.strip_prefix("STAT curr_items ")).expect("it is there");
        items.parse().expect("a number")
    });
    let items: Vec<u32> = items.collect();
    assert_eq!(items.iter().sum::<u32>(), 300);
    assert!(items.iter().all(|items| (50..150).contains(items)), "{items:?}");
}

#[tokio::test]
async fn the_order_in_which_servers_are_named_does_not_matter() {
    let Some((servers, store)) = three().await else { return };
    let turned: Vec<String> = servers.iter().rev().map(|server| server.addr().to_string()).collect();
    let other = MemcachedStore::connect(&turned.join(",")).await.unwrap();
    for _ in 0..50 {
        let record = created(&store, fresh_record()).await;
        assert_eq!(load(&other, &record.key).await, Some(record));
    }
}

/// Sessions on other servers go on; those on this one are an error until it is back.
#[tokio::test]
async fn a_server_that_is_down_takes_only_its_own_sessions_along() {
    let Some((mut servers, store)) = three().await else { return };
    let mut records = Vec::new();
    for _ in 0..60 {
        records.push(created(&store, fresh_record()).await);
    }
    servers[1].kill();
    let mut failed = 0;
    for record in &records {
        match store.load(&record.key, now()).await {
            Ok(loaded) => assert_eq!(loaded.as_ref(), Some(record)),
            Err(error) => {
                assert!(error.is_unavailable());
                failed += 1;
            }
        }
    }
    assert!((5..55).contains(&failed), "{failed}");
    servers[1].restart();
    for record in &records {
        assert!(load(&store, &record.key).await.is_none_or(|loaded| loaded == *record));
    }
}

/// Most renewals are from one server to another.
#[tokio::test]
async fn renewing_from_a_server_that_is_down_is_an_error_and_loses_nothing() {
    let Some((mut servers, store)) = three().await else { return };
    let mut records = Vec::new();
    for _ in 0..30 {
        records.push(created(&store, fresh_record()).await);
    }
    // The old records live on; the new ones have nowhere to go.
    servers[2].kill();
    let mut renewals: Vec<(Record, Record)> = Vec::new();
    for record in records {
        let new = renewed(&record);
        if let Ok(written) = renew(&store, &record, &new).await {
            assert_eq!(written, Renewed::Done);
            assert_eq!(load(&store, &new.key).await, Some(new));
            assert_eq!(load(&store, &record.key).await, None);
        } else {
            renewals.push((record, new));
        }
    }
    assert!(!renewals.is_empty());
    for (old, new) in renewals {
        let olds = store.load(&old.key, now()).await;
        let news = store.load(&new.key, now()).await;
        let is_one = matches!((&olds, &news), (Ok(Some(_)), Ok(None) | Err(_)) | (Err(_), Ok(None) | Err(_)));
        assert!(is_one, "{olds:?} {news:?}");
    }
}
