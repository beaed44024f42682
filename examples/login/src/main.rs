//! Sign up, sign in with a password, be remembered, change the password, sign out. Users and sessions are in SQLite.
//!
//! Begin to read in [`app`]. Signing in is in [`sign_in`], and what a user can do afterwards in [`account`].

mod account;
mod attempts;
mod passwords;
mod problem;
mod sign_in;
mod state;
#[cfg(test)]
mod tests;
mod users;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use session_axum::{ConfigError, CrossOriginProtection, SessionLayer, SessionLayerBuilder, SqliteStore, Store};
use tokio::net::TcpListener;

use attempts::Attempts;
use state::App;
use users::Users;

/// How large a form may be. So no name and no password is larger either.
const MAX_FORM_BYTES: usize = 2048;

fn session_layer(builder: SessionLayerBuilder<impl Store>) -> Result<SessionLayer, ConfigError> {
    builder.sign_in_page("/sign-in").never_return_to(["/sign-up", "/sign-out"]).build()
}

fn app(sessions: SessionLayer, users: Users) -> Router {
    let state = App { users, attempts: Attempts::default(), sessions: sessions.manager().clone() };
    Router::new()
        .route("/", get(account::home))
        .route("/password", post(account::change_password))
        .route("/sign-out", post(account::sign_out))
        .route("/sign-out-everywhere", post(account::sign_out_everywhere))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-up", get(sign_in::page).post(sign_in::sign_up))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(CrossOriginProtection::new()) // Also of the forms for whoever is not signed in yet.
        .layer(sessions)
        .with_state(state)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let file = std::env::args().nth(1).unwrap_or_else(|| "login.db".to_owned());
    let store = SqliteStore::open(&file).await?; // Makes a file that only its owner can read.
    let sessions = session_layer(SessionLayer::builder(store).allow_http())?; // HTTP is for development only.
    let manager = sessions.manager().clone();
    let app = app(sessions, Users::open(&file).await?);
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    tracing::info!("open http://{}; users and sessions are in {file}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(async { _ = tokio::signal::ctrl_c().await }).await?;
    manager.close().await?; // Waits for what is still being written.
    Ok(())
}
