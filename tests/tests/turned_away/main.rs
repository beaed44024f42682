//! What requests are answered that get no further, and the way there and back.

mod answers;
mod freshness;
mod guard;
mod next;

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{
    AnyStore, Authentication, EndSession, Fresh, ManualClock, MaybeSession, MemoryStore, NewSession, ReturnTo, Session,
    SessionError, SessionLayer, SessionLayerBuilder, SignedIn,
};
use workspace_tests::client::{Answer, Client};
use workspace_tests::{KindOfStore, kinds_of_stores};

/// What a browser sends that is to show a page.
const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const SCRIPT: (&str, &str) = ("sec-fetch-mode", "cors");
const HTMX: (&str, &str) = ("hx-request", "true");
const HOST: (&str, &str) = ("host", "shop.example");

/// An application on one kind of store.
struct World {
    app: Router,
    clock: Arc<ManualClock>,
    _store: KindOfStore,
}

async fn login(visitor: MaybeSession, next: ReturnTo) -> Result<axum::response::Response, SessionError> {
    visitor.start(NewSession::new().principal("ann").authenticated(Authentication::by(["pwd"])))?;
    Ok(next.or("/home"))
}

async fn confirm(user: SignedIn, next: ReturnTo) -> Result<axum::response::Response, SessionError> {
    user.reauthenticate(Authentication::by(["pwd"]))?;
    Ok(next.or("/home"))
}

async fn fill_cart(visitor: MaybeSession) -> Result<(), SessionError> {
    Ok(visitor.session_or_start()?.set_attr("Cart", &1)?)
}

fn routes() -> Router {
    Router::new()
        .route("/home", get(async |user: SignedIn| user.principal().to_owned()))
        .route("/session", get(async |_: Session| "a session"))
        .route("/pay", get(async || "a form").post(async |user: Fresh| format!("{} paid", user.principal())))
        .route("/login", get(async || "a login form").post(login))
        .route("/confirm", get(async |_: SignedIn| "a password form").post(confirm))
        .route("/cart", post(fill_cart))
        .route("/logout", post(async |ending: EndSession| ending.end()))
}

/// An application on the store in memory, and one on a store that keeps bytes. Their clocks stand still.
async fn worlds(settings: impl Fn(SessionLayerBuilder<AnyStore>) -> SessionLayerBuilder<AnyStore>) -> Vec<World> {
    worlds_of(&routes(), settings).await
}

/// The worlds of another router.
async fn worlds_of(
    routes: &Router,
    settings: impl Fn(SessionLayerBuilder<AnyStore>) -> SessionLayerBuilder<AnyStore>,
) -> Vec<World> {
    let world = |kind: KindOfStore| {
        let clock = Arc::new(ManualClock::default());
        let builder = SessionLayer::builder(kind.store.clone()).clock(Arc::clone(&clock)).without_background_purge();
        let layer = settings(builder).build().expect("these settings work");
        World { app: routes.clone().layer(layer), clock, _store: kind }
    };
    kinds_of_stores().await.into_iter().map(world).collect()
}

fn with_pages(builder: SessionLayerBuilder<AnyStore>) -> SessionLayerBuilder<AnyStore> {
    builder.sign_in_page("/login").confirm_page("/confirm").never_return_to(["/logout"])
}

impl World {
    fn visitor(&self) -> Client {
        Client::new(&self.app)
    }

    async fn user(&self) -> Client {
        let mut user = self.visitor();
        assert_eq!(user.post("/login").await.status, StatusCode::SEE_OTHER);
        user
    }
}

#[track_caller]
fn assert_led(answer: &Answer, to: &str) {
    assert_eq!((answer.status, answer.all("location")), (StatusCode::SEE_OTHER, vec![to]));
    assert_eq!(answer.all("cache-control"), ["no-store"]);
}

#[track_caller]
fn assert_problem(answer: &Answer, status: StatusCode, reason: &str) {
    assert_eq!((answer.status, answer.all("content-type")), (status, vec!["application/problem+json"]));
    let body: serde_json::Value = serde_json::from_str(&answer.body).expect("it is JSON");
    assert_eq!((&body["status"], &body["reason"]), (&status.as_u16().into(), &reason.into()));
    assert_eq!(answer.all("location"), Vec::<&str>::new());
}

async fn sent(client: &mut Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    client.send(method, path, &[&[HOST], headers].concat()).await
}
