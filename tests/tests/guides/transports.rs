use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{ConfigError, MemoryStore, Session, SessionLayer};
use workspace_tests::client::Client;

use crate::code::transports;
use crate::with_login;

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

async fn travels_in_headers(layer: Result<SessionLayer, ConfigError>, response: &str, request: (&str, &str)) {
    let mut client = client(layer);
    let answer = client.post("/login").await;
    assert!(client.jar.is_empty());
    let id = answer.all(response)[0].to_owned();
    let value = format!("{}{id}", request.1);
    let headers = [(request.0, value.as_str())];
    assert_eq!(client.send(Method::GET, "/", &headers).await.status, StatusCode::OK);
    assert_eq!(client.send(Method::POST, "/logout", &headers).await.all(response), [""]);
    assert_eq!(client.send(Method::GET, "/", &headers).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_id_travels_in_headers() {
    travels_in_headers(transports::bearer::layer(), "session-id", ("authorization", "Bearer ")).await;
    travels_in_headers(transports::own::layer(), "x-device-session", ("x-device-session", "")).await;
}
