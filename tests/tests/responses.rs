//! What a response tells caches, responses that can't carry a cookie, and requests whose response nobody sees.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use session_axum::{
    AnyStore, ManualClock, MaybeSession, MemoryStore, NewSession, PublicResponse, Session, SessionCookie, SessionError,
    SessionLayer, SessionManager,
};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use workspace_tests::client::{Answer, Client};
use workspace_tests::{KindOfStore, kinds_of_stores};

const MINUTE: Duration = Duration::from_secs(60);
const PUBLIC: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "public, max-age=60, s-maxage=600")];

/// Headers that kinds of caches obey in place of `Cache-Control`.
const FOR_SOME_CACHES: [(&str, &str); 8] = [
    ("cdn-cache-control", "max-age=600"),
    ("cloudflare-cdn-cache-control", "max-age=600"),
    ("vercel-cdn-cache-control", "max-age=600"),
    ("netlify-cdn-cache-control", "public, max-age=600"),
    ("surrogate-control", "max-age=600"),
    ("edge-control", "max-age=600"),
    ("x-accel-expires", "600"),
    ("x-litespeed-cache-control", "public"),
];

async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal("ann").attr("Flash", "Welcome")).map(drop)
}

/// An anonymous session.
async fn visit(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().attr("Cart", "tea")).map(drop)
}

async fn flash(sess: Session) -> Result<String, SessionError> {
    Ok(sess.take_attr("Flash")?.unwrap_or_else(|| "none".to_owned()))
}

/// What a handler may say to caches, beside what it does to its session.
fn told() -> Response {
    (PUBLIC, FOR_SOME_CACHES, [(header::EXPIRES, "Thu, 01 Jan 2099 00:00:00 GMT"), (header::PRAGMA, "cache")], "x")
        .into_response()
}

fn routes() -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/visit", post(visit))
        .route("/read", get(async |_: Option<Session>| "x"))
        .route("/public", get(async |_: Option<Session>| (PUBLIC, "x")))
        .route("/all", get(async |_: Option<Session>| told()))
        .route("/said", get(async |_: Option<Session>| (PublicResponse, told())))
        .route("/plain", get(async || told()))
        .route("/mine", get(async |_: Option<Session>| ([(header::CACHE_CONTROL, "max-age=60")], "x")))
        .route("/never", get(async |_: Option<Session>| ([(header::CACHE_CONTROL, "no-store")], "x")))
        .route("/flash", get(flash))
        .route(
            "/start",
            post(async |visitor: MaybeSession| {
                visitor.start(NewSession::new())?;
                Ok::<_, SessionError>((PublicResponse, told()))
            }),
        )
        .route(
            "/logout",
            post(async |sess: Session| {
                sess.remove();
                (PublicResponse, told())
            }),
        )
}

async fn apps() -> Vec<(Router, KindOfStore)> {
    let app = |kind: KindOfStore| (routes().layer(SessionLayer::new(kind.store.clone())), kind);
    kinds_of_stores().await.into_iter().map(app).collect()
}

async fn after(app: &Router, path: &str) -> Client {
    let mut client = Client::new(app);
    assert_eq!(client.post(path).await.status, StatusCode::OK);
    client
}

fn cache_control(answer: &Answer) -> Vec<&str> {
    answer.all("cache-control")
}

#[track_caller]
fn assert_for_no_cache_in_particular(answer: &Answer) {
    for (name, _) in FOR_SOME_CACHES {
        assert_eq!(answer.all(name), Vec::<&str>::new(), "{name}");
    }
}

#[tokio::test]
async fn whoever_is_signed_in_gets_a_page_that_only_the_browser_keeps() {
    for (app, _kept) in apps().await {
        let (mut ann, mut anonymous) = (after(&app, "/login").await, after(&app, "/visit").await);
        assert_eq!(cache_control(&ann.get("/read").await), ["private, no-cache"]);
        assert_eq!(cache_control(&anonymous.get("/read").await), Vec::<&str>::new());
        assert_eq!(cache_control(&Client::new(&app).get("/read").await), Vec::<&str>::new());
        // What the handler says of its own stays, but for others.
        assert_eq!(cache_control(&ann.get("/mine").await), ["private, max-age=60"]);
        assert_eq!(cache_control(&ann.get("/never").await), ["no-store"]);
    }
}

#[tokio::test]
async fn whatever_the_handler_did_in_the_session_its_page_is_kept_by_the_browser_alone() {
    for kind in kinds_of_stores().await {
        let kept = Arc::new(parking_lot::Mutex::new(None));
        let keep = Arc::clone(&kept);
        let keeping = get(async move |sess: Session| *keep.lock() = Some(sess));
        let setting = get(async |sess: Session| sess.set_attr("a", &1).map_err(SessionError::from));
        let failing = get(async |sess: Session| {
            sess.attr::<u32>("Flash")?;
            Ok::<_, SessionError>("never")
        });
        let store = FaultyStore::new(kind.store.clone());
        let app = routes().route("/keep", keeping).route("/set", setting).route("/fail", failing);
        let app = app.layer(SessionLayer::new(store.clone()));
        let mut ann = after(&app, "/login").await;
        for path in ["/keep", "/set", "/fail"] {
            assert_eq!(cache_control(&ann.get(path).await), ["private, no-cache"], "{path}");
        }
        store.faults().fail_every(Operation::WRITES, Fault::Refused);
        let failed = ann.get("/set").await;
        assert_eq!(
            (failed.status, cache_control(&failed)),
            (StatusCode::SERVICE_UNAVAILABLE, vec!["private, no-cache"])
        );
    }
}

#[tokio::test]
async fn a_layer_may_forbid_storing_for_whoever_is_signed_in() {
    for kind in kinds_of_stores().await {
        let layer = SessionLayer::builder(kind.store.clone()).no_store_when_signed_in().build().unwrap();
        let app = routes().layer(layer);
        let (mut ann, mut anonymous) = (after(&app, "/login").await, after(&app, "/visit").await);
        assert_eq!(cache_control(&ann.get("/read").await), ["no-store"]);
        assert_eq!(cache_control(&ann.get("/mine").await), ["private, max-age=60"]);
        assert_eq!(cache_control(&anonymous.get("/read").await), Vec::<&str>::new());
    }
}

#[tokio::test]
async fn what_depends_on_a_session_is_never_public_unless_the_handler_says_so_by_name() {
    for (app, _kept) in apps().await {
        let (ann, anonymous) = (after(&app, "/login").await, after(&app, "/visit").await);
        for mut client in [ann, anonymous, Client::new(&app)] {
            assert_eq!(cache_control(&client.get("/public").await), ["private, max-age=60"]);
            let all = client.get("/all").await;
            assert_eq!(cache_control(&all), ["private, max-age=60"]);
            assert_for_no_cache_in_particular(&all);
            let said = client.get("/said").await;
            assert_eq!(cache_control(&said), ["public, max-age=60, s-maxage=600"]);
            for (name, value) in FOR_SOME_CACHES {
                assert_eq!(said.all(name), [value]);
            }
            assert_eq!(said.all("vary"), ["cookie"]);
            // A handler that declares no session has nothing to do with this.
            let plain = client.get("/plain").await;
            assert_eq!(cache_control(&plain), ["public, max-age=60, s-maxage=600"]);
            assert_eq!(plain.all("cdn-cache-control"), ["max-age=600"]);
        }
    }
}

#[tokio::test]
async fn no_cache_of_any_kind_stores_a_response_that_sets_or_removes_the_cookie() {
    for (app, _kept) in apps().await {
        let mut client = Client::new(&app);
        for path in ["/start", "/logout"] {
            let answer = client.post(path).await;
            assert_eq!(answer.set_cookies().len(), 1);
            assert_eq!(cache_control(&answer), ["no-store"], "{path}");
            assert_for_no_cache_in_particular(&answer);
            assert!(answer.all("expires").is_empty() && answer.all("pragma").is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn two_layers_agree_on_what_caches_are_told() {
    for (inner, outer) in kinds_of_stores().await.into_iter().zip(kinds_of_stores().await) {
        let named = |name, kind: &KindOfStore| {
            SessionLayer::builder(kind.store.clone()).cookie(SessionCookie::new().name(name)).build().unwrap()
        };
        let look = async |_: Option<Session>, request, next: axum::middleware::Next| next.run(request).await;
        let app =
            routes().layer(named("inner", &inner)).layer(axum::middleware::from_fn(look)).layer(named("outer", &outer));
        let mut client = Client::new(&app);
        assert_eq!(cache_control(&client.post("/start").await), ["no-store"]);
        client.post("/login").await;
        assert_eq!(cache_control(&client.get("/read").await), ["private, no-cache"]);
        assert_eq!(cache_control(&client.get("/public").await), ["private, max-age=60"]);
    }
}

/// An informational status is no final response, so no client would get the cookie.
#[tokio::test]
async fn an_informational_status_changes_nothing_and_is_an_error() {
    let store = MemoryStore::new();
    let answers = |status: u16| StatusCode::from_u16(status).unwrap();
    let renew = move |status| {
        post(async move |sess: Session| {
            sess.set_attr("Half", &1)?;
            sess.renew_id()?;
            Ok::<_, SessionError>(answers(status))
        })
    };
    let start = move |status| {
        post(async move |visitor: MaybeSession| {
            visitor.start(NewSession::new())?;
            Ok::<_, SessionError>(answers(status))
        })
    };
    let mut app = routes();
    for status in [100, 101, 102, 103, 199] {
        app = app.route(&format!("/renew/{status}"), renew(status)).route(&format!("/start/{status}"), start(status));
    }
    let app = app.layer(SessionLayer::new(store.clone()));
    let mut ann = after(&app, "/login").await;
    let before = ann.jar.clone();
    for status in [100, 102, 103, 199] {
        let answer = ann.post(&format!("/renew/{status}")).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0), "{status}");
        let answer = Client::new(&app).post(&format!("/start/{status}")).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0), "{status}");
    }
    assert_eq!((store.len(), &ann.jar), (1, &before));
    assert_eq!(ann.get("/flash").await.body, "Welcome");
    // A response that switches protocols is the last one, and carries cookies.
    let answer = ann.post("/renew/101").await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SWITCHING_PROTOCOLS, 1));
    assert_ne!(ann.jar, before);
    assert_eq!(ann.get("/read").await.status, StatusCode::OK);
}

/// Through a real server, which makes 500 of an informational status: the visitor stays signed in.
#[tokio::test]
async fn a_server_that_refuses_the_status_signs_nobody_out() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let renew = async |sess: Session| sess.renew_id().map(|()| StatusCode::EARLY_HINTS).map_err(SessionError::from);
    for kind in kinds_of_stores().await {
        let app = routes().route("/renew", get(renew)).layer(SessionLayer::new(kind.store.clone()));
        let mut ann = after(&app, "/login").await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, app).into_future());
        let (name, value) = ann.jar.first_key_value().unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET /renew HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {name}={value}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 500") && !answer.to_lowercase().contains("set-cookie"), "{answer}");
        assert_eq!(ann.get("/flash").await.body, "Welcome");
    }
}

#[tokio::test]
async fn a_handler_that_fails_with_an_error_of_ours_leaves_nothing_half_done() {
    let large = || "x".repeat(1 << 20);
    let start = post(async move |visitor: MaybeSession| {
        let sess = visitor.start(NewSession::new().principal("eve"))?;
        sess.set_attr("Large", &large())?;
        Ok::<_, SessionError>(())
    });
    let set = post(async move |sess: Session| {
        sess.set_attr("Half", &1)?;
        sess.renew_id()?;
        sess.set_attr("Large", &large())?;
        Ok::<_, SessionError>(())
    });
    let update = post(async move |sess: Session| {
        sess.set_attr("Half", &1)?;
        sess.update_attr("Large", |_: Option<String>| large()).await?;
        Ok::<_, SessionError>(())
    });
    // What the handler answers itself is its own: everything is saved.
    let own = post(async move |sess: Session| {
        sess.set_attr("Half", &1).unwrap();
        match sess.set_attr("Large", &large()) {
            Ok(()) => StatusCode::OK,
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
        }
    });
    let attrs = get(async |sess: Session| serde_json::to_string(&sess.attrs()).unwrap());
    for store in [FaultyStore::new(MemoryStore::new()), FaultyStore::at_once(MemoryStore::new())] {
        let app = routes()
            .route("/large", start.clone())
            .route("/set", set.clone())
            .route("/update", update.clone())
            .route("/own", own.clone())
            .route("/attrs", attrs.clone())
            .layer(SessionLayer::new(store.clone()));
        let mut stranger = Client::new(&app);
        let answer = stranger.post("/large").await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
        assert_eq!(store.inner().len(), 0);
        let mut ann = after(&app, "/login").await;
        let before = ann.jar.clone();
        for path in ["/large", "/set", "/update"] {
            let answer = ann.post(path).await;
            assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0), "{path}");
            assert_eq!((&ann.jar, store.inner().len()), (&before, 1));
            assert_eq!(ann.get("/attrs").await.body, r#"{"Flash":"Welcome"}"#, "{path}");
        }
        assert_eq!(ann.post("/own").await.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(ann.get("/attrs").await.body, r#"{"Flash":"Welcome","Half":1}"#);
    }
}

/// Ending is not undone by a rejection that comes after it: 401 and the redirect are no failures of a handler.
#[tokio::test]
async fn a_rejection_without_a_session_keeps_what_a_middleware_did() {
    let end = async |sess: Option<Session>, request, next: axum::middleware::Next| {
        if let Some(sess) = sess {
            sess.remove();
        }
        next.run(request).await
    };
    let guarded = Router::new().route("/end", get(async |_: Session| "never")).layer(axum::middleware::from_fn(end));
    let routes = routes().merge(guarded);
    for kind in kinds_of_stores().await {
        let layer = SessionLayer::new(kind.store.clone());
        let sessions = layer.manager().clone();
        let app = routes.clone().layer(layer);
        let mut ann = after(&app, "/login").await;
        assert_eq!(ann.get("/end").await.status, StatusCode::UNAUTHORIZED);
        assert!(sessions.sessions_of("ann").await.unwrap().is_empty() && ann.jar.is_empty());
    }
}

struct World {
    app: Router,
    clock: Arc<ManualClock>,
    store: FaultyStore<AnyStore>,
    _kept: KindOfStore,
}

async fn worlds() -> Vec<World> {
    let start = async |visitor: MaybeSession| visitor.start(NewSession::new()).map(drop);
    let renew = async |sess: Session| sess.renew_id().map_err(SessionError::from);
    let routes = routes()
        .route("/begin", get(start))
        .route("/renew", get(renew))
        .route("/end", any(async |sess: Session| sess.remove()));
    let world = |kind: KindOfStore| {
        let store = FaultyStore::new(kind.store.clone());
        let clock = Arc::new(ManualClock::default());
        let manager = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).build().unwrap();
        World { app: routes.clone().layer(SessionLayer::new(manager)), clock, store, _kept: kind }
    };
    kinds_of_stores().await.into_iter().map(world).collect()
}

#[tokio::test]
async fn a_head_request_consumes_no_message_and_changes_nothing() {
    for world in worlds().await {
        let World { app, store, .. } = world;
        let mut ann = after(&app, "/login").await;
        store.faults().forget_calls();
        for path in ["/flash", "/begin", "/renew", "/end"] {
            let answer = ann.send(Method::HEAD, path, &[]).await;
            assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 0), "{path}");
            assert_eq!(cache_control(&answer), ["private, no-cache"], "{path}");
        }
        assert_eq!(Client::new(&app).send(Method::HEAD, "/begin", &[]).await.set_cookies().len(), 0);
        assert_eq!(store.faults().calls(Operation::Load), store.faults().all_calls());
        assert_eq!(ann.get("/flash").await.body, "Welcome");
        assert_eq!(ann.get("/flash").await.body, "none");
    }
}

#[tokio::test]
async fn a_head_request_is_no_use_of_the_session() {
    for world in worlds().await {
        let World { app, clock, store, .. } = world;
        let mut ann = after(&app, "/login").await;
        store.faults().forget_calls();
        clock.advance(29 * MINUTE);
        assert_eq!(ann.send(Method::HEAD, "/flash", &[]).await.status, StatusCode::OK);
        assert_eq!(store.faults().calls(Operation::Touch), 0);
        clock.advance(MINUTE);
        assert_eq!(ann.send(Method::HEAD, "/flash", &[]).await.status, StatusCode::UNAUTHORIZED);
    }
}

/// The visitor may be shown the very response of a prefetch, without another request, so it counts as any other.
#[tokio::test]
async fn a_prefetch_is_a_request_like_any_other() {
    for world in worlds().await {
        let World { app, clock, .. } = world;
        for purpose in [("sec-purpose", "prefetch"), ("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch")] {
            let mut ann = after(&app, "/login").await;
            clock.advance(29 * MINUTE);
            assert_eq!(ann.send(Method::GET, "/flash", &[purpose]).await.body, "Welcome");
            clock.advance(29 * MINUTE);
            assert_eq!(ann.get("/flash").await.body, "none");
            let mut stranger = Client::new(&app);
            assert_eq!(stranger.send(Method::GET, "/begin", &[purpose]).await.set_cookies().len(), 1);
        }
    }
}

/// A health check has no cookie, and leaves nothing.
#[tokio::test]
async fn a_health_check_without_a_cookie_leaves_nothing() {
    for world in worlds().await {
        let World { app, store, .. } = world;
        let mut check = Client::new(&app);
        for method in [Method::GET, Method::HEAD] {
            for (path, status) in
                [("/plain", StatusCode::OK), ("/read", StatusCode::OK), ("/flash", StatusCode::UNAUTHORIZED)]
            {
                let answer = check.send(method.clone(), path, &[]).await;
                assert_eq!((answer.status, answer.set_cookies().len()), (status, 0), "{method} {path}");
            }
        }
        assert_eq!(store.faults().all_calls(), 0);
    }
}

/// A logout by `EndSession`, too.
#[tokio::test]
async fn a_head_request_ends_no_session() {
    let leave = any(async |ending: session_axum::EndSession| ending.end());
    for kind in kinds_of_stores().await {
        let layer = SessionLayer::new(kind.store.clone());
        let sessions = layer.manager().clone();
        let app = routes().route("/leave", leave.clone()).layer(layer);
        let mut ann = after(&app, "/login").await;
        let count = async || sessions.sessions_of("ann").await.unwrap().len();
        assert_eq!(ann.send(Method::HEAD, "/leave", &[]).await.set_cookies().len(), 0);
        assert_eq!((count().await, ann.jar.len()), (1, 1));
        ann.get("/leave").await;
        assert_eq!((count().await, ann.jar.len()), (0, 0));
    }
}
