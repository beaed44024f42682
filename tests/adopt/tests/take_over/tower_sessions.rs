use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use session_axum::{Adoption, Key, MemoryStore, PostgresStore, RedisStore, SessionLayer, SqliteStore, Time};
use tower_sessions::cookie::time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_sessions_sqlx_store::sqlx::{PgPool, SqlitePool};
use workspace_tests::client::Client;
use workspace_tests::{PostgresServer, RedisServer};

use crate::code::from_tower_sessions::{layer, old_release, recipe, rolling, rolling_layer, timeouts, watch};
use crate::scenario::{self, OURS, OldApp, new_app};

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
    // Both in one file.
    take_over(store.clone(), SqliteStore::open(file("old.db")).await.unwrap()).await;

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
    assert!(layer::layer(MemoryStore::new(), recipe::adoption(store.clone())).is_ok());
    assert!(timeouts::on_inactivity(MemoryStore::new(), recipe::adoption(store.clone())).is_ok());
    assert!(timeouts::at_date_time(MemoryStore::new(), recipe::adoption(store)).is_ok());

    let folder = tempfile::tempdir().unwrap();
    let new = SqliteStore::open(folder.path().join("app.db")).await.unwrap();
    let old = tower_sessions_sqlx_store::SqliteStore::new(SqlitePool::connect("sqlite::memory:").await.unwrap());
    let end_date = (OffsetDateTime::now_utc() + Duration::days(7)).into();
    assert!(rolling_layer::layer(new, old, end_date, Arc::default()).is_ok());
}

/// A visitor with a session of tower-sessions that has this value as its user.
async fn visitor_of(store: &impl SessionStore, app: &Router, user: Option<Value>) -> Client {
    let data = user.map(|user| ("user".to_owned(), user)).into_iter().collect();
    let mut row = Record { id: Id::default(), data, expiry_date: OffsetDateTime::now_utc() + Duration::days(1) };
    store.create(&mut row).await.unwrap();
    let mut client = Client::new(app);
    client.jar.insert("id".to_owned(), row.id.to_string());
    client
}

/// The recipe knows users that are texts, numbers and objects, and tells of others; the observer tells users and strangers
/// apart.
#[tokio::test]
async fn a_user_is_taken_over_or_the_row_stays() {
    let store = tower_sessions::MemoryStore::default();
    let taken_over = Arc::new(watch::TakenOver::default());
    let layer = SessionLayer::builder(MemoryStore::new()).adopt(recipe::adoption(store.clone()));
    let layer = layer.observer(watch::counting(Arc::clone(&taken_over))).build().unwrap();
    let app = Router::new().route("/", get(scenario::who)).layer(layer);
    for (user, seen) in [(json!("ann"), "ann"), (json!(42), "42"), (json!({"id": 43, "name": "Eve"}), "43")] {
        scenario::is(&mut visitor_of(&store, &app, Some(user)).await, seen).await;
    }
    scenario::is(&mut visitor_of(&store, &app, None).await, "").await;
    for user in [Value::Null, json!(true), json!(["ann"]), json!({"name": "Eve"})] {
        let mut client = visitor_of(&store, &app, Some(user)).await;
        let answer = client.get("/").await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        assert!(expiry(&store, &client.jar["id"]).await.is_some());
    }
    let counts = [&taken_over.users, &taken_over.strangers].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts, [3, 1]);
}

/// The old release of a rolling change removes our cookie. The session stays at the server.
#[tokio::test]
async fn the_old_release_removes_our_cookie() {
    let store = tower_sessions::MemoryStore::default();
    let sign_in = async |session: Session, user: Path<String>| {
        login(session, user).await;
        old_release::without_new_session(StatusCode::OK)
    };
    let routes = Router::new()
        .route("/login/{user}", post(sign_in))
        .route("/", get(who))
        .route("/logout", post(old_release::logout));
    let old = OldApp { app: routes.layer(SessionManagerLayer::new(store.clone())), cookie: "id" };
    let adoption = rolling::rolling(recipe::adoption(store), scenario::end_date());
    let (app, sessions) = new_app(MemoryStore::new(), adoption);

    let mut visitor = old.signed_in("ann").await.moved_to(&app);
    scenario::is(&mut visitor, "ann apple,ann").await;
    let mut visitor = visitor.moved_to(&old.app);
    assert_eq!(visitor.post("/login/bob").await.status, StatusCode::OK);
    assert!(!visitor.jar.contains_key(OURS) && visitor.jar.contains_key("id"));
    let mut visitor = visitor.moved_to(&app);
    scenario::is(&mut visitor, "bob apple,bob").await;

    let mut visitor = visitor.moved_to(&old.app);
    assert_eq!(visitor.post("/logout").await.status, StatusCode::SEE_OTHER);
    assert!(visitor.jar.is_empty(), "{:?}", visitor.jar);
    scenario::is(&mut visitor.moved_to(&app), "nobody").await;
    assert_eq!(sessions.sessions_of("bob").await.unwrap().len(), 1);
}
