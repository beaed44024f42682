use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{NewSession, Session, SessionError, SessionLayer};
use workspace_tests::client::Client;

use crate::code::settings;
use crate::{PAGE, with_login};

async fn home(_: Session) {}

fn app(layer: SessionLayer) -> Router {
    with_login(Router::new().route("/", get(home))).layer(layer)
}

#[tokio::test]
async fn the_layer_has_the_settings_that_are_shown() {
    let layer = settings::layer::layer().unwrap();
    let sessions = layer.manager().clone();
    let app = app(layer);
    let mut client = Client::new(&app);
    assert_eq!(client.send(Method::GET, "/", &[PAGE]).await.all("location"), ["/login?next=%2F"]);

    let answer = client.post("/login").await;
    let cookie = answer.set_cookies()[0];
    assert!(cookie.starts_with("__Host-shop=") && cookie.contains("SameSite=Strict"), "{cookie}");
    for _ in 0..5 {
        // Of logins within one tick of the clock, one too many may stay until the next login.
        let before = sessions.now();
        while sessions.now() == before {
            tokio::task::yield_now().await;
        }
        Client::new(&app).post("/login").await;
    }
    let records = sessions.sessions_of("ann").await.unwrap();
    assert_eq!(records.len(), 5);
    assert_eq!(records[0].idle_timeout, Duration::from_secs(15 * 60));
}

#[tokio::test]
async fn the_observer_counts_logins_and_the_sessions_of_users_that_end() {
    let (logins, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let layer = settings::observer::layer(Arc::clone(&logins), Arc::clone(&ended)).unwrap();
    let sessions = layer.manager().clone();
    let counted = || (logins.load(Ordering::Relaxed), ended.load(Ordering::Relaxed));
    let stranger = sessions.create(NewSession::new()).await.unwrap();
    sessions.end(&stranger.handle()).await.unwrap();
    let ann = sessions.create(NewSession::new().principal("ann")).await.unwrap();
    sessions.end_one_of("ann", &ann.handle()).await.unwrap();
    assert_eq!(counted(), (1, 1));
    for _ in 0..2 {
        sessions.create(NewSession::new().principal("ann")).await.unwrap();
    }
    sessions.end_all_of("ann").await.unwrap();
    assert_eq!(counted(), (3, 3));
    let renew = post(async |sess: Session| sess.renew_id().map_err(SessionError::from));
    let app = with_login(Router::new().route("/renew", renew)).layer(layer);
    let mut client = Client::new(&app);
    for _ in 0..3 {
        client.post("/login").await;
    }
    assert_eq!(client.post("/renew").await.status, StatusCode::OK);
    assert_eq!(counted(), (6, 3), "each login, though it replaces a session, and no new id");
}

#[tokio::test]
async fn a_manager_can_be_shared() {
    let (sessions, layer) = settings::shared::layer().unwrap();
    let mut client = Client::new(&app(layer));
    client.post("/login").await;
    assert_eq!(sessions.sessions_of("ann").await.unwrap().len(), 1);
}

#[tokio::test]
async fn layers_go_around_the_session_layer() {
    async fn panicking(sess: Session) {
        sess.set_attr("Half", &true).unwrap();
        panic!("on purpose");
    }
    async fn half(sess: Session) -> String {
        format!("{:?}", sess.attr::<bool>("Half").unwrap())
    }
    let routes = Router::new().route("/panic", get(panicking)).route("/", get(half));
    let mut client = Client::new(&settings::order::with_layers(with_login(routes)));
    client.post("/login").await;
    assert_eq!(client.get("/panic").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(client.get("/").await.body, "None");
}

#[tokio::test]
async fn a_page_that_is_the_same_for_everybody_may_be_public() {
    let app = with_login(Router::new().route("/news", get(settings::public::news)));
    let mut client = Client::new(&app.layer(SessionLayer::new(session_axum::MemoryStore::new())));
    client.post("/login").await;
    assert_eq!(client.get("/news").await.all("cache-control"), ["public, max-age=60"]);
}
