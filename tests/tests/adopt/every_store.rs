//! P42: on real servers and in two tiers, taking over is the same.

#[cfg(any(feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
use std::collections::BTreeSet;

#[cfg(any(feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
use axum::http::StatusCode;
#[cfg(any(feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
use session_axum::AnyStore;

#[cfg(any(feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
use crate::support::{DAY, MINUTE, OURS, World, is, visitor};

/// Parallel first requests, a logout against others, a replay, and rolling mode.
#[cfg(any(feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]
async fn everything(store: AnyStore) {
    let world = World::new(store);
    let (app, sessions) = world.app();
    let first: Vec<_> = (0..30)
        .map(|_| {
            let mut window = visitor(&app, "old-ann");
            tokio::spawn(async move {
                let answer = window.get("/count").await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
                (window.jar[OURS].clone(), answer.body)
            })
        })
        .collect();
    let (mut ids, mut counts) = (BTreeSet::new(), BTreeSet::new());
    for request in first {
        let (id, count) = request.await.unwrap();
        ids.insert(id);
        counts.insert(count);
    }
    assert_eq!((ids.len(), counts.len(), sessions.counters().adopted), (1, 30, 1));
    assert!(!world.old.has("old-ann"));
    is(&mut visitor(&app, "old-ann"), "ann").await;
    let mut ann = visitor(&app, "old-ann");
    ann.jar.insert(OURS.to_owned(), ids.pop_first().unwrap());
    is(&mut ann, "ann").await;
    is(&mut visitor(&app, "old-ann"), "nobody").await;
    assert_eq!(ann.post("/logout").await.status, StatusCode::OK);
    world.old.put("old-ann", "ann", world.after(DAY));
    is(&mut visitor(&app, "old-ann"), "nobody").await;

    for round in 0..20 {
        let old = format!("old-{round}");
        world.old.put(&old, "eve", world.after(DAY));
        let mut logout = visitor(&app, &old);
        let others: Vec<_> = (0..4)
            .map(|_| {
                let mut window = visitor(&app, &old);
                tokio::spawn(async move {
                    window.get("/").await;
                    window
                })
            })
            .collect();
        assert_eq!(logout.post("/logout").await.status, StatusCode::OK);
        for window in others {
            is(&mut window.await.unwrap(), "nobody").await;
        }
    }

    world.old.put("old-bob", "bob", world.after(DAY));
    let (rolling, _) = world.app_with(world.old.adoption().rolling_until(world.after(DAY * 2)));
    let mut bob = visitor(&rolling, "old-bob");
    for expected in ["1", "2", "3"] {
        assert_eq!(bob.get("/count").await.body, expected);
        world.clock.advance(MINUTE * 2);
        bob.jar.remove(OURS);
    }
    assert!(world.old.has("old-bob"));
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    let Some(server) = workspace_tests::PostgresServer::start() else { return };
    everything(workspace_tests::open_store(&server.url()).await).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn redis() {
    let Some(server) = workspace_tests::RedisServer::start() else { return };
    everything(workspace_tests::open_store(&server.url()).await).await;
}

#[cfg(feature = "memcached")]
#[tokio::test(flavor = "multi_thread")]
async fn memcached() {
    let Some(server) = workspace_tests::MemcachedServer::start() else { return };
    let store = AnyStore::new(session_axum::MemcachedStore::connect(&server.url()).await.unwrap());
    everything(store).await;
}

#[cfg(all(feature = "redis", feature = "sqlite"))]
#[tokio::test(flavor = "multi_thread")]
async fn two_tiers() {
    for mode in ["through", "behind"] {
        let Some(server) = workspace_tests::RedisServer::start() else { return };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sessions.db");
        let url = format!("{mode}:{} sqlite:{}", server.url(), file.display());
        everything(workspace_tests::open_store(&url).await).await;
    }
}
