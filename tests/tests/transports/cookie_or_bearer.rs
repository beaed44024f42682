//! Bearer tokens beside cookies, and who tries to use the one as the other.

use axum::http::{Method, StatusCode};
use session_axum::{SessionCookie, SessionLayer, Store};

use super::*;

const COOKIE: &str = "__Host-sessid";

fn app(store: impl Store) -> Router {
    routes().layer(SessionLayer::builder(store).cookie_or_bearer().build().unwrap())
}

/// Signs in by a bearer token, and returns that.
async fn token(app: &Router) -> String {
    let answer = With::headers(app, &authorized(&["Bearer"])).post("/login").await;
    assert_eq!((answer.status, answer.set_cookies()), (StatusCode::OK, vec![]));
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    answer.all("session-id")[0].to_owned()
}

async fn cookie(app: &Router) -> Client {
    let mut client = Client::new(app);
    let answer = client.post("/login").await;
    assert_eq!((answer.set_cookies().len(), answer.all("session-id")), (1, vec![]));
    client
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// T2.
#[tokio::test]
async fn browsers_have_cookies_and_other_clients_tokens() {
    on_each_store(async |store| {
        let app = app(store);
        let token = bearer(&token(&app).await);
        let mut browser = cookie(&app).await;
        let mut device = With::headers(&app, &authorized(&[&token]));
        for visit in ["1", "2"] {
            assert_eq!(browser.get("/count").await.body, visit);
            let answer = device.get("/count").await;
            assert_eq!((answer.body.as_str(), answer.all("vary")), (visit, vec!["cookie, authorization"]));
        }
        assert_eq!(browser.get("/by-bearer").await.body, "false");
        assert_eq!(device.get("/by-bearer").await.body, "true");
        // A new id goes the same way.
        let renewed = browser.post("/renew").await;
        assert_eq!((renewed.set_cookies().len(), renewed.all("session-id")), (1, vec![]));
        let renewed = device.post("/renew").await;
        assert!(renewed.set_cookies().is_empty());
        let token = bearer(renewed.all("session-id")[0]);
        assert_eq!(device.get("/user").await.body, "nobody");
        let mut device = With::headers(&app, &authorized(&[&token]));
        assert_eq!((browser.get("/count").await.body, device.get("/count").await.body), ("3".into(), "3".into()));
        let ended = device.post("/logout").await;
        assert_eq!((ended.all("session-id"), ended.set_cookies()), (vec![""], vec![]));
        assert_eq!(
            (device.get("/user").await.body.as_str(), browser.get("/user").await.body.as_str()),
            ("nobody", "ann")
        );
        assert_eq!(browser.post("/logout").await.set_cookies().len(), 1);
        assert_eq!(browser.get("/user").await.body, "nobody");
    })
    .await;
}

/// T3.
#[tokio::test]
async fn a_token_in_a_cookie_and_a_cookies_id_as_a_token_open_and_end_nothing() {
    on_each_store(async |store| {
        let app = app(store);
        let token = token(&app).await;
        let mut browser = cookie(&app).await;
        let id = browser.jar[COOKIE].clone();

        let mut thief = Client::new(&app);
        thief.jar.insert(COOKIE.into(), token.clone());
        assert_eq!(thief.get("/user").await.body, "nobody");
        assert_eq!(thief.get("/count").await.status, StatusCode::UNAUTHORIZED);
        let answer = thief.post("/logout").await;
        assert!(answer.set_cookies().is_empty(), "it is told nothing");
        thief.jar.insert(COOKIE.into(), token.clone());
        thief.post("/login").await;
        assert_ne!(thief.jar[COOKIE], token);

        let as_token = bearer(&id);
        let mut thief = With::headers(&app, &authorized(&[&as_token]));
        assert_eq!(thief.get("/user").await.body, "nobody");
        assert_eq!(thief.get("/count").await.status, StatusCode::UNAUTHORIZED);
        assert!(thief.post("/logout").await.all("session-id").is_empty());
        assert_ne!(thief.post("/login").await.all("session-id"), [id]);

        // Both are still there, where they belong.
        assert_eq!(browser.get("/user").await.body, "ann");
        assert_eq!(With::headers(&app, &[("authorization", &bearer(&token))]).get("/user").await.body, "ann");
    })
    .await;
}

/// T3. An id that a renewal has replaced leads to its session for a while, but not in the wrong way.
#[tokio::test]
async fn a_replaced_token_in_a_cookie_ends_nothing() {
    on_each_store(async |store| {
        let app = app(store);
        let old = token(&app).await;
        let renewed = With::headers(&app, &[("authorization", &bearer(&old))]).post("/renew").await;
        let new = bearer(renewed.all("session-id")[0]);
        let mut thief = Client::new(&app);
        thief.jar.insert(COOKIE.into(), old.clone());
        assert!(thief.post("/logout").await.set_cookies().is_empty());
        let mut device = With::headers(&app, &authorized(&[&new]));
        assert_eq!(device.get("/user").await.body, "ann");
        With::headers(&app, &[("authorization", &bearer(&old))]).post("/logout").await;
        assert_eq!(device.get("/user").await.body, "nobody");
    })
    .await;
}

/// T3. Also a layer that takes no tokens, and shares the sessions, opens none by a cookie.
#[tokio::test]
async fn a_token_in_the_cookie_of_another_layer_opens_nothing() {
    let layer = SessionLayer::builder(MemoryStore::new()).cookie_or_bearer().build().unwrap();
    let cookies = SessionLayer::new(layer.manager().clone());
    let tokens = session_axum::HeaderTransport::bearer();
    let shared = session_axum::SessionManager::builder(MemoryStore::new()).audience("all").build().unwrap();
    let token = token(&routes().layer(layer)).await;
    let mut client = Client::new(&routes().layer(cookies));
    client.jar.insert(COOKIE.into(), token);
    assert_eq!(client.get("/user").await.body, "nobody");
    // One that takes nothing but tokens opens both kinds, as it always has.
    let both = SessionLayer::builder(shared.clone()).cookie_or_bearer().build().unwrap();
    let alone = routes().layer(SessionLayer::builder(shared).transport(tokens).build().unwrap());
    let both = routes().layer(both);
    let ids = [self::token(&both).await, cookie(&both).await.jar[COOKIE].clone()];
    for id in ids {
        assert_eq!(With::headers(&alone, &[("authorization", &bearer(&id))]).get("/user").await.body, "ann");
    }
}

/// T3.
#[tokio::test]
async fn beside_a_token_the_cookie_is_not_looked_at() {
    let app = app(MemoryStore::new());
    let token = bearer(&token(&app).await);
    let browser = cookie(&app).await;
    for values in [
        &["Bearer"][..],
        &["bearer "],
        &["Bearer AAAAAAAAAAAAAAAAAAAAAAAA"],
        &["Bearer junk"],
        &["Bearer\tjunk"],
        &["Basic YTpi", "Bearer junk"],
    ] {
        let mut both = With { client: browser.clone(), headers: authorized(values) };
        let answer = both.get("/user").await;
        assert_eq!((answer.body.as_str(), answer.set_cookies()), ("nobody", vec![]), "{values:?}");
        both.post("/logout").await;
        let login = both.post("/login").await;
        assert_eq!((login.set_cookies(), login.all("session-id").len()), (vec![], 1), "{values:?}");
        assert_eq!(both.client.jar, browser.jar);
    }
    // Other schemes are for somebody else to read.
    let mut basic = With { client: browser.clone(), headers: authorized(&["Basic YTpi", "Digest Bearer"]) };
    assert_eq!(basic.get("/user").await.body, "ann");
    // Of several tokens the first counts that has a session, as of several cookies.
    let mut several = With::headers(&app, &authorized(&["Basic YTpi", "Bearer AAAAAAAAAAAAAAAAAAAAAAAA", &token]));
    assert_eq!(several.get("/user").await.body, "ann");
    assert_eq!(browser.clone().get("/user").await.body, "ann");
}

/// T4.
#[tokio::test]
async fn whoever_sends_no_good_token_is_answered_401_with_the_scheme() {
    let layer = SessionLayer::builder(MemoryStore::new()).cookie_or_bearer().sign_in_page("/login").build().unwrap();
    let gone = async |sess: Session| {
        sess.remove();
        Err::<(), _>(SessionError::from(session_axum::CoreError::Gone))
    };
    let own = async |_: Option<Session>| (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic")]);
    let app = routes().route("/gone", get(gone)).route("/own", get(own)).layer(layer);
    for value in ["Bearer", "Bearer junk", "Bearer AAAAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = With::headers(&app, &authorized(&[value])).get("/count").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.all("www-authenticate"), ["Bearer"]);
        assert!(answer.all("location").is_empty());
    }
    let token = bearer(&token(&app).await);
    let mut device = With::headers(&app, &authorized(&[&token]));
    assert_eq!(device.get("/own").await.all("www-authenticate"), ["Basic"], "the handler's own stays");
    let answer = device.get("/gone").await;
    assert_eq!((answer.status, answer.all("www-authenticate")), (StatusCode::UNAUTHORIZED, vec!["Bearer"]));
    // A browser is led to the login page.
    let answer = Client::new(&app).send(Method::GET, "/count", &[("accept", "text/html")]).await;
    assert_eq!((answer.status, answer.all("location")), (StatusCode::SEE_OTHER, vec!["/login?next=%2Fcount"]));
    assert!(answer.all("www-authenticate").is_empty());
}

/// T2.
#[tokio::test]
async fn tokens_go_beside_any_cookie() {
    for (cookie, name) in [
        (SessionCookie::new().name("shop").path("/"), "__Host-shop"),
        (SessionCookie::new().signed([session_axum::Key::generate()]), COOKIE),
    ] {
        let layer = SessionLayer::builder(MemoryStore::new()).cookie(cookie).cookie_or_bearer();
        let app = routes().layer(layer.build().unwrap());
        let token = bearer(&token(&app).await);
        assert_eq!(With::headers(&app, &authorized(&[&token])).get("/user").await.body, "ann");
        assert!(self::cookie(&app).await.jar.contains_key(name));
    }
    let layer = SessionLayer::builder(MemoryStore::new()).cookie_or_bearer().allow_http();
    assert!(cookie(&routes().layer(layer.build().unwrap())).await.jar.contains_key("sessid"));
}
