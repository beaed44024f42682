//! Addresses that the client library for Memcached knows, and those that it doesn't.

use std::net::Ipv6Addr;

use session_stores::MemcachedStore;
use workspace_tests::smoke::works;
use workspace_tests::{MemcachedServer, Proxy, skip_on_this_machine};

/// The error of a start, which comes before the first request.
async fn refusal(address: &str) -> String {
    let refused = MemcachedStore::connect(address).await.expect_err("it can't be reached");
    assert!(!refused.is_unavailable(), "{refused}");
    refused.to_string()
}

async fn works_at(address: &str) {
    works(&MemcachedStore::connect(address).await.expect("the server runs")).await;
}

#[tokio::test]
async fn every_way_to_write_an_address_leads_to_the_server() {
    let Some(server) = MemcachedServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("memcached.sock").display().to_string();
    let _at_socket = MemcachedServer::start_on_socket(&socket).expect("it is installed");
    let port = server.addr().port();
    for address in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("tcp://127.0.0.1:{port}"),
        format!("memcached://localhost:{port}/"),
        format!("memcached://tcp://localhost:{port},unix://{socket}"),
        format!("unix://{socket}"),
    ] {
        works_at(&address).await;
    }
}

/// S38. The client library makes sockets of IPv4 only, so such a server is reached through a port of this machine.
#[tokio::test]
async fn a_server_at_ipv6_is_refused_at_start_and_reached_through_a_forwarded_port() {
    let Some(server) = MemcachedServer::start_at(Ipv6Addr::LOCALHOST.into()) else { return };
    for address in [server.addr().to_string(), server.url(), format!("tcp://{}", server.addr()), "::1".to_owned()] {
        let refused = refusal(&address).await;
        assert!(refused.contains("is an address of IPv6") && refused.contains("unix:///PATH"), "{refused}");
    }
    let forwarded = Proxy::start(server.addr()).await.unwrap();
    works_at(&forwarded.addr().to_string()).await;
}

/// S38. Debian and Docker have such a name.
#[tokio::test]
async fn a_name_that_leads_to_ipv6_alone_is_refused_at_start() {
    if tokio::net::lookup_host(("ip6-localhost", 1)).await.is_err() {
        return skip_on_this_machine("name that leads to IPv6 alone, such as ip6-localhost in /etc/hosts");
    }
    let refused = refusal("ip6-localhost:11211").await;
    assert!(refused.contains("ip6-localhost:11211 is an address of IPv6"), "{refused}");
}

/// S37.
#[tokio::test]
async fn tls_is_refused_with_what_to_do_instead() {
    for address in ["tls://localhost", "memcached://localhost,tls://localhost", "memcacheds://app:marker@localhost"] {
        let refused = refusal(address).await;
        assert!(refused.contains("asks for TLS") && refused.contains("stunnel"), "{refused}");
        assert!(!refused.contains("marker"), "{refused}");
    }
}
