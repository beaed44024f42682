//! Calls the provider by HTTPS.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use tokio::time::timeout;

/// How long the provider may take, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 256 * 1024;

/// Follows no redirect, so that nothing but the provider is asked.
#[derive(Clone)]
pub struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    pub fn new() -> io::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
            .https_or_http() // `openid` allows HTTP to this machine alone.
            .enable_http1()
            .build();
        Ok(HttpClient(Client::builder(TokioExecutor::new()).build(connector)))
    }

    pub async fn send(&self, request: HttpRequest) -> io::Result<HttpResponse> {
        timeout(PATIENCE, self.whole(request)).await?
    }

    async fn whole(&self, request: HttpRequest) -> io::Result<HttpResponse> {
        let request = request.map(|body| Full::from(Bytes::from(body)));
        let (head, body) = self.0.request(request).await.map_err(io::Error::other)?.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(io::Error::other)?;
        Ok(HttpResponse::from_parts(head, body.to_bytes().into()))
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<HttpResponse>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
