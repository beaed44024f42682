//! Other clients than the kit's own.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use session_axum::HeaderTransport;
use session_axum::testing::SessionEffect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::*;

/// P1.
#[tokio::test]
async fn a_request_for_oneshot_is_signed_in_by_one_line() {
    let (sessions, layer, app) = plain_shop();
    let mut ann = sessions.sign_in(&layer, ann()).await;

    let request = ann.attach(Request::get("/").body(Body::empty()).unwrap());
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(to_bytes(response.into_body(), usize::MAX).await.unwrap(), "ann");

    let (name, value) = ann.header("/");
    let request = Request::get("/").header(name, value).body(Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::OK);

    let request = ann.attach(Request::post("/logout").body(Body::empty()).unwrap());
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(SessionEffect::of(&response), SessionEffect::Ended);
    ann.keep("/logout", response.headers());
    let request = ann.attach(Request::get("/").body(Body::empty()).unwrap());
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

/// A client that knows nothing of the kit, and takes a header over a real connection. Returns the head of the response.
async fn over_tcp(app: &Router, path: &str, (name, value): (HeaderName, HeaderValue)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut connection = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = tokio::spawn(axum::serve(listener, app.clone()).into_future());
    let value = value.to_str().unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{name}: {value}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).await.unwrap();
    server.abort();
    response
}

/// P1. Over plain HTTP too, where a browser's own jar would drop the cookie.
#[tokio::test]
async fn a_client_that_takes_a_name_and_a_value_is_signed_in() {
    let (sessions, layer, app) = plain_shop();
    let before = layer.manager().counters();
    let ann = sessions.sign_in(&layer, ann()).await;
    let response = over_tcp(&app, "/", ann.header("/")).await;
    assert!(response.starts_with("HTTP/1.1 200") && response.ends_with("ann"), "{response}");
    // What a response that came over a network did, the counters tell.
    assert_eq!(layer.manager().counters().created, before.created + 1);

    let layer = sessions.layer().transport(HeaderTransport::bearer()).build().unwrap();
    let header = sessions.sign_in(&layer, super::ann()).await.header("/");
    let response = over_tcp(&shop(layer), "/", header).await;
    assert!(response.starts_with("HTTP/1.1 200") && response.ends_with("ann"), "{response}");
}
