//! Sessions of several layers in one handler.

use axum::http::StatusCode;
use session_axum::{OfLayer, SameSite, SessionCookie, SessionLayer, SessionManager, Store};

use super::*;

/// Marks the layer of sign-ins that begin at another site.
struct SignIn;

/// Marks no layer.
struct Unused;

fn sign_in<S: Store>(store: S) -> session_axum::SessionLayerBuilder<S> {
    SessionLayer::builder(store)
        .cookie(SessionCookie::new().name("signin").same_site(SameSite::None))
        .marked::<SignIn>()
}

fn both() -> Router {
    async fn start(visitor: OfLayer<SignIn, MaybeSession>, own: MaybeSession) -> Result<(), SessionError> {
        visitor.start(NewSession::new().attr("State", "random"))?;
        own.start(NewSession::new().principal("ann"))?;
        Ok(())
    }
    async fn users(own: Option<Session>, other: OfLayer<SignIn, Option<Session>>) -> Result<String, SessionError> {
        let own = own.and_then(|sess| sess.principal());
        let state = other.as_ref().map(|sess| sess.attr::<String>("State")).transpose()?.flatten();
        Ok(format!("{own:?} {state:?}"))
    }
    async fn set(other: OfLayer<SignIn, Session>, own: Session) -> Result<(), SessionError> {
        other.set_attr("State", "changed")?;
        own.set_attr("Own", &1)?;
        Ok(())
    }
    async fn end(other: OfLayer<SignIn, EndSession>) {
        other.into_inner().end();
    }
    Router::new()
        .route("/start", post(start))
        .route("/users", get(users))
        .route("/set", post(set))
        .route("/end", post(end))
        .route("/needed", get(async |_: OfLayer<SignIn, Session>, _: Session| "both"))
}

/// T9.
#[tokio::test]
async fn a_handler_has_the_sessions_of_two_layers() {
    on_each_store(async |store| {
        // Both keep their sessions in one store.
        let app = both().layer(SessionLayer::new(store.clone())).layer(sign_in(store).build().unwrap());
        let mut client = Client::new(&app);
        assert_eq!(client.get("/users").await.body, "None None");
        assert_eq!(client.get("/needed").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(client.post("/start").await.set_cookies().len(), 2);
        let names: Vec<_> = client.jar.keys().map(String::as_str).collect();
        assert_eq!(names, ["__Host-sessid", "__Host-signin"]);
        assert_eq!(client.get("/users").await.body, r#"Some("ann") Some("random")"#);
        assert_eq!(client.get("/needed").await.body, "both");
        assert_eq!(client.post("/set").await.status, StatusCode::OK);
        assert_eq!(client.get("/users").await.body, r#"Some("ann") Some("changed")"#);
        assert_eq!(client.post("/end").await.set_cookies().len(), 1);
        assert_eq!(client.get("/users").await.body, r#"Some("ann") None"#);
        assert_eq!(client.get("/needed").await.status, StatusCode::UNAUTHORIZED);
    })
    .await;
}

/// T9.
#[tokio::test]
async fn a_marked_layer_is_found_from_a_nested_router() {
    let inner = Router::new().nest("/deep", both().layer(SessionLayer::new(MemoryStore::new())));
    let app = Router::new().nest("/very", inner).layer(sign_in(MemoryStore::new()).build().unwrap());
    let mut client = Client::new(&app);
    client.post("/very/deep/start").await;
    assert_eq!(client.get("/very/deep/users").await.body, r#"Some("ann") Some("random")"#);
    // Alone, it is the innermost as well.
    let app = both().layer(sign_in(MemoryStore::new()).build().unwrap());
    let mut client = Client::new(&app);
    client.post("/start").await;
    assert_eq!(
        client.get("/users").await.body,
        r#"Some("ann") None"#,
        "there is one session, and the later start counts"
    );
}

/// T10.
#[tokio::test]
async fn a_missing_layer_is_500_and_names_the_fix() {
    async fn handler(_: Session, _: OfLayer<Unused, Option<Session>>) {}
    let routes = both().route("/login", post(login)).route("/unused", get(handler));
    let marked =
        routes.clone().layer(SessionLayer::new(MemoryStore::new())).layer(sign_in(MemoryStore::new()).build().unwrap());
    let mut client = Client::new(&marked);
    client.post("/login").await;
    let answer = client.get("/unused").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains(".marked::<") && answer.body.contains("Unused>()"), "{}", answer.body);
    // Without any layer, too.
    assert!(Client::new(&routes).get("/unused").await.body.contains("SessionLayer::new"));
    assert!(Client::new(&routes).post("/end").await.body.contains("SignIn>()"));
}

/// T10.
#[tokio::test]
async fn of_several_layers_with_one_marker_the_innermost_counts() {
    let named = |name: &str| {
        let cookie = SessionCookie::new().name(name);
        SessionLayer::builder(MemoryStore::new()).cookie(cookie).marked::<SignIn>().build().unwrap()
    };
    let app = both().layer(SessionLayer::new(MemoryStore::new())).layer(named("inner")).layer(named("outer"));
    let mut client = Client::new(&app);
    client.post("/start").await;
    let names: Vec<_> = client.jar.keys().map(String::as_str).collect();
    assert_eq!(names, ["__Host-inner", "__Host-sessid"]);
}

/// T9. A layer that counts as one with the layer outside of it can be the marked one.
#[tokio::test]
async fn of_two_layers_that_are_one_either_may_be_marked() {
    let manager = SessionManager::new(MemoryStore::new());
    let marked = SessionLayer::builder(manager.clone()).marked::<SignIn>().build().unwrap();
    for (inner, outer) in [(marked.clone(), SessionLayer::new(manager.clone())), (SessionLayer::new(manager), marked)] {
        let app = both().route("/login", post(login)).layer(inner).layer(outer);
        let mut client = Client::new(&app);
        client.post("/login").await;
        assert_eq!(client.get("/users").await.body, r#"Some("ann") None"#);
        assert_eq!(client.get("/needed").await.body, "both");
    }
}

/// T9. What fails there leaves the innermost layer's session to extractors that come after it.
#[tokio::test]
async fn the_innermost_layer_is_back_after_a_rejection() {
    async fn user_anyway(other: Result<OfLayer<SignIn, Session>, SessionError>, own: Session) -> String {
        format!("{} {:?}", other.is_err(), own.principal())
    }
    let app = routes().route("/anyway", get(user_anyway));
    let app = app.layer(SessionLayer::new(MemoryStore::new())).layer(sign_in(MemoryStore::new()).build().unwrap());
    let mut client = Client::new(&app);
    client.post("/login").await;
    assert_eq!(client.get("/anyway").await.body, r#"true Some("ann")"#);
}
