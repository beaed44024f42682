//! S30 to S36: encrypted connections, and those that must not be made.

use std::time::{Duration, Instant};

use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{Client, ConnectionAddr, TlsCertificates, TlsMode};
use session_core::StoreError;
use session_stores::{RedisStore, TrackedRedisStore};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use workspace_tests::smoke::works;
use workspace_tests::{Authority, Certificate, RedisCluster, RedisSentinel, RedisServer};

const MARKER: &str = "xMARKERx";

fn for_this_machine(authority: &Authority) -> Certificate {
    authority.certify(&["localhost", "127.0.0.1"])
}

#[track_caller]
fn server_of(authority: &Authority) -> Option<RedisServer> {
    RedisServer::start_encrypted(&for_this_machine(authority), authority, &["--save", ""])
}

fn address(server: &RedisServer, parameters: &str) -> String {
    format!("rediss://localhost:{}/{parameters}", server.encrypted_port())
}

fn trusting(authority: &Authority) -> String {
    format!("?sslrootcert={}", authority.file())
}

fn certificates(authority: &Authority) -> TlsCertificates {
    TlsCertificates { client_tls: None, root_cert: Some(authority.pem().into_bytes()) }
}

/// What is said at a start that fails, which it does soon, and in the same words for every kind of store.
async fn refusal(address: &str) -> String {
    let told = refusal_of(RedisStore::connect(address).await.err(), address).await;
    let of_tracked = refusal_of(TrackedRedisStore::connect(address).await.err(), address).await;
    let of_sentinels = refusal_of(RedisStore::sentinel([address], "main").await.err(), address).await;
    let of_cluster = refusal_of(RedisStore::cluster([address]).await.err(), address).await;
    let words = |told: &str| told.replace(|character: char| character.is_ascii_digit(), "");
    // A certificate that has expired is told with the second of now.
    for other in [of_tracked, of_sentinels, of_cluster] {
        assert_eq!(words(&other), words(&told));
    }
    told
}

async fn refusal_of(error: Option<StoreError>, address: &str) -> String {
    let error = error.unwrap_or_else(|| panic!("{address} was connected"));
    let told = error.to_string();
    assert!(!told.contains(MARKER) && !format!("{error:?}").contains(MARKER), "{told}");
    told
}

/// S30.
#[tokio::test]
async fn an_authority_in_the_address_is_trusted_for_the_servers_it_has_certified() {
    let authority = Authority::new();
    let Some(server) = server_of(&authority) else { return };
    let address = address(&server, &trusting(&authority));
    works(&RedisStore::connect(&address).await.unwrap()).await;
    works(&TrackedRedisStore::connect(&address).await.unwrap()).await;
    works(&TrackedRedisStore::connect(&address).await.unwrap().strict()).await;
}

/// S30.
#[tokio::test]
async fn an_authority_in_a_client_is_trusted_for_the_servers_it_has_certified() {
    let authority = Authority::new();
    let Some(server) = server_of(&authority) else { return };
    let client = Client::build_with_tls(address(&server, ""), certificates(&authority)).unwrap();
    works(&RedisStore::from_client(client)).await;
}

/// S30.
#[tokio::test]
async fn every_server_of_a_cluster_is_encrypted() {
    let authority = Authority::new();
    let Some(cluster) = RedisCluster::start_encrypted(&for_this_machine(&authority), &authority) else { return };
    let first = format!("rediss://127.0.0.1:{}/{}", cluster.servers[0].encrypted_port(), trusting(&authority));
    works(&RedisStore::cluster([&*first]).await.unwrap()).await;
    for server in &cluster.servers {
        let clients = server.ask(&["CLIENT", "LIST"]);
        let encrypted = format!("laddr=127.0.0.1:{}", server.encrypted_port());
        assert!(clients.contains(&encrypted), "{clients}");
    }
}

/// S30.
#[tokio::test]
async fn sentinels_and_the_master_that_they_name_are_encrypted() {
    let authority = Authority::new();
    let Some(servers) = RedisSentinel::start_encrypted(&for_this_machine(&authority), &authority) else { return };
    let sentinel = format!("rediss://127.0.0.1:{}/{}", servers.sentinel.encrypted_port(), trusting(&authority));
    works(&RedisStore::sentinel([&*sentinel], RedisSentinel::MASTER).await.unwrap()).await;
    works(&TrackedRedisStore::sentinel([&*sentinel], RedisSentinel::MASTER).await.unwrap()).await;

    let port = servers.sentinel.encrypted_port();
    let at = ConnectionAddr::TcpTls { host: "127.0.0.1".into(), port, insecure: false, tls_params: None };
    let client = SentinelClientBuilder::new([at], RedisSentinel::MASTER, SentinelServerType::Master).unwrap();
    let client = client.set_client_to_sentinel_certificates(certificates(&authority));
    let client = client.set_client_to_redis_tls_mode(TlsMode::Secure);
    let client = client.set_client_to_redis_certificates(certificates(&authority));
    works(&RedisStore::from_sentinel(client.build().unwrap())).await;
}

/// S32.
#[tokio::test]
async fn a_certificate_that_proves_nothing_is_told() {
    let (authority, other) = (Authority::new(), Authority::new());
    let Some(server) = server_of(&authority) else { return };
    let with_password = |server: &RedisServer, parameters: &str| {
        address(server, parameters).replace("rediss://", &format!("rediss://app:{MARKER}@"))
    };
    for parameters in ["", &trusting(&other)] {
        let told = refusal(&with_password(&server, parameters)).await;
        assert!(told.contains("from an authority that is not trusted") && told.contains("sslrootcert=FILE"), "{told}");
    }
    let elsewhere = authority.certify(&["cache.example"]);
    let server = RedisServer::start_encrypted(&elsewhere, &authority, &[]).unwrap();
    let told = refusal(&with_password(&server, &trusting(&authority))).await;
    assert!(told.contains("for another host") && told.contains("cache.example"), "{told}");

    let server = RedisServer::start_encrypted(&authority.certify_until_2020(), &authority, &[]).unwrap();
    let told = refusal(&with_password(&server, &trusting(&authority))).await;
    assert!(told.contains("has expired"), "{told}");
}

/// S33.
#[tokio::test]
async fn a_scheme_that_does_not_fit_the_server_is_told_soon() {
    let authority = Authority::new();
    let Some(server) = server_of(&authority) else { return };
    let (plain, encrypted) = (server.addr().port(), server.encrypted_port());
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port_of_web = web.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut visitor, _)) = web.accept().await {
            let _ = visitor.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        }
    });
    for (address, expected) in [
        (format!("redis://app:{MARKER}@localhost:{encrypted}/"), "expects TLS; write `rediss://`"),
        (format!("rediss://app:{MARKER}@localhost:{plain}/"), "has no TLS; write `redis://`"),
        (format!("redis://app:{MARKER}@localhost:{port_of_web}/"), "answers with HTTP"),
        (format!("rediss://app:{MARKER}@localhost:{port_of_web}/"), "does not answer with TLS"),
    ] {
        let started = Instant::now();
        let told = refusal(&address).await;
        assert!(told.contains(expected), "{told}");
        // Of four stores.
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}: {told}", started.elapsed());
    }
}

/// S35.
#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_that_of_the_address() {
    let authority = Authority::new();
    let certificate = for_this_machine(&authority);
    let Some(server) = RedisServer::start_encrypted(&certificate, &authority, &["--tls-auth-clients", "yes"]) else {
        return;
    };
    let told = refusal(&address(&server, &trusting(&authority))).await;
    assert!(told.contains("sslcert=FILE"), "{told}");

    let client = authority.certify_client("the application");
    let own = format!("{}&sslcert={}&sslkey={}", trusting(&authority), client.file, client.key);
    works(&RedisStore::connect(&address(&server, &own)).await.unwrap()).await;
}

/// S36.
#[tokio::test]
async fn what_an_address_says_of_tls_is_checked_before_anything_is_sent() {
    let authority = Authority::new();
    let file = authority.file();
    let base = format!("rediss://app:{MARKER}@localhost:1/");
    for (parameters, expected) in authority.unusable_files() {
        let told = refusal(&format!("{base}?protocol=resp3{parameters}")).await;
        assert!(told.contains(expected), "{parameters}: {told}");
    }
    for (wrong, expected) in [
        (format!("redis://app:{MARKER}@localhost:1/?sslrootcert={file}"), "write `rediss://`"),
        (format!("{base}?sslcert={file}"), "name both"),
        (base.replace("rediss", "http"), "write `redis://HOST:PORT`"),
        (base.replace("rediss", "postgres"), "write `redis://HOST:PORT`"),
    ] {
        let told = refusal(&wrong).await;
        assert!(told.contains(expected), "{wrong}: {told}");
    }
    let mixed = RedisStore::cluster(["rediss://localhost:1", "redis://localhost:2"]).await.unwrap_err();
    assert!(mixed.to_string().contains("in all of them, or in none"), "{mixed}");
}
