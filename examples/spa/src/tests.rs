use std::time::Duration;

use axum::http::{HeaderMap, Request, Response};
use session_axum::HeaderTransport;
use session_axum::testing::{Jar, Operation, SessionEffect, TestClient, TestSessions};

use super::*;

const SECOND: &str = "https://admin.shop.test";
const THIRD: &str = "https://evil.example";

/// The application, with the kit's sessions.
struct Api {
    sessions: TestSessions,
    layer: SessionLayer,
    app: Router,
}

impl Api {
    fn open() -> Self {
        let sessions = TestSessions::new();
        let layer = session_layer(sessions.layer()).unwrap();
        let app = app(layer.clone(), Some(SECOND)).unwrap();
        Api { sessions, layer, app }
    }

    async fn ann(&self) -> TestClient<Router> {
        self.sessions.sign_in(&self.layer, NewSession::new().principal("ann")).await.client(self.app.clone())
    }

    /// A browser that shows a page of another origin, which calls the API. `site` is how the two origins are related.
    async fn page_of(&self, origin: &'static str, site: &'static str) -> impl Fn(Request<String>) -> Request<String> {
        let jar: Jar = self.sessions.sign_in(&self.layer, NewSession::new().principal("ann")).await;
        move |request| {
            let mut request = jar.attach(request);
            request.headers_mut().insert("origin", HeaderValue::from_static(origin));
            request.headers_mut().insert("sec-fetch-site", HeaderValue::from_static(site));
            request
        }
    }
}

fn json(method: &str, path: &str, body: &str) -> Request<String> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    request.body(body.to_owned()).unwrap()
}

fn get_of(path: &str) -> Request<String> {
    json("GET", path, "")
}

const SIGN_IN: &str = r#"{"user":"ann","password":"a"}"#;

/// P72.
#[tokio::test]
async fn the_page_signs_in_keeps_a_draft_and_signs_out() {
    let api = Api::open();
    let mut browser = api.sessions.client(api.app.clone());
    assert!(browser.get("/").await.body().contains("/app.js"));

    let wrong = browser.send(json("POST", "/api/sign-in", r#"{"user":"ann","password":"b"}"#)).await;
    assert_eq!((wrong.status().as_u16(), wrong.body().as_str()), (401, r#"{"reason":"wrong_password"}"#));
    let nobody = browser.send(json("POST", "/api/sign-in", r#"{"user":"","password":"a"}"#)).await;
    assert_eq!(nobody.status(), 401);
    let signed_in = browser.send(json("POST", "/api/sign-in", SIGN_IN)).await;
    assert_eq!(SessionEffect::of(&signed_in), SessionEffect::Started);
    assert_eq!(browser.send(get_of("/api/me")).await.body(), r#"{"user":"ann"}"#);

    assert_eq!(browser.send(json("PUT", "/api/draft", r#"{"text":"Dear"}"#)).await.status(), 204);
    let too_long = format!(r#"{{"text":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(browser.send(json("PUT", "/api/draft", &too_long)).await.status(), 413);
    assert_eq!(browser.send(get_of("/api/draft")).await.body(), r#"{"text":"Dear"}"#);

    assert_eq!(browser.send(json("POST", "/api/sign-out", "")).await.status(), 204);
    assert_eq!(browser.send(get_of("/api/me")).await.status(), 401);
}

/// P72.
#[tokio::test]
async fn a_script_without_a_session_is_told_401_as_json() {
    let api = Api::open();
    let refused = api.sessions.client(api.app.clone()).send(get_of("/api/me")).await;
    assert_eq!((refused.status().as_u16(), refused.body().as_str()), (401, r#"{"reason":"no_session"}"#));
}

/// P72.
#[tokio::test]
async fn the_mobile_client_has_a_token_and_no_cookie() {
    let api = Api::open();
    let mut mobile = api.sessions.jar().by_header(HeaderTransport::bearer()).client(api.app.clone());
    let signed_in = mobile.send(json("POST", "/api/sign-in", SIGN_IN)).await;
    assert!(signed_in.headers().contains_key("session-id") && !signed_in.headers().contains_key("set-cookie"));
    assert_eq!(mobile.send(get_of("/api/me")).await.body(), r#"{"user":"ann"}"#);

    let mut stolen = mobile.jar().stolen().client(api.app.clone());
    mobile.send(json("POST", "/api/sign-out", "")).await;
    let refused = stolen.send(get_of("/api/me")).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["www-authenticate"]), (401, &"Bearer".parse().unwrap()));
}

const CONFIRM: &str = r#"{"password":"a"}"#;

fn delete_of(path: &str) -> Request<String> {
    json("DELETE", path, "")
}

/// P72. The page and the mobile client alike.
#[tokio::test]
async fn the_password_is_asked_for_again_after_a_while() {
    let api = Api::open();
    let browser = api.sessions.client(api.app.clone());
    let mobile = api.sessions.jar().by_header(HeaderTransport::bearer()).client(api.app.clone());
    for mut client in [browser, mobile] {
        client.send(json("POST", "/api/sign-in", SIGN_IN)).await;
        client.send(json("PUT", "/api/draft", r#"{"text":"Dear"}"#)).await;
        api.sessions.advance(Duration::from_secs(10 * 60));
        let refused = client.send(delete_of("/api/draft")).await;
        assert_eq!((refused.status().as_u16(), refused.body().as_str()), (403, r#"{"reason":"not_fresh"}"#));
        let wrong = client.send(json("POST", "/api/confirm", r#"{"password":"b"}"#)).await;
        assert_eq!((wrong.status().as_u16(), wrong.body().as_str()), (403, r#"{"reason":"wrong_password"}"#));

        let mut with_the_old_id = client.clone();
        let confirmed = client.send(json("POST", "/api/confirm", CONFIRM)).await;
        assert_eq!((confirmed.status().as_u16(), SessionEffect::of(&confirmed)), (204, SessionEffect::Renewed));
        let late = with_the_old_id.send(get_of("/api/draft")).await;
        assert_eq!((late.status().as_u16(), late.body().as_str()), (401, r#"{"reason":"no_session"}"#));

        assert_eq!(client.send(get_of("/api/me")).await.body(), r#"{"user":"ann"}"#, "the answer to it removes no id");
        assert_eq!(client.send(delete_of("/api/draft")).await.status(), 204);
        assert_eq!(client.send(get_of("/api/draft")).await.body(), r#"{"text":""}"#);
    }
}

/// P72.
#[tokio::test]
async fn where_no_second_origin_is_named_there_is_none() {
    let mut api = Api::open();
    api.app = app(api.layer.clone(), None).unwrap();
    let second = api.page_of(SECOND, "same-site").await;
    let refused = answer(&api, second(json("PUT", "/api/draft", r#"{"text":"gone"}"#))).await;
    assert_eq!((refused.status().as_u16(), refused.body().as_str()), (403, r#"{"reason":"cross_site"}"#));
    assert!(!refused.headers().contains_key("access-control-allow-origin"));
}

#[track_caller]
fn may_be_read_by(headers: &HeaderMap, origin: Option<&str>) {
    let allowed = headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap());
    assert_eq!(allowed, origin);
    let vary: Vec<&str> = headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    let vary = vary.join(",").to_lowercase();
    assert!(vary.contains("origin"), "a cache must not give it to another origin: {vary}");
}

async fn answer(api: &Api, request: Request<String>) -> Response<String> {
    api.sessions.client(api.app.clone()).send(request).await
}

/// P72.
#[tokio::test]
async fn the_second_origin_calls_the_api_with_the_visitors_cookie() {
    let api = Api::open();
    let second = api.page_of(SECOND, "same-site").await;
    let me = answer(&api, second(get_of("/api/me"))).await;
    assert_eq!(me.body(), r#"{"user":"ann"}"#);
    may_be_read_by(me.headers(), Some(SECOND));
    assert_eq!(me.headers()["access-control-allow-credentials"], "true");
    let vary: Vec<_> =
        me.headers().get_all("vary").iter().map(|value| value.to_str().unwrap().to_lowercase()).collect();
    assert!(vary.join(",").contains("cookie"), "{vary:?}");

    let kept = answer(&api, second(json("PUT", "/api/draft", r#"{"text":"Dear"}"#))).await;
    assert_eq!(kept.status(), 204);
    may_be_read_by(kept.headers(), Some(SECOND));
}

/// P72.
#[tokio::test]
async fn the_second_origin_can_read_what_it_is_refused_with() {
    let api = Api::open();
    let mut request = get_of("/api/me");
    request.headers_mut().insert("origin", HeaderValue::from_static(SECOND));
    let refused = answer(&api, request).await;
    assert_eq!(refused.status(), 401);
    may_be_read_by(refused.headers(), Some(SECOND));

    let second = api.page_of(SECOND, "same-site").await;
    api.sessions.fail(Operation::WRITES);
    let failed = answer(&api, second(json("PUT", "/api/draft", r#"{"text":"Dear"}"#))).await;
    assert_eq!((failed.status().as_u16(), failed.body().as_str()), (503, r#"{"reason":"unavailable"}"#));
    may_be_read_by(failed.headers(), Some(SECOND));
}

/// P72.
#[tokio::test]
async fn another_origin_changes_nothing_and_reads_nothing() {
    let api = Api::open();
    let other = api.page_of(THIRD, "cross-site").await;
    let refused = answer(&api, other(json("PUT", "/api/draft", r#"{"text":"gone"}"#))).await;
    assert_eq!((refused.status().as_u16(), refused.body().as_str()), (403, r#"{"reason":"cross_site"}"#));
    may_be_read_by(refused.headers(), None);
    may_be_read_by(answer(&api, other(get_of("/api/draft"))).await.headers(), None);
    // Nobody is signed in to an account of somebody else's choice.
    assert_eq!(answer(&api, other(json("POST", "/api/sign-in", SIGN_IN))).await.status(), 403);
}

#[tokio::test]
async fn a_preflight_asks_no_store_and_names_the_allowed_origin_alone() {
    let api = Api::open();
    for (origin, allowed) in [(SECOND, Some(SECOND)), (THIRD, None)] {
        let preflight = Request::options("/api/draft").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "PUT");
        let answer = api.ann().await.send(preflight.body(String::new()).unwrap()).await;
        may_be_read_by(answer.headers(), allowed);
        assert!(!answer.headers().contains_key("set-cookie"));
    }
    api.sessions.fail(Operation::ALL);
    let preflight = Request::options("/api/draft").header("origin", SECOND).body(String::new()).unwrap();
    assert_eq!(answer(&api, preflight).await.status(), 200);
}

#[tokio::test]
async fn a_store_that_fails_is_503_as_json_and_the_cookie_stays() {
    let api = Api::open();
    let mut ann = api.ann().await;
    api.sessions.fail(Operation::READS);
    let failed = ann.send(get_of("/api/me")).await;
    assert_eq!((failed.status().as_u16(), failed.body().as_str()), (503, r#"{"reason":"unavailable"}"#));
    api.sessions.recover();
    assert_eq!(ann.send(get_of("/api/me")).await.body(), r#"{"user":"ann"}"#);
}
