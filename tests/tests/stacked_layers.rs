//! Two layers around one handler that share the place of their ids. In a binary of its own, because it looks at the
//! log.

use axum::Router;
use axum::http::HeaderName;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use session_axum::{
    HeaderTransport, Key, MaybeSession, MemoryStore, NewSession, Session, SessionCookie, SessionError, SessionLayer,
    SessionManager,
};
use workspace_tests::client::Client;
use workspace_tests::log::Log;

const COOKIE: &str = "__Host-sessid";

async fn user(sess: Option<Session>) -> String {
    sess.and_then(|sess| sess.principal()).map_or("nobody".to_owned(), |user| user.to_string())
}

fn routes() -> Router {
    let login = async |visitor: MaybeSession| {
        visitor.start(NewSession::new().principal("ann"))?;
        Ok::<_, SessionError>(())
    };
    Router::new().route("/login", post(login)).route("/user", get(user))
}

fn layer(manager: &SessionManager, cookie: SessionCookie) -> SessionLayer {
    SessionLayer::builder(manager.clone()).cookie(cookie).build().unwrap()
}

/// Calls an app several times, and counts the warnings.
async fn warnings(app: &Router) -> (usize, String) {
    let (log, _guard) = Log::capture();
    let mut client = Client::new(app);
    client.post("/login").await;
    for _ in 0..3 {
        client.get("/user").await;
    }
    (log.lines_with("WARN"), log.text())
}

#[tokio::test]
async fn a_signed_layer_inside_an_unsigned_one_accepts_no_unsigned_id() {
    let manager = SessionManager::new(MemoryStore::new());
    let key = Key::generate();
    let id = manager.create(NewSession::new().principal("eve")).await.unwrap().id();
    for sealed in [SessionCookie::new().signed([key.clone()]), SessionCookie::new().private([key.clone()])] {
        let inner = routes().layer(layer(&manager, sealed.clone()));
        let app = inner.layer(layer(&manager, SessionCookie::new()));
        let mut client = Client::new(&app);
        client.jar.insert(COOKIE.into(), id.as_str().into());
        assert_eq!(client.get("/user").await.body, "nobody");
        client.post("/login").await;
        assert_eq!(client.get("/user").await.body, "ann");
        assert!(client.jar[COOKIE].len() > 60, "it is sealed");

        let (warnings, log) =
            warnings(&routes().layer(layer(&manager, sealed)).layer(layer(&manager, SessionCookie::new()))).await;
        assert_eq!(warnings, 1, "{log}");
        assert!(log.contains("`SessionCookie::name`") && log.contains("sign or encrypt"), "{log}");
    }
    // With other keys, too.
    let [one, two] = [(); 2].map(|()| layer(&manager, SessionCookie::new().signed([Key::generate()])));
    assert_eq!(warnings(&routes().layer(one).layer(two)).await.0, 1);
}

#[tokio::test]
async fn two_layers_of_one_name_and_different_managers_leave_one_warning_that_names_the_fix() {
    let both = || [(); 2].map(|()| SessionLayer::new(MemoryStore::new()));
    let [inner, outer] = both();
    let (count, log) = warnings(&routes().layer(inner).layer(outer)).await;
    assert_eq!(count, 1, "{log}");
    assert!(log.contains("`SessionCookie::name`") && log.contains("another manager"), "{log}");
    // Nested, and with a middleware in between that uses the outer one.
    let [inner, outer] = both();
    let nested = Router::new().nest("/shop", routes().layer(inner)).merge(routes());
    let app = nested
        .layer(from_fn(async |_: Option<Session>, request, next: axum::middleware::Next| next.run(request).await));
    let (log, _guard) = Log::capture();
    let mut client = Client::new(&app.layer(outer));
    client.get("/user").await;
    assert_eq!(log.lines_with("WARN"), 0);
    client.get("/shop/user").await;
    client.get("/shop/user").await;
    assert_eq!(log.lines_with("WARN"), 1);
}

#[tokio::test]
async fn layers_that_do_not_disturb_each_other_leave_no_warning() {
    let manager = SessionManager::builder(MemoryStore::new()).audience("all").build().unwrap();
    let key = Key::generate();
    let named = |name: &str| SessionCookie::new().name(name);
    let signed = || SessionCookie::new().signed([key.clone()]);
    let header = |name| HeaderTransport::named(HeaderName::from_static(name));
    let in_header = SessionLayer::builder(manager.clone()).transport(header("__host-sessid")).build().unwrap();
    let clone = SessionLayer::new(MemoryStore::new());
    for (inner, outer) in [
        (layer(&manager, named("shop")), layer(&manager, named("staff"))),
        (SessionLayer::new(MemoryStore::new()), layer(&manager, named("staff"))),
        (layer(&manager, named("__host-sessid")), in_header),
        // One layer twice.
        (clone.clone(), clone),
        (layer(&manager, signed()), layer(&manager, signed())),
        (SessionLayer::new(manager.clone()), SessionLayer::new(manager.clone())),
    ] {
        let shown = format!("{inner:?} in {outer:?}");
        let (count, log) = warnings(&routes().layer(inner).layer(outer)).await;
        assert_eq!(count, 0, "{shown}:\n{log}");
    }
}
