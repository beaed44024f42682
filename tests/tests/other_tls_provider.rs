//! An application that has installed a provider of cryptography of its own. A process has one, so this is a program of
//! its own, with one test.
//!
//! In all other tests nobody has installed one, and rustls has been told to choose none: as where an application's
//! dependencies enable two.

#![cfg(all(feature = "postgres", feature = "redis"))]

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, ring};
use session_stores::{PostgresStore, RedisStore, TrackedRedisStore};
use workspace_tests::smoke::works;
use workspace_tests::{Authority, PostgresServer, RedisServer};

/// S34.
#[tokio::test]
async fn the_provider_of_the_application_is_used_and_stays() {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    provider.install_default().expect("there is none yet");
    let authority = Authority::new();
    let certificate = authority.certify(&["localhost"]);
    let parameters = format!("sslrootcert={}", authority.file());

    if let Some(server) = RedisServer::start_encrypted(&certificate, &authority, &[]) {
        let address = format!("rediss://localhost:{}/?{parameters}", server.encrypted_port());
        works(&RedisStore::connect(&address).await.unwrap()).await;
        works(&TrackedRedisStore::connect(&address).await.unwrap()).await;
        let other = ["--tls-ciphersuites", "TLS_AES_128_GCM_SHA256", "--tls-protocols", "TLSv1.3"];
        let server = RedisServer::start_encrypted(&certificate, &authority, &other).unwrap();
        let address = format!("rediss://localhost:{}/?{parameters}", server.encrypted_port());
        RedisStore::connect(&address).await.expect_err("the application's provider does not know this cipher");
    }
    if let Some(mut server) = PostgresServer::start() {
        server.use_certificate(&certificate);
        for mode in ["require", "verify-ca", "verify-full"] {
            let authority = if mode == "require" { "" } else { &parameters };
            let port = server.addr().port();
            let address = format!("postgres://postgres@localhost:{port}/postgres?sslmode={mode}&{authority}");
            works(&PostgresStore::connect(address.trim_end_matches('&')).await.unwrap()).await;
        }
    }
    assert_eq!(CryptoProvider::get_default().expect("it stays").cipher_suites.len(), 1);
}
