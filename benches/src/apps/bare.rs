//! Floors: axum alone, and with a layer that does nothing.

use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use tower::{Layer, Service};

pub fn router() -> Router {
    Router::new()
        .route("/plain", get(async || "hello"))
        .route("/read", get(async || 7.to_string()))
        .route("/set", get(async || "hello"))
        .route("/count", get(async || 7.to_string()))
        .route("/login", get(async || "hello"))
        .route("/logout", get(async || "hello"))
}

pub fn router_with_layer() -> Router {
    router().layer(Nothing)
}

#[derive(Clone)]
struct Nothing;

#[derive(Clone)]
struct NothingService<S>(S);

impl<S> Layer<S> for Nothing {
    type Service = NothingService<S>;

    fn layer(&self, inner: S) -> NothingService<S> {
        NothingService(inner)
    }
}

impl<S: Service<Request>> Service<Request> for NothingService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.0.call(request)
    }
}
