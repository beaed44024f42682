use std::convert::Infallible;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use session_axum::{MemoryStore, NewSession, SessionLayer};
use tower::{Layer, ServiceExt, service_fn};

use crate::code::without_http;

#[tokio::test]
async fn a_manager_does_without_requests() {
    without_http::manager::example().await.unwrap();
}

#[tokio::test]
async fn a_tower_service_has_sessions() {
    let layer = SessionLayer::builder(MemoryStore::new()).allow_http().build().unwrap();
    let sess = layer.manager().create(NewSession::new().principal("ann")).await.unwrap();
    let ask = |cookie: String| {
        let request = Request::builder().header("cookie", cookie).body(Body::empty()).unwrap();
        layer.layer(service_fn(without_http::tower::service)).oneshot(request)
    };
    let status = |answer: Result<Response<Body>, Infallible>| answer.unwrap().status();
    assert_eq!(status(ask(format!("sessid={}", sess.id().as_str())).await), StatusCode::OK);
    assert_eq!(status(ask(String::new()).await), StatusCode::UNAUTHORIZED);
}
