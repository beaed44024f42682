//! A cookie that is Secure by the scheme that a trusted proxy tells.

use std::net::SocketAddr;

use axum::Extension;
use axum::extract::ConnectInfo;
use session_axum::{CrossOriginProtection, SessionCookie, SessionLayer, Store, TrustedProxies};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const PROXY: &str = "10.0.0.1:4711";

fn cookie() -> SessionCookie {
    SessionCookie::new().secure_by_scheme(TrustedProxies::new(["10.0.0.0/8", "127.0.0.1"]).unwrap())
}

fn layer(store: impl Store) -> SessionLayer {
    SessionLayer::builder(store).cookie(cookie()).build().unwrap()
}

/// The application as a peer at this address sees it.
fn seen_by(peer: &str, layer: &SessionLayer) -> Router {
    routes().layer(layer.clone()).layer(Extension(ConnectInfo(peer.parse::<SocketAddr>().unwrap())))
}

const HTTP: [(&str, &str); 1] = [("x-forwarded-proto", "http")];
const HTTPS: [(&str, &str); 1] = [("x-forwarded-proto", "https")];

/// T5.
#[tokio::test]
async fn each_scheme_has_its_cookie() {
    on_each_store(async |store| {
        let app = seen_by(PROXY, &layer(store));
        for (headers, name, flags) in [
            (HTTP, "sessid", "HttpOnly; SameSite=Lax; Path=/"),
            (HTTPS, "__Host-sessid", "HttpOnly; SameSite=Lax; Secure; Path=/"),
        ] {
            let mut visitor = With::headers(&app, &headers);
            let login = visitor.post("/login").await;
            let [cookie] = login.set_cookies()[..] else { panic!("{login:?}") };
            assert_eq!(cookie.split_once('=').unwrap().0, name);
            assert_eq!(cookie.split_once("; ").unwrap().1, flags);
            let answer = visitor.get("/count").await;
            assert_eq!((answer.body.as_str(), answer.all("vary")), ("1", vec!["cookie, x-forwarded-proto"]));
            // What removes it has the same name and flags.
            let removed = visitor.post("/logout").await;
            assert!(removed.set_cookies()[0].starts_with(&format!("{name}=")), "{removed:?}");
            assert_eq!(removed.set_cookies()[0].contains("Secure"), name != "sessid");
            assert_eq!(visitor.get("/user").await.body, "nobody");
        }
    })
    .await;
}

/// T57. Whoever is between a visitor and a page without encryption can change that page.
#[tokio::test]
async fn a_page_that_was_loaded_over_http_sends_nothing_over_https() {
    on_each_store(async |store| {
        let app = routes().layer(CrossOriginProtection::new()).layer(layer(store));
        let app = app.layer(Extension(ConnectInfo(PROXY.parse::<SocketAddr>().unwrap())));
        for (scheme, origin, status) in [
            (HTTP, "http://shop.example", 200),
            (HTTP, "https://shop.example", 200),
            (HTTPS, "https://shop.example", 200),
            (HTTPS, "http://shop.example", 403),
        ] {
            let mut visitor = With::headers(&app, &[scheme[0], ("host", "shop.example"), ("origin", origin)]);
            assert_eq!(visitor.post("/login").await.status, status, "{scheme:?} {origin}");
        }
    })
    .await;
}

/// T5. A cookie that came over HTTP, where anybody can write it, opens nothing over HTTPS; the other is not expected
/// over HTTP.
#[tokio::test]
async fn only_the_name_of_the_scheme_is_read() {
    let app = seen_by(PROXY, &layer(MemoryStore::new()));
    for (headers, others) in [(HTTP, HTTPS), (HTTPS, HTTP)] {
        let mut visitor = With::headers(&app, &headers);
        visitor.post("/login").await;
        assert_eq!(visitor.get("/user").await.body, "ann");
        visitor.headers = others.to_vec();
        assert_eq!(visitor.get("/user").await.body, "nobody");
        assert!(visitor.post("/logout").await.set_cookies().is_empty());
        visitor.headers = headers.to_vec();
        assert_eq!(visitor.get("/user").await.body, "ann");
    }
}

/// T6.
#[tokio::test]
async fn forged_headers_of_a_peer_that_is_no_proxy_change_nothing() {
    let layer = layer(MemoryStore::new());
    let stranger = seen_by("203.0.113.9:4711", &layer);
    let unknown = routes().layer(layer.clone());
    let forged: [&[(&str, &str)]; 4] = [
        &HTTP,
        &[("forwarded", "for=10.0.0.1;proto=http")],
        &[("x-forwarded-for", "10.0.0.1"), ("x-real-ip", "10.0.0.1"), ("x-forwarded-proto", "http")],
        &[],
    ];
    for app in [stranger, unknown] {
        for headers in forged {
            let mut visitor = With::headers(&app, headers);
            let login = visitor.post("/login").await;
            assert!(login.set_cookies()[0].starts_with("__Host-sessid=") && login.set_cookies()[0].contains("Secure"));
            assert_eq!(visitor.get("/user").await.body, "ann");
            // An id that is read without encryption is none here.
            let id = visitor.client.jar.remove("__Host-sessid").unwrap();
            visitor.client.jar.insert("sessid".into(), id);
            assert_eq!(visitor.get("/user").await.body, "nobody");
        }
    }
}

/// T6. What a client has added to what the proxy says is no reason to send the cookie in the clear.
#[tokio::test]
async fn what_contradicts_itself_counts_as_encrypted() {
    let app = seen_by(PROXY, &layer(MemoryStore::new()));
    let contradictions: [&[(&str, &str)]; 5] = [
        &[],
        &[("x-forwarded-proto", "http"), ("x-forwarded-proto", "https")],
        &[("x-forwarded-proto", "http, https")],
        &[("x-forwarded-proto", "ws")],
        &[("forwarded", "proto=http")],
    ];
    for headers in contradictions {
        let login = With::headers(&app, headers).post("/login").await;
        assert!(login.set_cookies()[0].starts_with("__Host-sessid="), "{headers:?}");
    }
}

/// T5.
#[test]
fn what_can_not_follow_the_scheme_is_refused_with_the_fix() {
    #[track_caller]
    fn assert_refused(cookie: SessionCookie, fix: &str) {
        let message = cookie.build().err().expect("it is refused").to_string();
        assert!(message.contains("`secure_by_scheme`") && message.contains(fix), "{message}");
    }
    assert_refused(cookie().allow_http(), "`allow_http`");
    assert_refused(cookie().without_prefix(), "`without_prefix`");
    assert_refused(cookie().name("__Secure-a"), "`name`");
    assert_refused(cookie().same_site(session_axum::SameSite::None), "`same_site`");
    assert_refused(cookie().partitioned(), "`partitioned`");
    let layer = SessionLayer::builder(MemoryStore::new()).cookie(cookie()).allow_http();
    assert!(layer.build().unwrap_err().to_string().contains("`allow_http`"));
    assert!(cookie().domain("example.com").build().is_ok());
    assert!(cookie().path("/app").build().is_ok());
}

/// T5. On a real connection, whose peer axum knows.
#[tokio::test]
async fn a_server_knows_its_peers() {
    let app = routes().layer(layer(MemoryStore::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
    let server = tokio::spawn(async move { serving.await });
    for (scheme, name) in [("http", "set-cookie: sessid="), ("https", "set-cookie: __Host-sessid=")] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /login HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: {scheme}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(name), "{answer}");
    }
    server.abort();
}
