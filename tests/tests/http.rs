//! What a client sees: B50 to B67 of the requirements, through the router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use session_axum::{
    AttrKey, HeaderTransport, Key, ManualClock, MaybeSession, MemoryStore, NewSession, SameSite, Session,
    SessionCookie, SessionError, SessionLayer, SessionManager,
};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use workspace_tests::client::{Answer, Browser, Client};

const COUNT: AttrKey<u32> = AttrKey::new("Count");
const COOKIE: &str = "__Host-sessid";
const DAY: Duration = Duration::from_secs(86_400);

async fn login(visitor: MaybeSession) -> Result<&'static str, SessionError> {
    visitor
        .start(NewSession::new().principal("ann").constant("UserName", "ann").attr(COUNT, &0).attr("cart", "tea"))?;
    Ok("in")
}

async fn count(sess: Session) -> Result<String, SessionError> {
    Ok(sess.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await?.to_string())
}

async fn read(sess: Session) -> Result<String, SessionError> {
    Ok(format!("{:?} {:?}", sess.constant::<String>("UserName")?, sess.attr(COUNT)?))
}

async fn attrs(sess: Option<Session>) -> String {
    sess.map_or("none".into(), |sess| serde_json::to_string(&sess.attrs()).expect("attributes are JSON"))
}

fn routes() -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/count", get(count))
        .route("/read", get(read))
        .route("/attrs", get(attrs))
        .route("/plain", get(async || "plain"))
        .route("/logout", post(async |sess: Session| sess.remove()))
        .route(
            "/maybe-logout",
            post(async |sess: Option<Session>| {
                if let Some(sess) = sess {
                    sess.remove()
                }
            }),
        )
        .route("/set", post(async |sess: Session| sess.set_attr("b", &1).map_err(SessionError::from)))
        .route("/renew", post(async |sess: Session| sess.renew_id().map_err(SessionError::from)))
}

fn app() -> (Router, MemoryStore) {
    let store = MemoryStore::new();
    (routes().layer(SessionLayer::new(store.clone())), store)
}

async fn signed_in(app: &Router) -> Client {
    let mut client = Client::new(app);
    assert_eq!(client.post("/login").await.status, StatusCode::OK);
    client
}

fn assert_no_cookie(answer: &Answer) {
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
}

/// B50.
#[tokio::test]
async fn an_untouched_route_has_no_cookie_no_record_and_no_vary() {
    let (app, store) = app();
    let answer = Client::new(&app).get("/plain").await;
    assert_no_cookie(&answer);
    assert!(answer.all("vary").is_empty() && answer.all("cache-control").is_empty());
    assert!(store.is_empty());
}

/// B51, R13, R14, R15, R16, R17, R18, R19, R22, R39.
#[tokio::test]
async fn starting_sends_one_cookie_and_stores_all_attributes() {
    let (app, store) = app();
    let mut client = Client::new(&app);
    let answer = client.post("/login").await;
    let [cookie] = answer.set_cookies()[..] else { panic!("one cookie, not {:?}", answer.set_cookies()) };
    let (pair, flags) = cookie.split_once("; ").unwrap();
    let (name, id) = pair.split_once('=').unwrap();
    assert_eq!((name, id.len()), (COOKIE, 24));
    assert_eq!(flags, "HttpOnly; SameSite=Lax; Secure; Path=/");
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert_eq!(store.len(), 1);
    assert_eq!(client.get("/attrs").await.body, r#"{"Count":0,"cart":"tea"}"#);
}

/// B52, R23.
#[tokio::test]
async fn reading_sends_no_cookie_and_varies() {
    let (app, _) = app();
    let mut client = signed_in(&app).await;
    let answer = client.get("/read").await;
    assert_eq!(answer.body, r#"Some("ann") Some(0)"#);
    assert_no_cookie(&answer);
    assert_eq!(answer.all("vary"), ["cookie"]);
    assert_eq!(answer.all("cache-control"), ["private, no-cache"]);
}

/// B52, R30.
#[tokio::test]
async fn reading_writes_nothing() {
    let store = FaultyStore::new(MemoryStore::new());
    let manager = SessionManager::new(store.clone());
    let app = routes().layer(SessionLayer::new(manager.clone()));
    let mut client = signed_in(&app).await;
    store.faults().fail_every(Operation::WRITES, Fault::Refused);
    let answer = client.get("/read").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"Some("ann") Some(0)"#));
    assert_no_cookie(&answer);
    // A use that could not be noted would be counted here.
    assert_eq!(manager.counters().store_errors, 0);
}

#[tokio::test]
async fn changing_sends_no_cookie() {
    let (app, _) = app();
    let mut client = signed_in(&app).await;
    assert_no_cookie(&client.get("/count").await);
    assert_no_cookie(&client.post("/set").await);
    assert_eq!(client.get("/attrs").await.body, r#"{"Count":1,"b":1,"cart":"tea"}"#);
}

#[tokio::test]
async fn a_visitor_without_a_session_is_rejected_or_redirected() {
    let (app, _) = app();
    let answer = Client::new(&app).get("/count").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.all("vary"), ["cookie"]);
    let layer = SessionLayer::builder(MemoryStore::new()).sign_in_page("/login").build().unwrap();
    let page = [("accept", "text/html")];
    let answer = Client::new(&routes().layer(layer)).send(Method::POST, "/set", &page).await;
    assert_eq!((answer.status, answer.all("location")), (StatusCode::SEE_OTHER, vec!["/login"]));
    assert_eq!(answer.all("vary"), ["cookie"]);
}

/// A17.
#[tokio::test]
async fn the_vary_header_is_there_when_the_store_fails() {
    let store = FaultyStore::new(MemoryStore::new());
    let app = routes().layer(SessionLayer::new(store.clone()));
    let mut client = signed_in(&app).await;
    for (failing, method, path) in [(Operation::READS, Method::GET, "/read"), (Operation::WRITES, Method::POST, "/set")]
    {
        store.faults().fail_every(failing, Fault::Refused);
        let answer = client.send(method, path, &[]).await;
        assert_eq!((answer.status, answer.all("vary")), (StatusCode::SERVICE_UNAVAILABLE, vec!["cookie"]), "{path}");
        store.faults().recover();
    }
}

/// B53, A10.
#[tokio::test]
async fn a_bogus_or_malformed_id_is_no_session_and_sets_nothing() {
    let (app, store) = app();
    for id in ["AAAAAAAAAAAAAAAAAAAAAAAA", "", "\"\"", "short", "%41AAAAAAAAAAAAAAAAAAAAAAA"] {
        let mut client = Client::new(&app);
        client.jar.insert(COOKIE.into(), id.into());
        for (method, path) in [(Method::GET, "/attrs"), (Method::POST, "/maybe-logout")] {
            let answer = client.send(method, path, &[]).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_no_cookie(&answer);
        }
    }
    assert!(store.is_empty());
}

/// B54, R8, R22.
#[tokio::test]
async fn logout_ends_the_session_and_clears_the_cookie_with_the_same_flags() {
    let (app, store) = app();
    let mut client = signed_in(&app).await;
    let mut thief = client.clone();
    let answer = client.post("/logout").await;
    let [cookie] = answer.set_cookies()[..] else { panic!("one cookie, not {:?}", answer.set_cookies()) };
    assert!(
        cookie.starts_with("__Host-sessid=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0; Expires="),
        "{cookie}"
    );
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert!(client.jar.is_empty());
    assert_eq!(thief.get("/count").await.status, StatusCode::UNAUTHORIZED);
    assert!(store.is_empty());
}

/// B55.
#[tokio::test]
async fn start_after_remove_in_one_request_gives_a_new_id() {
    let again = async |visitor: MaybeSession| {
        let old = visitor.session().expect("signed in");
        old.remove();
        assert!(visitor.session().is_none());
        visitor.start(NewSession::new().attr("new", &true))?;
        assert!(old.set_attr("old", &1).is_err());
        Ok::<_, SessionError>(())
    };
    let (_, store) = app();
    let app = routes().route("/again", post(again)).layer(SessionLayer::new(store.clone()));
    let mut client = signed_in(&app).await;
    let mut old = client.clone();
    let answer = client.post("/again").await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 1));
    assert_ne!(client.jar, old.jar);
    assert_eq!(old.get("/attrs").await.body, "none");
    assert_eq!(client.get("/attrs").await.body, r#"{"new":true}"#);
    assert_eq!(store.len(), 1);
}

/// B56, R6.
#[tokio::test]
async fn renewing_and_writing_in_either_order_keeps_both() {
    let first = async |sess: Session| {
        sess.renew_id()?;
        sess.set_attr("x", &1)?;
        Ok::<_, SessionError>(())
    };
    let last = async |sess: Session| {
        sess.set_attr("y", &1)?;
        sess.renew_id()?;
        sess.update_attr("z", |_: Option<u8>| 1).await?;
        Ok::<_, SessionError>(())
    };
    let store = MemoryStore::new();
    let app = routes().route("/first", post(first)).route("/last", post(last)).layer(SessionLayer::new(store.clone()));
    let mut client = signed_in(&app).await;
    for path in ["/first", "/last"] {
        let mut old = client.clone();
        assert_eq!(client.post(path).await.set_cookies().len(), 1);
        assert_ne!(client.jar, old.jar);
        assert_eq!(old.get("/attrs").await.body, "none");
    }
    assert_eq!(client.get("/attrs").await.body, r#"{"Count":0,"cart":"tea","x":1,"y":1,"z":1}"#);
    assert_eq!(store.len(), 1);
}

/// R6.
#[tokio::test]
async fn a_login_over_a_visit_ends_the_old_id_and_may_carry_the_cart_over() {
    let keeping = async |visitor: MaybeSession| {
        let anonymous = visitor.session().expect("an anonymous visit");
        visitor.start(NewSession::new().principal("ann").keep(&anonymous))?;
        Ok::<_, SessionError>(())
    };
    let cart = async |visitor: MaybeSession| visitor.start(NewSession::new().attr("cart", "tea")).map(drop);
    let store = MemoryStore::new();
    let app = routes().route("/keep", post(keeping)).route("/cart", post(cart)).layer(SessionLayer::new(store.clone()));
    let mut client = Client::new(&app);
    client.post("/cart").await;
    let mut before = client.clone();
    client.post("/keep").await;
    assert_ne!(client.jar, before.jar);
    assert_eq!(before.get("/attrs").await.body, "none");
    assert_eq!(client.get("/attrs").await.body, r#"{"cart":"tea"}"#);
    assert_eq!(store.len(), 1);
}

/// B57.
#[tokio::test]
async fn renewing_survives_an_error_status() {
    let renew = async |sess: Session| {
        sess.renew_id().expect("the session is there");
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let app = routes().route("/renew500", post(renew)).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = signed_in(&app).await;
    assert_eq!(client.post("/renew500").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(client.get("/count").await.body, "1");
}

/// B58, B59.
#[tokio::test]
async fn persistence_switches_the_cookie_at_run_time() {
    let keep = async |sess: Session| sess.set_persistent(true).map_err(SessionError::from);
    let longer = async |sess: Session| sess.set_idle_timeout(Duration::from_secs(7200)).map_err(SessionError::from);
    let longest = async |sess: Session| sess.set_idle_timeout(Duration::from_secs(9000)).map_err(SessionError::from);
    let forget = async |sess: Session| sess.set_persistent(false).map_err(SessionError::from);
    let shown = async |sess: Session| format!("{} {:?}", sess.persistent(), sess.idle_timeout());
    let clock = Arc::new(ManualClock::default());
    let manager = SessionManager::builder(MemoryStore::new()).clock(Arc::clone(&clock)).build().unwrap();
    let app = routes()
        .route("/keep", post(keep))
        .route("/longer", post(longer))
        .route("/longest", post(longest))
        .route("/forget", post(forget))
        .route("/shown", get(shown))
        .layer(SessionLayer::new(manager));
    let mut client = signed_in(&app).await;
    assert_no_cookie(&client.post("/longer").await);
    clock.advance(Duration::from_secs(600));
    let kept = client.post("/keep").await;
    assert!(kept.set_cookies()[0].ends_with("Max-Age=85800"), "{:?}", kept.set_cookies());
    assert_eq!(client.get("/shown").await.body, "true 7200s");
    let longest = client.post("/longest").await;
    assert!(longest.set_cookies()[0].contains("Max-Age="), "{:?}", longest.set_cookies());
    assert_no_cookie(&client.get("/count").await);
    let session_only = client.post("/forget").await;
    assert!(!session_only.set_cookies()[0].contains("Max-Age"), "{:?}", session_only.set_cookies());
    assert_eq!(client.get("/shown").await.body, "false 9000s");
}

/// B54, R20.
#[tokio::test]
async fn a_removal_cookie_mirrors_path_and_domain() {
    let cookie = SessionCookie::new().name("shop").domain("example.com").path("/deep/path");
    let layer = SessionLayer::builder(MemoryStore::new()).cookie(cookie).build().unwrap();
    let app = routes().layer(layer);
    let mut client = Client::new(&app);
    let set = client.post("/login").await;
    let cleared = client.post("/logout").await;
    let flags = |cookie: &str| cookie.split_once("; ").map(|(_, flags)| flags.to_owned()).unwrap();
    let (set, cleared) = (flags(set.set_cookies()[0]), flags(cleared.set_cookies()[0]));
    assert!(set.contains("Path=/deep/path; Domain=example.com"), "{set}");
    assert!(cleared.starts_with(&set), "{cleared} does not mirror {set}");
}

/// R15, R20.
#[tokio::test]
async fn the_flags_that_were_asked_for_are_sent_with_the_cookie_and_its_removal() {
    for (cookie, flags) in [
        (SessionCookie::new().same_site(SameSite::Strict), "HttpOnly; SameSite=Strict; Secure; Path=/"),
        (SessionCookie::new().same_site(SameSite::None), "HttpOnly; SameSite=None; Secure; Path=/"),
        (SessionCookie::new().partitioned(), "HttpOnly; SameSite=Lax; Partitioned; Secure; Path=/"),
        (SessionCookie::new().without_prefix().allow_http(), "HttpOnly; SameSite=Lax; Path=/"),
    ] {
        let layer = SessionLayer::builder(MemoryStore::new()).cookie(cookie).build().unwrap();
        let mut client = Client::new(&routes().layer(layer));
        let set = client.post("/login").await;
        assert_eq!(set.set_cookies()[0].split_once("; ").unwrap().1, flags);
        let cleared = client.post("/logout").await;
        let cleared = cleared.set_cookies()[0].split_once("=; ").unwrap().1.to_owned();
        assert!(cleared.starts_with(&format!("{flags}; Max-Age=0; Expires=")), "{cleared}");
    }
}

/// A24, R16, R20, actix-extras 129, 282 and 299: a browser that is told to forget a cookie does.
#[tokio::test]
async fn a_browser_forgets_the_cookie_at_a_logout_wherever_it_happens() {
    let new = SessionCookie::new;
    for (cookie, name) in [
        (new(), "__Host-sessid"),
        (new().path("/shop"), "__Secure-sessid"),
        (new().path("/shop/"), "__Secure-sessid"),
        (new().domain("example.com"), "__Secure-sessid"),
        (new().domain("example.com").path("/shop/deep"), "__Secure-sessid"),
        (new().partitioned(), "__Host-sessid"),
        (new().same_site(SameSite::None), "__Host-sessid"),
        (new().without_prefix(), "sessid"),
    ] {
        let layer = SessionLayer::builder(MemoryStore::new()).cookie(cookie).build().unwrap();
        let app = Router::new().nest("/shop/deep/{down}", routes()).layer(layer);
        let mut browser = Browser::new(&app, "https://www.example.com");
        browser.send(Method::POST, "/shop/deep/in/login").await;
        assert_eq!(browser.cookies(), [name]);
        assert_eq!(browser.send(Method::GET, "/shop/deep/there/count").await.body, "1");
        browser.send(Method::POST, "/shop/deep/out/logout").await;
        assert_eq!(browser.cookies(), Vec::<&str>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_browser_sends_the_cookie_where_it_was_meant_for_and_nowhere_else() {
    let layer = |cookie| SessionLayer::builder(MemoryStore::new()).cookie(cookie).build().unwrap();
    let app = Router::new().nest("/shop", routes()).nest("/shopping", routes());
    let shop = app.clone().layer(layer(SessionCookie::new().path("/shop")));
    let mut browser = Browser::new(&shop, "https://www.example.com");
    browser.send(Method::POST, "/shop/login").await;
    assert_eq!(browser.send(Method::GET, "/shop/count").await.body, "1");
    assert_eq!(browser.send(Method::GET, "/shopping/count").await.status, StatusCode::UNAUTHORIZED);

    for (cookie, at_sibling) in
        [(SessionCookie::new(), StatusCode::UNAUTHORIZED), (SessionCookie::new().domain("example.com"), StatusCode::OK)]
    {
        let app = app.clone().layer(layer(cookie));
        let mut browser = Browser::new(&app, "https://www.example.com");
        browser.send(Method::POST, "/shop/login").await;
        browser.goes_to("http://www.example.com");
        assert_eq!(browser.send(Method::GET, "/shop/count").await.status, StatusCode::UNAUTHORIZED);
        browser.goes_to("https://other.example.com");
        assert_eq!(browser.send(Method::GET, "/shop/count").await.status, at_sibling);
    }
    // A browser takes no Secure cookie from an unencrypted response: the first surprise of a newcomer.
    let app = app.layer(layer(SessionCookie::new()));
    let mut browser = Browser::new(&app, "http://www.example.com");
    browser.send(Method::POST, "/shop/login").await;
    assert_eq!(browser.cookies(), Vec::<&str>::new());
}

/// R12.
#[tokio::test]
async fn a_cookie_that_is_kept_longer_than_its_session_opens_nothing() {
    let clock = Arc::new(ManualClock::default());
    let manager = SessionManager::builder(MemoryStore::new()).clock(Arc::clone(&clock)).persistent(true);
    let app = routes().layer(SessionLayer::new(manager.absolute_timeout(DAY).build().unwrap()));
    let mut client = Client::new(&app);
    let login = client.post("/login").await;
    assert!(login.set_cookies()[0].ends_with("; Max-Age=86400"), "{:?}", login.set_cookies());
    clock.advance(Duration::from_secs(30 * 60));
    assert!(client.jar.contains_key(COOKIE));
    assert_eq!(client.get("/count").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_manager_may_make_every_session_persistent() {
    let sessions = SessionManager::builder(MemoryStore::new()).clock(ManualClock::default()).persistent(true);
    let sessions = sessions.absolute_timeout(DAY);
    let app = routes()
        .route(
            "/short",
            post(async |visitor: MaybeSession| visitor.start(NewSession::new().persistent(false)).map(drop)),
        )
        .layer(SessionLayer::new(sessions.build().unwrap()));
    let login = Client::new(&app).post("/login").await;
    assert!(login.set_cookies()[0].ends_with("; Max-Age=86400"), "{:?}", login.set_cookies());
    let short = Client::new(&app).post("/short").await;
    assert!(!short.set_cookies()[0].contains("Max-Age"), "{:?}", short.set_cookies());
}

/// B60.
#[tokio::test]
async fn signed_and_private_cookies_rotate_their_keys() {
    let (old, new) = (Key::generate(), Key::generate());
    let kinds: [fn(Vec<Key>) -> SessionCookie; 2] =
        [|keys| SessionCookie::new().signed(keys), |keys| SessionCookie::new().private(keys)];
    for cookie in kinds {
        let manager = SessionManager::new(MemoryStore::new());
        let with = |keys: Vec<Key>| {
            let layer = SessionLayer::builder(manager.clone()).cookie(cookie(keys)).build().unwrap();
            routes().layer(layer)
        };
        let mut client = signed_in(&with(vec![old.clone()])).await;
        let rotated = with(vec![new.clone(), old.clone()]);
        let mut after = client.moved_to(&rotated);
        assert_eq!(after.get("/count").await.body, "1");
        after.post("/renew").await;
        let mut newest = after.moved_to(&with(vec![new.clone()]));
        assert_eq!(newest.get("/count").await.body, "2");
        assert_eq!(client.get("/count").await.status, StatusCode::UNAUTHORIZED);
    }
}

/// B53.
#[tokio::test]
async fn a_badly_signed_cookie_is_no_session_and_does_not_reach_the_store() {
    let store = FaultyStore::new(MemoryStore::new());
    let manager = SessionManager::new(store.clone());
    let layer = SessionLayer::builder(manager.clone()).cookie(SessionCookie::new().signed([Key::generate()]));
    let app = routes().layer(layer.build().unwrap());
    let mut client = signed_in(&app).await;
    let signed = client.jar[COOKIE].clone();
    // The id without its signature, another signature, and a signature of another value.
    store.faults().fail_every(Operation::READS, Fault::Refused);
    let (signature, id) = signed.split_at(44);
    for forged in [id.to_owned(), format!("{}{id}", "A".repeat(44)), format!("{signature}{}", id.to_uppercase())] {
        client.jar.insert(COOKIE.into(), forged);
        assert_eq!(client.get("/attrs").await.body, "none");
    }
    assert_eq!(manager.counters().rejected_ids, 3);
    client.jar.insert(COOKIE.into(), signed);
    assert_eq!(client.get("/attrs").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

/// A14, CVE-2026-39324 (rack-session).
#[tokio::test]
async fn a_cookie_that_no_present_key_made_is_refused_and_does_not_reach_the_store() {
    let (dropped, key) = (Key::generate(), Key::generate());
    let kinds: [fn(&Key) -> SessionCookie; 2] =
        [|key| SessionCookie::new().signed([key.clone()]), |key| SessionCookie::new().private([key.clone()])];
    let mut foreign = Vec::new();
    for kind in kinds {
        let store = FaultyStore::new(MemoryStore::new());
        let manager = SessionManager::new(store.clone());
        let with = |key: &Key| {
            let layer = SessionLayer::builder(manager.clone()).cookie(kind(key)).build().unwrap();
            routes().layer(layer)
        };
        let before = signed_in(&with(&dropped)).await;
        let id = manager.list(1).await.unwrap()[0].key;
        let mut client = before.moved_to(&with(&key));
        let mut forged = vec![before.jar[COOKIE].clone(), id.to_string(), "AAAAAAAAAAAAAAAAAAAAAAAA".to_owned()];
        // What the other kind of cookie, or another key, made.
        forged.append(&mut foreign.clone());
        // A cookie of the right key with any one character changed.
        let valid = signed_in(&with(&key)).await.jar[COOKIE].clone();
        forged.extend((0..valid.len()).map(|at| {
            let other = if &valid[at..=at] == "A" { "B" } else { "A" };
            format!("{}{other}{}", &valid[..at], &valid[at + 1..])
        }));
        store.faults().fail_every(Operation::READS, Fault::Refused);
        for value in &forged {
            client.jar.insert(COOKIE.into(), value.clone());
            let answer = client.get("/attrs").await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "none"), "{value}");
        }
        assert_eq!(manager.counters().rejected_ids, forged.len() as u64);
        store.faults().recover();
        client.jar.insert(COOKIE.into(), valid.clone());
        assert_eq!(client.get("/count").await.body, "1");
        foreign.push(valid);
    }
}

/// B61.
#[tokio::test]
async fn two_layers_do_not_disturb_each_other() {
    let inner = SessionLayer::builder(MemoryStore::new()).cookie(SessionCookie::new().name("inner")).build().unwrap();
    let outer = SessionLayer::builder(MemoryStore::new()).cookie(SessionCookie::new().name("outer")).build().unwrap();
    let shop = routes().layer(inner);
    let app = routes().nest("/shop", shop).layer(outer);
    let mut client = Client::new(&app);
    client.post("/login").await;
    client.post("/shop/login").await;
    assert_eq!(client.jar.keys().collect::<Vec<_>>(), ["__Host-inner", "__Host-outer"]);
    assert_eq!(client.get("/shop/count").await.body, "1");
    assert_eq!(client.get("/count").await.body, "1");
    client.post("/shop/logout").await;
    assert_eq!(client.get("/shop/attrs").await.body, "none");
    assert_eq!(client.get("/count").await.body, "2");
}

#[tokio::test]
async fn the_same_layer_twice_is_one() {
    let layer = SessionLayer::new(MemoryStore::new());
    let app = Router::new().nest("/a", routes().layer(layer.clone())).layer(layer);
    let mut client = Client::new(&app);
    assert_eq!(client.post("/a/login").await.set_cookies().len(), 1);
    assert_eq!(client.get("/a/count").await.body, "1");
    assert_eq!(client.post("/a/logout").await.set_cookies().len(), 1);
}

#[tokio::test]
async fn a_session_started_in_a_middleware_is_there_in_the_handler() {
    use axum::extract::Request;
    use axum::middleware::{Next, from_fn};
    let start = async |visitor: MaybeSession, request: Request, next: Next| {
        visitor.start(NewSession::new().attr(COUNT, &41))?;
        Ok::<_, SessionError>(next.run(request).await)
    };
    let both = async |one: Session, two: MaybeSession, three: Option<Session>| {
        one.set_attr("a", &1)?;
        let two = two.session().expect("the same session").attr::<u32>("a")?;
        let three = three.expect("the same session").attr::<u32>("a")?;
        Ok::<_, SessionError>(format!("{two:?} {three:?}"))
    };
    let app = routes().route("/both", get(both)).layer(from_fn(start)).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = Client::new(&app);
    assert_eq!(client.get("/count").await.body, "42");
    assert_eq!(client.get("/both").await.body, "Some(1) Some(1)");
}

/// B62.
#[tokio::test]
async fn other_cookies_of_the_response_stay() {
    let both = async |visitor: MaybeSession| {
        visitor.start(NewSession::new())?;
        Ok::<_, SessionError>([(header::SET_COOKIE, "theme=dark")])
    };
    let app = Router::new().route("/", post(both)).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = Client::new(&app);
    assert_eq!(client.post("/").await.set_cookies().len(), 2);
    assert_eq!(client.jar["theme"], "dark");
}

#[tokio::test]
async fn the_cookies_of_tower_cookies_are_shared() {
    use axum::extract::Request;
    use axum::middleware::{Next, from_fn};
    use tower_cookies::{Cookie, CookieManagerLayer, Cookies};
    let theme = async |cookies: Cookies, sess: Session| {
        cookies.add(Cookie::new("theme", "dark"));
        sess.remove();
    };
    // What an application's middleware sees of the session's cookie before it is sent.
    let look = async |cookies: Cookies, request: Request, next: Next| {
        let response = next.run(request).await;
        let id = cookies.get(COOKIE).map_or("none".to_owned(), |cookie| cookie.value().to_owned());
        ([("x-seen", id)], response)
    };
    let store = MemoryStore::new();
    let routes = || routes().route("/theme", post(theme));
    let jar_outside = routes().layer(SessionLayer::new(store.clone())).layer(from_fn(look));
    let jar_outside = jar_outside.layer(CookieManagerLayer::new());
    let jar_inside = routes().layer(from_fn(look)).layer(CookieManagerLayer::new());
    let jar_inside = jar_inside.layer(SessionLayer::new(store.clone()));
    for (app, is_shared) in [(jar_outside, true), (jar_inside, false)] {
        let mut client = Client::new(&app);
        let login = client.post("/login").await;
        let seen = if is_shared { client.jar[COOKIE].as_str() } else { "none" };
        assert_eq!((login.all("x-seen"), login.set_cookies().len()), (vec![seen], 1));
        assert_eq!(client.get("/count").await.body, "1");
        assert_eq!(client.post("/theme").await.set_cookies().len(), 2);
        assert_eq!(client.jar.keys().collect::<Vec<_>>(), ["theme"]);
    }
    assert!(store.is_empty());
}

#[tokio::test]
async fn an_id_can_travel_in_a_header() {
    let transports = [
        (HeaderTransport::bearer(), "session-id", "authorization", "Bearer "),
        (HeaderTransport::named(HeaderName::from_static("x-sid")), "x-sid", "x-sid", ""),
        (
            HeaderTransport::bearer().response_header(HeaderName::from_static("x-new")),
            "x-new",
            "authorization",
            "Bearer ",
        ),
    ];
    for (transport, response_header, request_header, scheme) in transports {
        let layer = SessionLayer::builder(MemoryStore::new()).transport(transport).build().unwrap();
        let app = routes().layer(layer);
        let mut client = Client::new(&app);
        let login = client.post("/login").await;
        assert_no_cookie(&login);
        assert_eq!(login.all("cache-control"), ["no-store"]);
        assert_eq!(login.all("session-id").len(), usize::from(response_header == "session-id"));
        let value = format!("{scheme}{}", login.all(response_header)[0]);
        let headers = [(request_header, value.as_str())];
        let counted = client.send(Method::GET, "/count", &headers).await;
        assert_eq!((counted.body.as_str(), counted.all("vary")), ("1", vec![request_header]));
        let gone = client.send(Method::POST, "/logout", &headers).await;
        assert_eq!(gone.all(response_header), [""]);
        assert_eq!(client.send(Method::GET, "/attrs", &headers).await.body, "none");
    }
}

/// B66.
#[tokio::test]
async fn a_missing_layer_names_itself() {
    let answer = Client::new(&routes()).get("/count").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains("SessionLayer::new"), "{}", answer.body);
}

#[tokio::test]
async fn a_plain_tower_stack_works() {
    use axum::body::{Body, Bytes};
    use axum::extract::FromRequestParts;
    use axum::http::{Request, Response};
    use http_body_util::{BodyExt, Full};
    use tower::{Layer, ServiceExt, service_fn};
    let inner = service_fn(async |request: Request<()>| {
        let (mut parts, ()) = request.into_parts();
        let text = if parts.uri.path() == "/login" {
            let visitor = MaybeSession::from_request_parts(&mut parts, &()).await.expect("the store works");
            visitor.start(NewSession::new().principal("ann")).expect("a session starts");
            "in".to_owned()
        } else {
            match Session::from_request_parts(&mut parts, &()).await {
                Ok(sess) => sess.principal().expect("somebody is signed in").to_string(),
                Err(rejection) => rejection.to_string(),
            }
        };
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from(text)))
    });
    let service = SessionLayer::new(MemoryStore::new()).layer(inner);
    let call = async |path: &str, cookie: &str| {
        let request = Request::builder().uri(path).header(header::COOKIE, cookie).body(()).unwrap();
        let response: Response<Body> = service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        (parts.headers, String::from_utf8(text.to_vec()).unwrap())
    };
    assert_eq!(call("/", "").await.1, "no session");
    let (headers, _) = call("/login", "").await;
    let cookie = headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
    let (headers, text) = call("/", cookie).await;
    assert_eq!((text.as_str(), headers[header::VARY].as_bytes()), ("ann", b"cookie".as_slice()));
}

/// A18, R22.
#[tokio::test]
async fn vary_and_no_store_win_over_what_the_handler_said() {
    let public = async |visitor: MaybeSession| {
        visitor.start(NewSession::new())?;
        let headers = [(header::CACHE_CONTROL, "public, max-age=3600"), (header::VARY, "Accept")];
        Ok::<_, SessionError>((headers, "x").into_response())
    };
    let app = Router::new().route("/", get(public)).layer(SessionLayer::new(MemoryStore::new()));
    let answer = Client::new(&app).get("/").await;
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert_eq!(answer.all("vary"), ["Accept", "cookie"]);
}

/// A17, R23.
#[tokio::test]
async fn the_vary_header_is_there_for_every_method_that_reads() {
    let touch = async |sess: Option<Session>| sess.map(drop).map_or("none", |()| "some");
    let app = Router::new().route("/", axum::routing::any(touch)).layer(SessionLayer::new(MemoryStore::new()));
    for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
    {
        assert_eq!(Client::new(&app).send(method, "/", &[]).await.all("vary"), ["cookie"]);
    }
}
