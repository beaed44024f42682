//! T54, T56: a guard for all of a router. A forgotten extractor is no hole, and no spelling of a path goes around it.

use std::time::Duration;

use session_axum::RequireSignedIn;

use super::*;

fn open() -> Router {
    let account = Router::new().route("/help", get(async || "help")).route("/card", get(async || "card"));
    Router::new()
        .route("/", get(async || "home"))
        .route("/login", get(async || "a form").post(login))
        .route("/login/admin", get(async || "admin"))
        .route("/assets/{*file}", get(async || "a picture"))
        .nest("/account", account)
}

/// A visitor of a guarded router on each kind of store.
async fn guarded(guard: RequireSignedIn) -> Vec<(Client, KindOfStore)> {
    let visitor = |kind: KindOfStore| {
        let layer = SessionLayer::builder(kind.store.clone()).sign_in_page("/login").build().unwrap();
        (Client::new(&open().layer(guard.clone()).layer(layer)), kind)
    };
    kinds_of_stores().await.into_iter().map(visitor).collect()
}

#[tokio::test]
async fn everything_below_a_guard_needs_somebody_who_is_signed_in() {
    let guard = RequireSignedIn::new().except(["/login", "/assets/{*file}", "/account/help"]);
    for (visitor, _kept) in guarded(guard).await {
        assert_guarded(visitor).await;
    }
}

async fn assert_guarded(mut visitor: Client) {
    for (path, body) in [("/login", "a form"), ("/assets/a/b.png", "a picture"), ("/account/help", "help")] {
        assert_eq!(visitor.get(path).await.body, body);
    }
    for path in ["/", "/account/card", "/login/admin", "/unknown", "/assets", "/login/", "/account/help/x"] {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_led(&sent(&mut visitor, Method::GET, "/account/card", &[PAGE]).await, "/login?next=%2Faccount%2Fcard");
    visitor.post("/login").await;
    assert_eq!(visitor.get("/account/card").await.body, "card");
    assert_eq!(visitor.get("/unknown").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_spelling_of_a_path_goes_around_a_guard() {
    let guard = RequireSignedIn::new().except(["/login", "/assets/{*file}"]);
    let (mut visitor, _kept) = guarded(guard).await.remove(0);
    for path in [
        "//login",
        "/LOGIN",
        "/login%2F..%2Faccount%2Fcard",
        "/login/../account/card",
        "/%6Cogin/../account/card",
        "/login;/account/card",
        "/login%00",
        "/assets",
        "/assets/",
    ] {
        let answer = visitor.get(path).await;
        assert_ne!((answer.status, answer.body.as_str()), (StatusCode::OK, "card"), "{path}");
        assert!(answer.status == StatusCode::UNAUTHORIZED, "{path}: {}", answer.status);
    }
}

#[tokio::test]
async fn an_anonymous_session_and_a_stale_one_are_not_enough() {
    let clock = Arc::new(ManualClock::default());
    let layer = SessionLayer::builder(MemoryStore::new()).clock(Arc::clone(&clock)).build().unwrap();
    let minute = Duration::from_secs(60);
    let inner = Router::new().route("/keys", get(async || "keys"));
    let app = routes().merge(inner.route_layer(RequireSignedIn::new().fresh_within(minute))).layer(layer);
    let mut visitor = Client::new(&app);
    visitor.post("/cart").await;
    assert_eq!(visitor.get("/keys").await.status, StatusCode::UNAUTHORIZED);
    visitor.post("/login").await;
    assert_eq!(visitor.get("/keys").await.body, "keys");
    clock.advance(minute);
    assert_eq!(visitor.get("/keys").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn behind_a_guard_a_stale_session_is_led_to_the_confirm_page_and_back() {
    let minute = Duration::from_secs(60);
    let keys = Router::new().route("/keys", get(async || "keys"));
    let guarded = routes().merge(keys.route_layer(RequireSignedIn::new().fresh_within(minute)));
    for world in worlds_of(&guarded, with_pages).await {
        let stranger = sent(&mut world.visitor(), Method::GET, "/keys", &[PAGE]).await;
        assert_led(&stranger, "/login?next=%2Fkeys");
        let mut user = world.user().await;
        assert_eq!(user.get("/keys").await.body, "keys");
        world.clock.advance(minute);
        let led = sent(&mut user, Method::GET, "/keys?of=shop", &[PAGE]).await;
        assert_led(&led, "/confirm?next=%2Fkeys%3Fof%3Dshop");
        let script = sent(&mut user, Method::GET, "/keys", &[SCRIPT]).await;
        assert_problem(&script, StatusCode::FORBIDDEN, "not_fresh");
        assert_eq!(user.post("/pay").await.body, "ann paid", "the time of the layer is longer");
        let confirm = led.all("location")[0];
        assert_eq!(user.get(confirm).await.body, "a password form");
        let confirmed = user.post(confirm).await;
        assert_eq!((confirmed.all("location"), confirmed.set_cookies().len()), (vec!["/keys?of=shop"], 1));
        assert_eq!(sent(&mut user, Method::GET, "/keys?of=shop", &[PAGE]).await.body, "keys");
    }
}

#[tokio::test]
async fn a_guard_outside_the_layer_lets_nobody_in_and_says_why() {
    let app = open().layer(SessionLayer::new(MemoryStore::new())).layer(RequireSignedIn::new());
    let answer = Client::new(&app).get("/").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains("SessionLayer"), "{}", answer.body);
}

#[tokio::test]
async fn a_login_page_that_a_guard_covers_is_no_endless_circle() {
    let (mut visitor, _kept) = guarded(RequireSignedIn::new()).await.remove(0);
    assert_led(&sent(&mut visitor, Method::GET, "/", &[PAGE]).await, "/login?next=%2F");
    let login = sent(&mut visitor, Method::GET, "/login?next=%2F", &[PAGE]).await;
    assert_eq!((login.status, login.all("location").len()), (StatusCode::UNAUTHORIZED, 0));
}
