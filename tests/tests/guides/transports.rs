use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{ConfigError, MemoryStore, Session, SessionLayer};
use workspace_tests::client::Client;

use crate::code::transports;
use crate::{PAGE, with_login};

fn client(layer: Result<SessionLayer, ConfigError>) -> Client {
    async fn home(_: Session) {}
    async fn logout(sess: Session) {
        sess.remove();
    }
    let routes = Router::new().route("/", get(home)).route("/logout", post(logout));
    Client::new(&with_login(routes).layer(layer.unwrap()))
}

#[tokio::test]
async fn the_cookie_has_the_settings_that_are_shown() {
    let mut client = client(transports::cookie::layer());
    let answer = client.post("/login").await;
    let cookie = answer.set_cookies()[0];
    assert!(cookie.starts_with("__Secure-shop="), "{cookie}");
    for flag in ["Domain=example.com", "SameSite=Strict", "Secure", "HttpOnly", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie} lacks {flag}");
    }
    assert_eq!(client.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_signed_cookie_outlives_the_rotation_of_keys() {
    let store = MemoryStore::new();
    let with_keys = |keys: [u8; 2]| client(transports::signed::layer(store.clone(), &[keys[0]; 64], &[keys[1]; 64]));
    let mut visitor = with_keys([2, 1]);
    visitor.post("/login").await;
    let first = visitor.jar.clone();
    for (keys, status) in [([3, 2], StatusCode::OK), ([4, 3], StatusCode::UNAUTHORIZED)] {
        let mut client = with_keys(keys);
        client.jar = first.clone();
        assert_eq!(client.get("/").await.status, status);
    }
    // Whoever comes once while both keys are there stays signed in.
    for keys in [[3, 2], [4, 3], [5, 4]] {
        let jar = visitor.jar;
        visitor = with_keys(keys);
        visitor.jar = jar;
        assert_eq!(visitor.get("/").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_id_travels_in_headers() {
    let mut client = client(transports::bearer::layer());
    let answer = client.post("/login").await;
    assert!(client.jar.is_empty());
    let value = format!("Bearer {}", answer.all("session-id")[0]);
    let headers = [("authorization", value.as_str())];
    assert_eq!(client.send(Method::GET, "/", &headers).await.status, StatusCode::OK);
    assert_eq!(client.send(Method::POST, "/logout", &headers).await.all("session-id"), [""]);
    assert_eq!(client.send(Method::GET, "/", &headers).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn browsers_have_cookies_and_other_clients_tokens() {
    let routes = Router::new()
        .route("/login", post(transports::both::login))
        .route("/needs-csrf-token", get(transports::both::needs_csrf_token));
    let app = routes.layer(transports::both::layer().unwrap());
    let mut client = Client::new(&app);
    let token = client.send(Method::POST, "/login", &[("authorization", "Bearer")]).await;
    assert!(client.jar.is_empty());
    let token = format!("Bearer {}", token.all("session-id")[0]);
    client.post("/login").await;
    assert_eq!(client.get("/needs-csrf-token").await.body, "true");
    let answer = client.send(Method::GET, "/needs-csrf-token", &[("authorization", &token)]).await;
    assert_eq!(answer.body, "false");
    let answer = client.send(Method::GET, "/needs-csrf-token", &[("authorization", "Bearer")]).await;
    assert_eq!((answer.status, answer.all("www-authenticate")), (StatusCode::UNAUTHORIZED, vec!["Bearer"]));
    let led = Client::new(&app).send(Method::GET, "/needs-csrf-token", &[PAGE]).await;
    assert_eq!(led.all("location"), ["/login?next=%2Fneeds-csrf-token"]);
}

#[tokio::test]
async fn each_scheme_and_each_host_has_its_cookie() {
    use axum::Extension;
    use axum::extract::ConnectInfo;
    let app = with_login(Router::new()).layer(transports::by_scheme::layer().unwrap());
    let cookie = async |peer: &str, headers: &[(&str, &str)]| {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        let mut client = Client::new(&app.clone().layer(Extension(ConnectInfo(peer))));
        client.send(Method::POST, "/login", headers).await.set_cookies()[0].to_owned()
    };
    assert!(cookie("10.1.2.3:80", &[("x-forwarded-proto", "http")]).await.starts_with("sessid="));
    for (peer, scheme) in [("10.1.2.3:80", "https"), ("203.0.113.9:80", "http")] {
        assert!(cookie(peer, &[("x-forwarded-proto", scheme)]).await.starts_with("__Host-sessid="));
    }
    for (host, name) in [("www.shop.example", "__Secure-shop="), ("other.example", "__Host-sessid=")] {
        let mut client = client(transports::by_host::layer());
        let answer = client.send(Method::POST, "/login", &[("host", host)]).await;
        assert!(answer.set_cookies()[0].starts_with(name), "{answer:?}");
    }
}

#[tokio::test]
async fn a_sign_in_has_a_session_of_its_own() {
    let mut client = Client::new(&transports::of_layer::app().unwrap());
    assert_eq!(client.post("/finish").await.status, StatusCode::UNAUTHORIZED);
    let begun = client.post("/begin").await;
    assert!(begun.set_cookies()[0].starts_with("__Host-signin=") && begun.set_cookies()[0].contains("SameSite=None"));
    assert_eq!(client.post("/finish").await.body, "random");
    assert_eq!(client.jar.keys().collect::<Vec<_>>(), ["__Host-sessid"]);
    assert_eq!(client.get("/").await.body, "ann");
}

#[tokio::test]
async fn a_poll_keeps_nobody_signed_in() {
    use std::sync::Arc;
    use std::time::Duration;
    let clock = Arc::new(session_axum::ManualClock::default());
    let layer = SessionLayer::builder(MemoryStore::new()).clock(Arc::clone(&clock)).build().unwrap();
    let app = with_login(Router::new()).layer(layer.clone()).merge(transports::no_use::app(layer));
    let mut client = Client::new(&app);
    client.post("/login").await;
    for _ in 0..2 {
        clock.advance(Duration::from_secs(15 * 60 - 1));
        assert_eq!(client.get("/news").await.status, StatusCode::OK);
        assert_eq!(client.send(Method::GET, "/", &[("x-background", "")]).await.status, StatusCode::OK);
    }
    assert_eq!(client.get("/").await.status, StatusCode::OK);
    clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(client.get("/news").await.status, StatusCode::OK);
    clock.advance(Duration::from_secs(60));
    assert_eq!(client.get("/news").await.status, StatusCode::UNAUTHORIZED);
}
