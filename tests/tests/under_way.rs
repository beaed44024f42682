//! Requests under way while their session is renewed, ends, or expires: through the router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{
    EndSession, ManualClock, MaybeSession, MemoryStore, NewSession, Session, SessionError, SessionLayer, SessionManager,
};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use tokio::sync::Notify;
use workspace_tests::client::{Answer, Client};
use workspace_tests::kinds_of_stores;

const SECOND: Duration = Duration::from_secs(1);

/// Handlers that wait until a test lets them go on.
#[derive(Clone, Default)]
struct Held(Arc<Notify>, Arc<Notify>);

impl Held {
    async fn wait(&self) {
        self.0.notify_one();
        self.1.notified().await;
    }

    async fn until_it_waits(&self) {
        self.0.notified().await;
    }

    fn let_go(&self) {
        self.1.notify_one();
    }
}

fn routes(held: &Held) -> Router {
    let (slow, held_logout) = (held.clone(), held.clone());
    Router::new()
        .route(
            "/login",
            post(async |visitor: MaybeSession| visitor.start(NewSession::new().principal("ann")).map(drop)),
        )
        .route("/renew", post(async |sess: Session| sess.renew_id().map_err(SessionError::from)))
        .route("/read", get(async |sess: Session| format!("{:?}", sess.attr::<u32>("Uploaded").unwrap_or_default())))
        .route("/logout", post(async |ending: EndSession| ending.end()))
        .route(
            "/upload",
            post(async move |sess: Session| {
                slow.wait().await;
                sess.set_attr("Uploaded", &1).map_err(SessionError::from)
            }),
        )
        .route(
            "/slow-logout",
            post(async move |sess: Session| {
                held_logout.wait().await;
                sess.remove();
            }),
        )
}

struct World {
    app: Router,
    sessions: SessionManager,
    clock: Arc<ManualClock>,
    store: FaultyStore,
    held: Held,
}

/// With a store that answers at once, and one that is waited for.
fn worlds() -> [World; 2] {
    [FaultyStore::at_once(MemoryStore::new()), FaultyStore::new(MemoryStore::new())].map(|store| {
        let (clock, held) = (Arc::new(ManualClock::default()), Held::default());
        let layer = SessionLayer::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
        let layer = layer.build().expect("the settings work");
        let sessions = layer.manager().clone();
        World { app: routes(&held).layer(layer), sessions, clock, store, held }
    })
}

impl World {
    async fn signed_in(&self) -> Client {
        let mut client = Client::new(&self.app);
        assert_eq!(client.post("/login").await.status, StatusCode::OK);
        client
    }

    /// Sends a request whose handler waits, and does something meanwhile.
    async fn during<T>(&self, client: &Client, path: &str, meanwhile: impl AsyncFnOnce() -> T) -> (Answer, T) {
        let mut sender = client.clone();
        let path = path.to_owned();
        let request = tokio::spawn(async move { sender.post(&path).await });
        self.held.until_it_waits().await;
        let done = meanwhile().await;
        self.held.let_go();
        (request.await.expect("no panic"), done)
    }
}

#[tokio::test]
async fn an_upload_under_way_arrives_in_the_renewed_session_and_sets_no_cookie() {
    for world in worlds() {
        let mut client = world.signed_in().await;
        let old = client.clone();
        let (answer, ()) = world
            .during(&old, "/upload", async || {
                client.post("/renew").await;
            })
            .await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 0));
        assert_eq!(client.get("/read").await.body, "Some(1)");
        assert_eq!(old.clone().get("/read").await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn an_upload_under_way_does_not_follow_a_login_and_is_told_of() {
    for world in worlds() {
        let mut client = world.signed_in().await;
        let old = client.clone();
        let (answer, ()) = world
            .during(&old, "/upload", async || {
                client.post("/login").await;
            })
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(client.get("/read").await.body, "None");
        assert_eq!(world.sessions.counters().lost_changes, 1);
    }
}

/// T50. They turn a request away like anything else.
#[tokio::test]
async fn lost_changes_have_the_status_that_the_application_wants() {
    for kind in kinds_of_stores().await {
        for (status, reason) in [(StatusCode::UNAUTHORIZED, "session_ended"), (StatusCode::CONFLICT, "changes_lost")] {
            let held = Held::default();
            let layer = SessionLayer::builder(kind.store.clone()).lost_changes_status(status).sign_in_page("/login");
            let layer = layer.build().unwrap();
            let world = World {
                app: routes(&held).layer(layer.clone()),
                sessions: layer.manager().clone(),
                clock: Arc::default(),
                store: FaultyStore::new(MemoryStore::new()),
                held,
            };
            let client = world.signed_in().await;
            let (answer, ended) =
                world.during(&client, "/upload", async || world.sessions.end_all_of("ann").await).await;
            assert_eq!(ended.unwrap(), 1);
            assert_eq!((answer.status, answer.set_cookies().len()), (status, 0));
            assert_eq!(answer.all("content-type"), ["application/problem+json"]);
            assert!(answer.body.contains(reason), "{}", answer.body);
            assert_eq!(world.sessions.counters().lost_changes, 1);
        }
    }
}

#[tokio::test]
async fn a_logout_under_the_old_id_ends_the_renewed_session() {
    for world in worlds() {
        for path in ["/logout", "/slow-logout"] {
            let mut client = world.signed_in().await;
            let old = client.clone();
            let answer = if path == "/logout" {
                client.post("/renew").await;
                world.clock.advance(59 * SECOND);
                old.clone().post(path).await
            } else {
                let renew = async || {
                    client.post("/renew").await;
                };
                world.during(&old, path, renew).await.0
            };
            assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 1), "{path}");
            assert_eq!(client.get("/read").await.status, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
}

#[tokio::test]
async fn a_logout_turns_nobody_away_and_tells_strangers_nothing() {
    for world in worlds() {
        let stranger = Client::new(&world.app).post("/logout").await;
        assert_eq!((stranger.status, stranger.set_cookies().len()), (StatusCode::OK, 0));
        let mut client = world.signed_in().await;
        let again = client.clone();
        assert_eq!(client.post("/logout").await.set_cookies().len(), 1);
        let answer = again.clone().post("/logout").await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 0), "it had ended");
        assert_eq!(world.store.faults().calls(Operation::Load), 0, "a logout loads nothing");
    }
}

#[tokio::test]
async fn a_logout_that_fails_is_told() {
    for world in worlds() {
        let mut client = world.signed_in().await;
        world.store.faults().fail_every(&[Operation::Delete], Fault::Refused);
        let answer = client.post("/logout").await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        world.store.faults().recover();
        assert_eq!(client.post("/logout").await.status, StatusCode::OK);
        assert_eq!(client.get("/read").await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_logout_ends_every_session_that_the_request_presents() {
    for world in worlds() {
        for path in ["/logout", "/slow-logout", "/login"] {
            let mut ids = Vec::new();
            for _ in 0..2 {
                ids.push(world.sessions.create(NewSession::new().principal("ann")).await.unwrap().id());
            }
            let cookies = ids.iter().map(|id| format!("__Host-sessid={}", id.as_str())).collect::<Vec<_>>().join("; ");
            let (app, held) = (world.app.clone(), world.held.clone());
            let request =
                tokio::spawn(async move { Client::new(&app).send(Method::POST, path, &[("cookie", &cookies)]).await });
            if path == "/slow-logout" {
                held.until_it_waits().await;
                held.let_go();
            }
            assert_eq!(request.await.unwrap().status, StatusCode::OK);
            for id in &ids {
                assert!(world.sessions.get(id.as_str()).await.unwrap().is_none(), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_longer_than_the_time_left_keeps_its_session() {
    for world in worlds() {
        let client = world.signed_in().await;
        world.clock.advance(29 * 60 * SECOND);
        let (answer, ()) = world
            .during(&client, "/upload", async || {
                while world.store.faults().calls(Operation::Touch) == 0 {
                    tokio::task::yield_now().await;
                }
                world.clock.advance(12 * 60 * SECOND);
            })
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(client.clone().get("/read").await.body, "Some(1)");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_longer_than_the_idle_timeout_keeps_its_session_for_one_more() {
    for world in worlds() {
        let client = world.signed_in().await;
        let (answer, ()) = world
            .during(&client, "/upload", async || {
                // The clock of the world goes with that of the timers.
                for _ in 0..58 {
                    tokio::time::sleep(60 * SECOND).await;
                    world.clock.advance(60 * SECOND);
                    tokio::task::yield_now().await;
                }
            })
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(client.clone().get("/read").await.body, "Some(1)");
    }
}

#[tokio::test]
async fn a_panic_in_a_spawned_task_drops_nothing_that_the_handler_did() {
    let spawning = async |sess: Session| {
        sess.set_attr("Uploaded", &1)?;
        let theirs = sess.clone();
        let task = tokio::spawn(async move {
            let _held = theirs;
            panic!("a task of the application's own");
        });
        assert!(task.await.is_err());
        Ok::<_, SessionError>(())
    };
    for world in worlds() {
        let layer = SessionLayer::new(world.sessions.clone());
        let app = world.app.clone().merge(Router::new().route("/spawn", post(spawning)).layer(layer));
        let mut client = world.signed_in().await.moved_to(&app);
        assert_eq!(client.post("/spawn").await.status, StatusCode::OK);
        assert_eq!(client.get("/read").await.body, "Some(1)");
    }
}

#[tokio::test]
async fn a_panic_of_the_handler_still_drops_what_it_did() {
    let panicking = async |sess: Session| -> Result<(), SessionError> {
        sess.set_attr("Uploaded", &1)?;
        panic!("in the handler");
    };
    for world in worlds() {
        let inside = tower_http::catch_panic::CatchPanicLayer::new();
        let layer = SessionLayer::new(world.sessions.clone());
        let panicking = Router::new().route("/panic", post(panicking)).layer(inside).layer(layer);
        let app = world.app.clone().merge(panicking);
        let mut client = world.signed_in().await.moved_to(&app);
        assert_eq!(client.post("/panic").await.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(client.get("/read").await.body, "None");
    }
}
