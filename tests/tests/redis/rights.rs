//! A user with exactly the rights that the guide lists: the whole suite.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use session_core::conformance_tests;
use session_stores::{RedisStore, TrackedRedisStore};
use workspace_tests::records::*;
use workspace_tests::{RedisCluster, RedisSentinel, RedisServer};

use crate::support::*;

const GUIDE: &str = include_str!("../../../docs/guides/stores.md");

/// The line that the guide gives for one server.
fn documented() -> Vec<&'static str> {
    let line = GUIDE.lines().find(|line| line.starts_with("ACL SETUSER")).expect("the guide has the line");
    line.split_whitespace().collect()
}

/// What the guide adds in the row that begins with this.
fn added(row: &str) -> Vec<String> {
    let (_, below) = GUIDE.split_once("ACL SETUSER").expect("the guide has the line");
    let row = below.lines().find(|line| line.starts_with(&format!("| {row}"))).expect("the guide has the row");
    let rights = row.split('`').rev().find(|part| part.starts_with('+')).expect("it has rights");
    rights.split_whitespace().map(|right| right.replace('\\', "")).collect()
}

/// Makes the user `shop` on these servers.
fn set_up(servers: &[&RedisServer], added: &[String]) {
    let rights: Vec<&str> = documented().into_iter().chain(added.iter().map(String::as_str)).collect();
    for server in servers {
        let answer = server.ask(&rights);
        assert!(answer.starts_with("+OK"), "{answer}");
    }
}

fn as_user(url: &str) -> String {
    url.replace("redis://", "redis://shop:secret@")
}

/// S13.
mod single {
    super::conformance_tests!({
        let Some(server) = crate::support::shared_server() else { return };
        super::set_up(&[server], &[]);
        let store = session_stores::RedisStore::connect(&super::as_user(&server.url())).await.expect("it may connect");
        store.with_prefix("shop:").expect("it is a prefix")
    });
    session_core::fast_store_tests!({
        let Some(server) = crate::support::shared_server() else { return };
        super::set_up(&[server], &[]);
        let store = session_stores::RedisStore::connect(&super::as_user(&server.url())).await.expect("it may connect");
        store.with_prefix("shop:").expect("it is a prefix")
    });
}

/// S13.
mod tracked {
    super::conformance_tests!({
        let Some(server) = super::tracked_server() else { return };
        let url = super::as_user(&server.url());
        let store = session_stores::TrackedRedisStore::connect(&url).await.expect("it may connect");
        store.with_prefix("shop:").expect("it is a prefix")
    });
}

/// S13.
mod cluster {
    super::conformance_tests!({
        let Some(cluster) = workspace_tests::RedisCluster::shared() else { return };
        super::set_up_cluster(cluster);
        let urls: Vec<String> = cluster.urls().iter().map(|url| super::as_user(url)).collect();
        let store = session_stores::RedisStore::cluster(urls.iter().map(String::as_str)).await.expect("it may connect");
        store.with_prefix("shop:").expect("it is a prefix")
    });
}

/// A server whose user may track, and not only for a moment.
fn tracked_server() -> Option<&'static RedisServer> {
    static SERVER: OnceLock<Option<RedisServer>> = OnceLock::new();
    let start = || {
        let server = RedisServer::start()?;
        set_up(&[&server], &added("`TrackedRedisStore`"));
        Some(server)
    };
    SERVER.get_or_init(start).as_ref()
}

fn set_up_cluster(cluster: &RedisCluster) {
    let servers: Vec<&RedisServer> = cluster.servers.iter().collect();
    set_up(&servers, &added("`RedisStore::cluster`"));
}

/// S13: the application's own client, because sentinel and servers have users of their own.
#[tokio::test]
async fn a_master_behind_sentinels_needs_no_more_than_is_documented() {
    let Some(servers) = RedisSentinel::start() else { return };
    set_up(&[&servers.master, &servers.replica], &added("`RedisStore::sentinel`"));
    let rights = ["ACL", "SETUSER", "watcher", "on", ">secret", "-@all"].map(str::to_owned);
    let rights: Vec<String> = rights.into_iter().chain(added("sentinels with ACLs")).collect();
    let answer = servers.sentinel.ask(&rights.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(answer.starts_with("+OK"), "{answer}");

    let settings = redis::RedisConnectionInfo::default().set_username("shop").set_password("secret");
    let node = redis::sentinel::SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
    let url = servers.sentinel.url().replace("redis://", "redis://watcher:secret@");
    // The library's function takes any text with one of its features, and a `String` without.
    let master = String::from(RedisSentinel::MASTER);
    let client = redis::sentinel::SentinelClient::build(
        vec![url.as_str()],
        master,
        Some(node),
        redis::sentinel::SentinelServerType::Master,
    );
    let store = RedisStore::from_sentinel(client.unwrap()).with_prefix("shop:").unwrap();
    let record = created(&store, signed_in("ann")).await;
    assert_eq!(load(&store, &record.key).await, Some(record));
}

/// S13: a right that is missing is an error that names it, and no right is asked for in vain.
#[tokio::test]
async fn the_documented_rights_are_those_that_the_code_uses() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../session-stores/src/redis");
    let mut used = BTreeSet::new();
    for folder in [folder.to_owned(), format!("{folder}/lua")] {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if !path.is_file() {
                continue;
            }
            let code = std::fs::read_to_string(path).unwrap();
            for call in ["redis::cmd(\"", ".cmd(\"", "call(\"", "redis.call('", "redis.pcall('"] {
                let names = code.split(call).skip(1).filter_map(|rest| rest.split(['"', '\'']).next());
                used.extend(names.map(str::to_lowercase));
            }
        }
    }
    let rows = ["`TrackedRedisStore`", "`RedisStore::cluster`"].into_iter().flat_map(added);
    let rights = documented().into_iter().map(str::to_owned).chain(rows);
    let documented: BTreeSet<String> =
        rights.filter_map(|right| Some(right.strip_prefix('+')?.split('|').next()?.to_owned())).collect();
    assert_eq!(documented, used);

    let Some(server) = RedisServer::start() else { return };
    set_up(&[&server], &[]);
    let store = RedisStore::connect(&as_user(&server.url())).await.unwrap();
    let error = TrackedRedisStore::connect(&as_user(&server.url())).await.unwrap_err();
    assert!(!error.is_unavailable() && error.to_string().contains("redis"), "{error}");
    let error = session_core::Store::load(&store, &fresh_key(), now()).await.unwrap_err();
    assert!(!error.is_unavailable(), "the prefix is another: {error}");
}
