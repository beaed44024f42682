//! Requests that are no use of the session.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use session_axum::{CrossOriginProtection, ManualClock, NoUse, RequireSignedIn, SessionLayer, Store};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);

async fn unless_asked(mut request: Request, next: Next) -> Response {
    if request.headers().contains_key("x-poll") {
        request.extensions_mut().insert(NoUse);
    }
    next.run(request).await
}

struct World {
    app: Router,
    clock: Arc<ManualClock>,
}

impl World {
    /// An application whose session ends after 30 minutes without use. `/poll` is none.
    fn new(store: impl Store) -> Self {
        let clock = Arc::new(ManualClock::default());
        let layer = SessionLayer::builder(store).clock(Arc::clone(&clock)).without_background_purge().build().unwrap();
        let polls = Router::new().route("/poll", get(user)).route("/poll/count", get(count)).layer(NoUse);
        let guarded = Router::new().route("/poll/guarded", get(user)).layer(RequireSignedIn::new()).layer(NoUse);
        let protected =
            Router::new().route("/poll/protected", get(user)).layer(NoUse).layer(CrossOriginProtection::new());
        let app = routes().route("/poll/again", get(user).layer(NoUse)).merge(polls).merge(guarded).merge(protected);
        let inside = app.clone().layer(from_fn(unless_asked)).layer(layer.clone());
        let outside = app.layer(layer).layer(from_fn(unless_asked));
        World { app: Router::new().nest("/inside", inside).nest("/outside", outside), clock }
    }

    async fn visitor(&self) -> Client {
        let mut client = Client::new(&self.app);
        assert_eq!(client.post("/inside/login").await.status, StatusCode::OK);
        client
    }
}

/// T11.
#[tokio::test]
async fn a_page_that_only_polls_keeps_nobody_signed_in() {
    on_each_store(async |store| {
        for (path, headers) in [
            ("/inside/poll", &[][..]),
            ("/inside/poll/again", &[]),
            ("/inside/poll/guarded", &[]),
            ("/inside/poll/protected", &[]),
            ("/inside/user", &[("x-poll", "")]),
            ("/outside/user", &[("x-poll", "")]),
        ] {
            let world = World::new(store.clone());
            let mut visitor = world.visitor().await;
            for _ in 0..29 {
                world.clock.advance(MINUTE);
                let answer = visitor.send(Method::GET, path, headers).await;
                assert_eq!((answer.body.as_str(), answer.set_cookies()), ("ann", vec![]), "{path}");
            }
            world.clock.advance(MINUTE - MILLISECOND);
            assert_eq!(visitor.send(Method::GET, path, headers).await.body, "ann", "{path}");
            world.clock.advance(MILLISECOND);
            let last = visitor.send(Method::GET, path, headers).await;
            assert!(last.body == "nobody" || last.status == StatusCode::UNAUTHORIZED, "{path}: {last:?}");
        }
    })
    .await;
}

/// T11. Any other request is a use, also between polls.
#[tokio::test]
async fn a_request_that_is_a_use_moves_the_deadline() {
    on_each_store(async |store| {
        let world = World::new(store);
        let mut visitor = world.visitor().await;
        for _ in 0..4 {
            world.clock.advance(29 * MINUTE);
            assert_eq!(visitor.get("/inside/poll").await.body, "ann");
            // It saves, so its use is stored when it is answered.
            assert_eq!(visitor.get("/inside/count").await.status, StatusCode::OK);
        }
        world.clock.advance(30 * MINUTE);
        assert_eq!(visitor.get("/inside/user").await.body, "nobody");
    })
    .await;
}

/// T12.
#[tokio::test]
async fn what_a_poll_changes_is_saved_and_moves_no_deadline() {
    on_each_store(async |store| {
        let world = World::new(store);
        let mut visitor = world.visitor().await;
        for visit in 1..30 {
            world.clock.advance(MINUTE);
            assert_eq!(visitor.get("/inside/poll/count").await.body, visit.to_string());
        }
        world.clock.advance(MINUTE - MILLISECOND);
        assert_eq!(visitor.get("/inside/poll/count").await.body, "30");
        world.clock.advance(MILLISECOND);
        assert_eq!(visitor.get("/inside/poll/count").await.status, StatusCode::UNAUTHORIZED);
    })
    .await;
}
