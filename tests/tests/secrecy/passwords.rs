//! Passwords of addresses: whatever is wrong with an address, neither an error nor a log line shows them.

#[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
use std::fmt::Debug;

#[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
use workspace_tests::log::Log;

/// Part of every password here, and of nothing else.
const MARKER: &str = "xMARKERx";

/// The error with all its causes, as a program prints it when it starts.
#[track_caller]
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let told: Vec<String> = causes.map(|cause| format!("{cause} | {cause:?}")).collect();
    told.join(" | ")
}

/// Fails if an error or a line that was logged meanwhile shows a password. Every address must be an error.
#[cfg(any(feature = "firestore", feature = "memcached", feature = "postgres", feature = "redis"))]
async fn assert_no_password_is_told<S>(
    addresses: &[String],
    connect: impl AsyncFn(&str) -> Result<S, session_core::StoreError>,
) {
    let (log, _guard) = Log::capture();
    for address in addresses {
        let Err(error) = connect(address).await else { panic!("{address:?} was connected") };
        let told = told(&error);
        assert!(!told.contains(MARKER), "{address:?}: {told}");
    }
    assert!(!log.text().contains(MARKER), "{}", log.text());
}

/// Fails if what is logged while a store works, or its `Debug`, shows the password.
#[cfg(any(feature = "postgres", feature = "redis"))]
async fn assert_no_password_is_logged<S: session_core::Store + Clone>(
    shown: impl Fn(&S) -> Option<Box<dyn Debug + '_>>,
    connect: impl AsyncFn() -> Result<S, session_core::StoreError>,
) {
    let (log, _guard) = Log::capture();
    let store = connect().await.expect("the password is right");
    let record = workspace_tests::records::created(&store, workspace_tests::records::fresh_record()).await;
    assert!(workspace_tests::records::load(&store, &record.key).await.is_some());
    if let Some(shown) = shown(&store) {
        assert!(!format!("{shown:?}").contains(MARKER));
    }
    assert!(!log.text().contains(MARKER), "{}", log.text());
}

/// Ways to write an address with a password that can't work: `{}` stands for `user:password@host:port`.
#[cfg(any(feature = "postgres", feature = "redis"))]
fn wrong_addresses(scheme: &str, host: &str) -> Vec<String> {
    let (password, path) = (MARKER, "0");
    vec![
        format!("{scheme}://app:{password}@{host}:70000/{path}"),
        format!("{scheme}://app:{password}@{host}:port/{path}"),
        format!("{scheme}://app:{password}@/{path}"),
        format!("{scheme}://app:{password}@{host}:1/{path}"),
        format!("{scheme}://app:{password}@nobody.invalid:1/{path}"),
        format!("{scheme}://app:{password}@{host}:1/{path}\n"),
        format!(" {scheme}://app:{password}@{host}:1/{path}"),
        format!("{scheme}://app:{password} @{host}:1/{path}"),
        format!("{scheme}://app:12/{password}@{host}:1/{path}"),
        format!("{scheme}://app:a/{password}@{host}:1/{path}"),
        format!("{scheme}://app:a#{password}@{host}:1/{path}"),
        format!("{scheme}://app:a?{password}@{host}:1/{path}"),
        format!("{scheme}://app:%ff{password}@{host}:1/{path}"),
        format!("{scheme}:app:{password}@{host}:1"),
        format!("app:{password}@{host}:1"),
    ]
}

#[cfg(feature = "redis")]
mod redis {
    use session_stores::{RedisStore, TrackedRedisStore};
    use workspace_tests::RedisServer;

    use super::*;

    fn addresses() -> Vec<String> {
        let mut addresses = wrong_addresses("redis", "127.0.0.1");
        addresses.extend([
            format!("redis://app:{MARKER}@127.0.0.1:1/no-number"),
            format!("redis://app:{MARKER}@127.0.0.1:1/?protocol=9"),
            format!("redis://app:{MARKER}@0.0.0.0:1/"),
            format!("rediss://app:{MARKER}@127.0.0.1:1/#what"),
            format!("redis+unix:///nowhere/redis.sock?pass={MARKER}"),
            format!("http://app:{MARKER}@127.0.0.1:1/"),
        ]);
        addresses
    }

    #[tokio::test]
    async fn a_wrong_address_is_told_without_its_password() {
        let addresses = addresses();
        assert_no_password_is_told(&addresses, async |address| RedisStore::connect(address).await).await;
        assert_no_password_is_told(&addresses, async |address| TrackedRedisStore::connect(address).await).await;
        assert_no_password_is_told(&addresses, async |address| RedisStore::sentinel([address], "main").await).await;
        let cluster = async |address: &str| RedisStore::cluster([address, "redis://127.0.0.1:2/"]).await;
        assert_no_password_is_told(&addresses, cluster).await;
    }

    #[tokio::test]
    async fn a_password_is_not_logged_right_or_wrong() {
        let right = format!("{MARKER}-right");
        let Some(server) = RedisServer::start_with(&["--requirepass", &right]) else { return };
        let address = |user: &str, password: &str| format!("redis://{user}:{password}@{}/", server.addr());
        let wrong = [address("", &format!("{MARKER}-wrong")), address("nobody", &right)];
        assert_no_password_is_told(&wrong, async |address| RedisStore::connect(address).await).await;
        assert_no_password_is_told(&wrong, async |address| TrackedRedisStore::connect(address).await).await;
        let url = address("", &right);
        let plain = async || RedisStore::connect(&url).await;
        assert_no_password_is_logged(|store| Some(Box::new(store)), plain).await;
        let tracked = async || TrackedRedisStore::connect(&url).await;
        assert_no_password_is_logged(|store| Some(Box::new(store)), tracked).await;
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use session_stores::PostgresStore;
    use workspace_tests::PostgresServer;

    use super::*;

    #[tokio::test]
    async fn a_wrong_address_is_told_without_its_password() {
        let mut addresses = wrong_addresses("postgres", "127.0.0.1");
        addresses.extend([
            format!("postgres://127.0.0.1:1/app?user=app&password={MARKER}"),
            format!("postgres://127.0.0.1:1/app?user=app&password={MARKER}&sslmode=maybe"),
            format!("mysql://app:{MARKER}@127.0.0.1:1/app"),
        ]);
        assert_no_password_is_told(&addresses, async |address| PostgresStore::connect(address).await).await;
    }

    #[tokio::test]
    async fn a_password_is_not_logged_right_or_wrong() {
        let Some(mut server) = PostgresServer::start() else { return };
        let right = format!("{MARKER}-right");
        server.require_password(&right);
        let address = |user: &str, password: &str| format!("postgres://{user}:{password}@{}/postgres", server.addr());
        let wrong = [address("postgres", &format!("{MARKER}-wrong")), address("nobody", &right)];
        assert_no_password_is_told(&wrong, async |address| PostgresStore::connect(address).await).await;
        let url = address("postgres", &right);
        assert_no_password_is_logged(|_| None, async || PostgresStore::connect(&url).await).await;
    }
}

/// Memcached and the emulator take no password. Somebody may write one all the same.
#[cfg(feature = "memcached")]
#[tokio::test]
async fn a_wrong_address_of_memcached_is_told_without_its_password() {
    let addresses = [
        format!("memcached://app:{MARKER}@127.0.0.1:1"),
        format!("memcached://127.0.0.1:1,app:{MARKER}@127.0.0.1:1"),
        format!("app:{MARKER}@127.0.0.1"),
        format!("memcached://app:{MARKER}@127.0.0.1:1\n"),
        format!("redis://app:{MARKER}@127.0.0.1:1/0"),
    ];
    let connect = async |address: &str| session_stores::MemcachedStore::connect(address).await;
    assert_no_password_is_told(&addresses, connect).await;
}

#[cfg(feature = "firestore")]
#[tokio::test]
async fn a_wrong_address_of_firestore_is_told_without_its_password() {
    let addresses = [
        format!("app:{MARKER}@127.0.0.1:1"),
        format!("http://app:{MARKER}@127.0.0.1:1"),
        format!("app:{MARKER}@127.0.0.1:1\n"),
        format!("127.0.0.1:1/?key={MARKER}"),
    ];
    let connect = async |address: &str| session_stores::FirestoreStore::connect_to_emulator(address, "tests").await;
    assert_no_password_is_told(&addresses, connect).await;
}

/// A name is no secret, so what is wrong with it is shown.
#[test]
fn a_wrong_name_is_shown_with_what_is_invisible_in_it() {
    let error = session_core::SessionManager::builder(session_core::MemoryStore::new()).audience("shop\n").build();
    let error = error.expect_err("it has a line break");
    assert!(told(&error).contains(r#""shop\n""#), "{error}");
}
