//! How the id travels where a request decides it, and whose session a handler gets: T1 to T12 of the requirements.

mod by_host;
mod by_scheme;
mod cookie_or_bearer;
mod no_use;
mod of_layer;
mod own;

use axum::Router;
use axum::http::{Method, header};
use axum::routing::{get, post};
use session_axum::{AnyStore, EndSession, MaybeSession, MemoryStore, NewSession, Session, SessionError};
use workspace_tests::client::{Answer, Client};

/// Runs a test on the store in memory, and on one of bytes.
async fn on_each_store(test: impl AsyncFn(AnyStore)) {
    test(AnyStore::new(MemoryStore::new())).await;
    #[cfg(feature = "sqlite")]
    {
        let folder = tempfile::tempdir().unwrap();
        let store = session_axum::SqliteStore::open(folder.path().join("sessions.db")).await.unwrap();
        test(AnyStore::new(store)).await;
    }
}

async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal("ann")).map(drop)
}

async fn user(sess: Option<Session>) -> String {
    sess.and_then(|sess| sess.principal()).map_or("nobody".to_owned(), |user| user.to_string())
}

async fn count(sess: Session) -> Result<String, SessionError> {
    Ok(sess.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await?.to_string())
}

async fn is_by_bearer(sess: Session) -> String {
    sess.is_by_bearer().to_string()
}

async fn renew(sess: Session) -> Result<(), SessionError> {
    Ok(sess.renew_id()?)
}

async fn logout(ending: EndSession) {
    ending.end();
}

fn routes() -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/user", get(user))
        .route("/count", get(count))
        .route("/by-bearer", get(is_by_bearer))
        .route("/renew", post(renew))
        .route("/logout", post(logout))
}

/// A client whose every request has the same headers.
struct With<'a> {
    client: Client,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> With<'a> {
    fn headers(app: &Router, headers: &[(&'a str, &'a str)]) -> Self {
        With { client: Client::new(app), headers: headers.to_vec() }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.client.send(Method::GET, path, &self.headers).await
    }

    async fn post(&mut self, path: &str) -> Answer {
        self.client.send(Method::POST, path, &self.headers).await
    }
}

/// The headers of a request with these values of `Authorization`.
fn authorized<'a>(values: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    values.iter().map(|value| (header::AUTHORIZATION.as_str(), *value)).collect()
}
