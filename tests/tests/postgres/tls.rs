//! S30 to S36: encrypted connections, and those that must not be made.

use std::time::{Duration, Instant};

use session_stores::PostgresStore;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use workspace_tests::smoke::works;
use workspace_tests::{Authority, PostgresServer};

const MARKER: &str = "xMARKERx";

/// A server with a certificate for this machine.
#[track_caller]
fn server_of(authority: &Authority) -> Option<PostgresServer> {
    let mut server = PostgresServer::start()?;
    server.use_certificate(&authority.certify(&["localhost", "127.0.0.1"]));
    Some(server)
}

/// By name, with a password that no message may show.
fn address(server: &PostgresServer, parameters: &str) -> String {
    format!("postgres://postgres:{MARKER}@localhost:{}/postgres{parameters}", server.addr().port())
}

fn trusting(authority: &Authority) -> String {
    format!("?sslmode=verify-full&sslrootcert={}", authority.file())
}

/// Whether all connections to the server, but that which asks, are encrypted.
fn is_encrypted(server: &PostgresServer) -> bool {
    let answer = server.sql(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    match answer.trim() {
        "t" => true,
        "f" => false,
        other => panic!("there is no connection: {other:?}"),
    }
}

/// What is said at a start that fails, which it does soon.
async fn refusal(address: &str) -> String {
    let started = Instant::now();
    let Err(error) = PostgresStore::connect(address).await else { panic!("{address} was connected") };
    let told = error.to_string();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}: {told}", started.elapsed());
    assert!(!told.contains(MARKER) && !format!("{error:?}").contains(MARKER), "{told}");
    told
}

/// S30.
#[tokio::test]
async fn an_authority_in_the_address_is_trusted_for_the_servers_it_has_certified() {
    let authority = Authority::new();
    let Some(server) = server_of(&authority) else { return };
    let store = PostgresStore::connect(&address(&server, &trusting(&authority))).await.unwrap();
    works(&store).await;
    assert!(is_encrypted(&server));
}

/// S30.
#[tokio::test]
async fn an_authority_in_the_options_of_a_pool_is_trusted_for_the_servers_it_has_certified() {
    let authority = Authority::new();
    let Some(server) = server_of(&authority) else { return };
    let options: PgConnectOptions = address(&server, "").parse().unwrap();
    let options = options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(authority.pem().into_bytes());
    let store = PostgresStore::from_pool(PgPoolOptions::new().connect_lazy_with(options));
    store.set_up().await.unwrap();
    works(&store).await;
    assert!(is_encrypted(&server));
}

/// S31. Any certificate will do: without `sslmode`, nobody has said whom to trust.
#[tokio::test]
async fn an_address_that_says_nothing_of_tls_is_encrypted_where_the_server_offers_it() {
    let Some(mut server) = PostgresServer::start() else { return };
    let store = PostgresStore::connect(&address(&server, "")).await.unwrap();
    works(&store).await;
    assert!(!is_encrypted(&server));

    server.use_certificate(&Authority::new().certify_until_2020());
    for parameters in ["", "?sslmode=require"] {
        let store = PostgresStore::connect(&address(&server, parameters)).await.unwrap();
        works(&store).await;
        assert!(is_encrypted(&server));
    }
}

/// S33.
#[tokio::test]
async fn plain_where_tls_was_asked_for_is_an_error() {
    let Some(server) = PostgresServer::start() else { return };
    let authority = Authority::new();
    for parameters in ["?sslmode=require", "?sslmode=verify-full", &trusting(&authority)] {
        let told = refusal(&address(&server, parameters)).await;
        assert!(told.contains("server does not support TLS"), "{told}");
    }
}

/// S33.
#[tokio::test]
async fn a_server_that_talks_to_nobody_without_tls_says_so() {
    let authority = Authority::new();
    let Some(mut server) = server_of(&authority) else { return };
    server.require_tls(None);
    let told = refusal(&address(&server, "?sslmode=disable")).await;
    assert!(told.contains("no encryption"), "{told}");
    works(&PostgresStore::connect(&address(&server, "")).await.unwrap()).await;
}

/// S32.
#[tokio::test]
async fn a_certificate_that_proves_nothing_is_told() {
    let (authority, other) = (Authority::new(), Authority::new());
    let Some(mut server) = server_of(&authority) else { return };
    for parameters in ["?sslmode=verify-full", "?sslmode=verify-ca", &trusting(&other)] {
        let told = refusal(&address(&server, parameters)).await;
        assert!(told.contains("from an authority that is not trusted") && told.contains("sslrootcert=FILE"), "{told}");
    }
    server.use_certificate(&authority.certify(&["db.example"]));
    let told = refusal(&address(&server, &trusting(&authority))).await;
    assert!(told.contains("for another host") && told.contains("db.example"), "{told}");

    server.use_certificate(&authority.certify_until_2020());
    let told = refusal(&address(&server, &trusting(&authority))).await;
    assert!(told.contains("has expired"), "{told}");
}

/// S32, S34. With `verify-ca`, sqlx leaves it to rustls which provider of cryptography there is.
#[tokio::test]
async fn the_name_of_the_host_may_be_left_out_of_account() {
    let authority = Authority::new();
    let Some(mut server) = PostgresServer::start() else { return };
    server.use_certificate(&authority.certify(&["db.example"]));
    let address = address(&server, &format!("?sslmode=verify-ca&sslrootcert={}", authority.file()));
    works(&PostgresStore::connect(&address).await.unwrap()).await;
    let pool = PgPoolOptions::new().connect_lazy(&address).unwrap();
    works(&PostgresStore::from_pool(pool)).await;
    assert!(is_encrypted(&server));
}

/// S35.
#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_that_of_the_address() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let Some(mut server) = server_of(&authority) else { return };
    server.require_tls(Some(&clients));
    let told = refusal(&address(&server, &trusting(&authority))).await;
    assert!(told.contains("certificate"), "{told}");

    let certificate = clients.certify_client("postgres");
    let own = format!("{}&sslcert={}&sslkey={}", trusting(&authority), certificate.file, certificate.key);
    works(&PostgresStore::connect(&address(&server, &own)).await.unwrap()).await;
}

/// S36.
#[tokio::test]
async fn what_an_address_says_of_tls_is_checked_before_anything_is_sent() {
    let authority = Authority::new();
    let file = authority.file();
    let base = format!("postgres://app:{MARKER}@localhost:1/app");
    for (parameters, expected) in authority.unusable_files() {
        let told = refusal(&format!("{base}?sslmode=verify-full{parameters}")).await;
        assert!(told.contains(expected), "{parameters}: {told}");
    }
    for parameters in ["?", "?sslmode=require&", "?sslmode=disable&"] {
        let told = refusal(&format!("{base}{parameters}sslrootcert={file}")).await;
        assert!(told.contains("only with `sslmode=verify-full`"), "{parameters}: {told}");
    }
    for scheme in ["http", "postgress", "rediss"] {
        let told = refusal(&base.replace("postgres", scheme)).await;
        assert!(told.contains("write `postgres://"), "{scheme}: {told}");
    }
}
