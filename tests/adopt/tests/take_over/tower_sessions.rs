use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use session_axum::{Adoption, Key, MemoryStore, PostgresStore, RedisStore, SqliteStore, Time};
use tower_sessions::cookie::time::Duration;
use tower_sessions::session::Id;
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_sessions_sqlx_store::sqlx::{PgPool, SqlitePool};
use workspace_tests::client::Client;
use workspace_tests::{PostgresServer, RedisServer};

use crate::code::from_tower_sessions::{layer, recipe, rolling};
use crate::scenario::{self, OldApp, new_app};

async fn login(session: Session, Path(user): Path<String>) {
    session.cycle_id().await.unwrap();
    session.insert("user", &user).await.unwrap();
    session.insert("cart", vec!["apple", &*user]).await.unwrap();
}

async fn who(session: Session) -> String {
    session.get("user").await.unwrap().unwrap_or_else(|| "nobody".to_owned())
}

fn routes() -> Router {
    Router::new()
        .route("/login/{user}", post(login))
        .route("/", get(who))
        .route("/logout", post(async |session: Session| session.flush().await.unwrap()))
}

/// An application on tower-sessions.
fn old_app(store: impl SessionStore + Clone) -> OldApp {
    let layer = SessionManagerLayer::new(store).with_expiry(Expiry::OnInactivity(Duration::days(14)));
    OldApp { app: routes().layer(layer), cookie: "id" }
}

fn signing_app(store: impl SessionStore + Clone, key: &Key) -> OldApp {
    let layer = SessionManagerLayer::new(store).with_signed(key.clone());
    OldApp { app: routes().layer(layer), cookie: "id" }
}

/// The expiry date of a visitor's row.
async fn expiry(store: &impl SessionStore, id: &str) -> Option<Time> {
    let id: Id = id.parse().unwrap();
    store.load(&id).await.unwrap().map(|row| row.expiry_date.into())
}

/// All that must hold on one store of tower-sessions, with a store of ours.
async fn take_over(store: impl SessionStore + Clone, ours: impl session_axum::Store + Clone) {
    let old = old_app(store.clone());
    let new = new_app(ours.clone(), recipe::adoption(store.clone()));
    let row = async |client: &Client| expiry(&store, &client.jar["id"]).await;
    scenario::everybody_stays_signed_in(&old, &new, row).await;
    scenario::a_hundred_first_requests_get_one_session(&old, &new).await;
    scenario::a_logout_ends_both(&old, &new).await;
    let rolling = new_app(ours.clone(), rolling::rolling(recipe::adoption(store.clone()), scenario::end_date()));
    scenario::both_versions_run_side_by_side(&old, &rolling).await;

    let key = Key::generate();
    let signing = signing_app(store.clone(), &key);
    let new = new_app(ours, signed(recipe::adoption(store.clone()), key));
    let row = async |client: &Client| {
        // The signature comes before the id, and ends with an encoded `=`.
        let (_, id) = client.jar["id"].rsplit_once("%3D").or(client.jar["id"].rsplit_once('=')).unwrap();
        expiry(&store, id).await
    };
    scenario::everybody_stays_signed_in(&signing, &new, row).await;
    scenario::a_logout_ends_both(&signing, &new).await;
}

fn signed(adoption: Adoption, key: Key) -> Adoption {
    adoption.signed(key)
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let pool = SqlitePool::connect(&format!("sqlite:{}?mode=rwc", file("old.db"))).await.unwrap();
    let store = tower_sessions_sqlx_store::SqliteStore::new(pool.clone());
    store.migrate().await.unwrap();
    take_over(store.clone(), SqliteStore::open(file("new.db")).await.unwrap()).await;

    let old = old_app(store.clone());
    let before = old.signed_in("ann").await;
    pool.close().await;
    scenario::a_failing_old_store_is_503(&old, &new_app(MemoryStore::new(), recipe::adoption(store)), &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres() {
    let Some(mut server) = PostgresServer::start() else { return };
    let pool = PgPool::connect(&server.url()).await.unwrap();
    let store = tower_sessions_sqlx_store::PostgresStore::new(pool);
    store.migrate().await.unwrap();
    // Both in one database.
    take_over(store.clone(), PostgresStore::connect(&server.url()).await.unwrap()).await;

    let old = old_app(store.clone());
    let before = old.signed_in("ann").await;
    server.kill();
    let new = new_app(MemoryStore::new(), recipe::adoption(store));
    scenario::a_failing_old_store_is_503(&old, &new, &before).await;
    server.restart();
    scenario::is(&mut before.moved_to(&new.0), "ann apple,ann").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_redis() {
    let Some(mut server) = RedisServer::start() else { return };
    let pool = Pool::new(Config::from_url(&server.url()).unwrap(), None, None, None, 2).unwrap();
    let _connections = pool.connect();
    pool.wait_for_connect().await.unwrap();
    let store = tower_sessions_redis_store::RedisStore::new(pool);
    take_over(store.clone(), RedisStore::connect(&server.url()).await.unwrap()).await;

    let old = old_app(store.clone());
    let before = old.signed_in("ann").await;
    server.kill();
    let new = new_app(MemoryStore::new(), recipe::adoption(store));
    scenario::a_failing_old_store_is_503(&old, &new, &before).await;
}

/// The lines of the guide that give the adoption to a layer.
#[tokio::test]
async fn the_layer_of_the_guide_is_built() {
    let store = tower_sessions::MemoryStore::default();
    assert!(layer::layer(MemoryStore::new(), recipe::adoption(store)).is_ok());
}
