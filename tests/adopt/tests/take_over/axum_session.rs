use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use axum_session::{Session, SessionConfig, SessionLayer, SessionStore};
use axum_session_sqlx::SessionSqlitePool;
use session_axum::{MemoryStore, SqliteStore, Time};
use sqlx::SqlitePool;
use workspace_tests::client::Client;

use crate::code::from_axum_session::{layer, recipe};
use crate::code::from_tower_sessions::rolling::rolling;
use crate::scenario::{self, OldApp, new_app};

type OldSession = Session<SessionSqlitePool>;

async fn login(session: OldSession, Path(user): Path<String>) {
    session.renew();
    session.set("user", &user);
    session.set("cart", vec!["apple", &*user]);
}

async fn who(session: OldSession) -> String {
    session.get("user").unwrap_or_else(|| "nobody".to_owned())
}

/// An application on axum_session, which keeps nothing in memory.
async fn old_app(pool: &SqlitePool) -> OldApp {
    let config = SessionConfig::default().with_memory_lifetime(Default::default());
    let store = SessionStore::<SessionSqlitePool>::new(Some(pool.clone().into()), config).await.unwrap();
    let routes = Router::new()
        .route("/login/{user}", post(login))
        .route("/", get(who))
        .route("/logout", post(async |session: OldSession| session.destroy()));
    OldApp { app: routes.layer(SessionLayer::new(store)), cookie: "session" }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlx() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let pool = SqlitePool::connect(&format!("sqlite:{}?mode=rwc", file("old.db"))).await.unwrap();
    let old = old_app(&pool).await;
    let ours = SqliteStore::open(file("new.db")).await.unwrap();
    let new = new_app(ours.clone(), recipe::adoption(pool.clone()));
    let row = async |client: &Client| {
        let query = sqlx::query_scalar("SELECT expires FROM sessions WHERE id = $1");
        let expires: Option<i64> = query.bind(&client.jar["session"]).fetch_optional(&pool).await.unwrap();
        expires.map(|seconds| Time::from_unix_millis(seconds * 1000))
    };
    scenario::everybody_stays_signed_in(&old, &new, row).await;
    scenario::a_hundred_first_requests_get_one_session(&old, &new).await;
    scenario::a_logout_ends_both(&old, &new).await;
    let both = new_app(ours, rolling(recipe::adoption(pool.clone()), scenario::end_date()));
    scenario::both_versions_run_side_by_side(&old, &both).await;

    let before = old.signed_in("ann").await;
    pool.close().await;
    scenario::a_failing_old_store_is_503(&old, &new, &before).await;
}

/// The lines of the guide that give the adoption to a layer.
#[tokio::test]
async fn the_layer_of_the_guide_is_built() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    assert!(layer::layer(MemoryStore::new(), recipe::adoption(pool)).is_ok());
}
