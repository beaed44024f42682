//! Two processes behind one port. Whichever gets a request finds the visitor's session, because both keep it in Redis.
//!
//! Begin to read in [`app`], which knows nothing of all this. [`everything`] starts Redis, the processes and a proxy.

mod process;
mod proxy;
mod redis;
#[cfg(test)]
mod tests;

use std::env;
use std::net::SocketAddr;

use askama::Template;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONNECTION;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use session_axum::{
    AttrKey, CrossOriginProtection, EndSession, MaybeSession, NewSession, RedisStore, SessionError, SessionLayer,
    SignedIn,
};
use tokio::net::TcpListener;

use process::Process;
use redis::Redis;

/// How large a form may be. So no name is larger either.
const MAX_FORM_BYTES: usize = 2048;

const VISITS: AttrKey<u32> = AttrKey::new("Visits");

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    /// The number of the process, as the system has it.
    process: u32,
    visitor: Option<(String, u32)>,
}

#[derive(Deserialize)]
struct Login {
    user: String,
}

/// Counts the visits of whoever is signed in. The count is right whichever process a visit comes to, also if they come at
/// the same moment.
async fn show(State(process): State<u32>, user: Option<SignedIn>) -> Result<impl IntoResponse, SessionError> {
    let visitor = match user {
        Some(user) => {
            let visits = user.update_attr(VISITS, |visits| visits.unwrap_or(0) + 1).await?;
            Some((user.principal().to_owned(), visits))
        }
        None => None,
    };
    let html = Page { process, visitor }.render().expect("the page only has texts and numbers");
    // The next visit opens another connection, which goes to the other process. Without this line, browsers stay at one.
    Ok(([(CONNECTION, "close")], Html(html)))
}

async fn sign_in(visitor: MaybeSession, Form(login): Form<Login>) -> Result<Redirect, SessionError> {
    // The example `login` shows what belongs here: a password.
    if !login.user.is_empty() {
        visitor.start(NewSession::new().principal(login.user))?;
    }
    Ok(Redirect::to("/"))
}

async fn sign_out(ending: EndSession) -> Redirect {
    ending.end();
    Redirect::to("/")
}

fn app(layer: SessionLayer, process: u32) -> Router {
    Router::new()
        .route("/", get(show))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(CrossOriginProtection::new())
        .layer(layer)
        .with_state(process)
}

/// What each of the two processes does: it serves the application, and says where.
async fn one_process(redis: &str) -> anyhow::Result<()> {
    // Both have the same settings. HTTP is for development only.
    let layer = SessionLayer::builder(RedisStore::connect(redis).await?).allow_http().build()?;
    let app = app(layer, std::process::id());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    process::announce(listener.local_addr()?)?;
    axum::serve(listener, app).with_graceful_shutdown(process::parent_is_gone()).await?;
    Ok(())
}

/// What the command does: it starts everything, and passes connections on to the two processes by turns.
async fn everything(port: &str) -> anyhow::Result<()> {
    let redis = match env::var("REDIS_URL") {
        Ok(address) => Redis::at(address),
        Err(_) => Redis::start().await?,
    };
    let processes = [Process::start(redis.address()).await?, Process::start(redis.address()).await?];
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    process::announce(listener.local_addr()?)?;
    let addresses: Vec<SocketAddr> = processes.iter().map(Process::address).collect();
    tokio::select! {
        served = proxy::serve(listener, addresses) => Ok(served?),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [process::ROLE, redis] => one_process(redis).await,
        [port] => everything(port).await,
        _ => everything("3000").await,
    }
}
