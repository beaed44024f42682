//! A jar that keeps, sends and drops cookies as a browser does.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use session_axum::testing::{Jar, TestSessions};
use std::time::Duration;

use super::*;

fn keep(jar: &mut Jar, path: &str, set_cookies: &[&'static str]) {
    let set_cookies = set_cookies.iter().map(|cookie| (SET_COOKIE, HeaderValue::from_static(cookie)));
    jar.keep(path, &HeaderMap::from_iter(set_cookies));
}

/// The jar at `origin` after it got these cookies in a response for `/a/b`.
fn with(origin: &str, set_cookies: &[&'static str]) -> Jar {
    let mut jar = TestSessions::new().jar().at(origin);
    keep(&mut jar, "/a/b", set_cookies);
    jar
}

fn sent(jar: &Jar, path: &str) -> String {
    let request = jar.attach(Request::get(path).body(()).unwrap());
    request.headers().get(COOKIE).map_or("", |cookie| cookie.to_str().unwrap()).to_owned()
}

/// P12. Trap: a jar that goes on sending what was deleted hides a logout that does not work.
#[tokio::test]
async fn a_deleted_cookie_is_sent_no_more() {
    let (sessions, layer, app) = plain_shop();
    let mut ann = sessions.sign_in(&layer, ann()).await.client(app);
    ann.post("/logout").await;
    assert!(ann.jar().cookie_names().is_empty());
    assert_eq!(ann.get("/").await.status(), StatusCode::UNAUTHORIZED);

    for deletion in
        ["x=; Path=/; Max-Age=0", "x=; Path=/; Max-Age=-5", "x=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]
    {
        let mut jar = with("https://app.test", &["x=1; Path=/"]);
        assert_eq!(sent(&jar, "/"), "x=1");
        keep(&mut jar, "/", &[deletion]);
        assert_eq!(sent(&jar, "/"), "", "{deletion}");
    }
}

/// P12. Trap: a cookie that deletes another one must repeat its domain and path.
#[test]
fn what_deletes_a_cookie_has_its_name_domain_and_path() {
    let mut jar = with("https://www.shop.example", &["x=1; Path=/; Domain=shop.example"]);
    for elsewhere in ["x=; Path=/; Max-Age=0", "x=; Domain=shop.example; Path=/a; Max-Age=0", "y=; Path=/; Max-Age=0"] {
        keep(&mut jar, "/", &[elsewhere]);
        assert_eq!(sent(&jar, "/"), "x=1", "{elsewhere}");
    }
    keep(&mut jar, "/", &["x=; Path=/; Domain=shop.example; Max-Age=0"]);
    assert_eq!(sent(&jar, "/"), "");
}

/// P12.
#[test]
fn a_cookie_goes_where_it_belongs() {
    let jar = with("https://app.test", &["root=1; Path=/", "a=2; Path=/a", "folder=3", "b=4; Path=/b/"]);
    assert_eq!(sent(&jar, "/"), "root=1");
    assert_eq!(sent(&jar, "/a"), "a=2; folder=3; root=1", "the longest path first");
    assert_eq!(sent(&jar, "/a/c"), "a=2; folder=3; root=1");
    assert_eq!(sent(&jar, "/ab"), "root=1");
    assert_eq!(sent(&jar, "/b/c"), "b=4; root=1");

    let jar = with("https://www.shop.example", &["all=1; Path=/; Domain=.Shop.example", "this=2; Path=/"]);
    assert_eq!(sent(&jar, "/"), "all=1; this=2");
    assert_eq!(sent(&jar.clone().at("https://other.shop.example"), "/"), "all=1");
    assert_eq!(sent(&jar.clone().at("https://badshop.example"), "/"), "");
}

/// P12. Trap: browsers keep no `Secure` cookie over HTTP, so the kit's default is HTTPS.
#[test]
fn a_secure_cookie_needs_https() {
    let jar = with("https://app.test", &["x=1; Path=/; Secure", "y=2; Path=/"]);
    assert_eq!(sent(&jar, "/"), "x=1; y=2");
    assert_eq!(sent(&jar.at("http://app.test"), "/"), "y=2");
    assert_eq!(sent(&with("http://localhost:3000", &["x=1; Path=/; Secure", "y=2; Path=/"]), "/"), "y=2");
}

/// P12.
#[test]
fn a_browser_refuses_what_contradicts_a_cookies_name_or_flags() {
    let refused = [
        "__Host-x=1; Path=/",
        "__Host-x=1; Secure; Path=/a",
        "__Host-x=1; Secure",
        "__Host-x=1; Secure; Path=/; Domain=app.test",
        "__host-x=1; Path=/",
        "__Secure-x=1; Path=/",
        "x=1; Path=/; SameSite=None",
        "x=1; Path=/; Partitioned",
        "x=1; Path=/; Domain=other.test",
        "x=1; Path=/; Domain=pp.test",
        "no cookie",
    ];
    for cookie in refused {
        assert!(with("https://app.test", &[cookie]).cookie_names().is_empty(), "{cookie}");
    }
    for cookie in ["__Host-x=1; Secure; Path=/", "__Secure-x=1; Secure; Path=/a", "x=1; Secure; SameSite=None"] {
        assert_eq!(with("https://app.test", &[cookie]).cookie_names().len(), 1, "{cookie}");
    }
}

/// P12.
#[test]
fn a_lifetime_counts_from_the_response() {
    let sessions = TestSessions::new();
    let mut jar = sessions.jar();
    let all = [
        "short=1; Path=/; Max-Age=60",
        "age-wins=1; Path=/; Max-Age=120; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        // The clock begins at 2026-01-01.
        "date=1; Path=/; Expires=Thu, 01 Jan 2026 00:01:30 GMT",
        "long=1; Path=/; Max-Age=99999999999",
        "open=1; Path=/",
    ];
    keep(&mut jar, "/", &all);
    let names = |jar: &Jar| jar.cookie_names().join(" ");
    sessions.advance(Duration::from_secs(60) - Duration::from_millis(1));
    assert_eq!(names(&jar), "short age-wins date long open");
    sessions.advance(Duration::from_millis(1));
    assert_eq!(names(&jar), "age-wins date long open");
    sessions.advance(Duration::from_secs(30));
    assert_eq!(names(&jar), "age-wins long open");
    sessions.advance(Duration::from_secs(86_400 * 400));
    assert_eq!(names(&jar), "open", "browsers keep none longer than 400 days");
}

/// P12. What the request has itself is sent first.
#[test]
fn cookies_join_those_of_the_request() {
    let jar = with("https://app.test", &["x=1; Path=/"]);
    let request = jar.attach(Request::get("/").header(COOKIE, "y=2").body(()).unwrap());
    assert_eq!(request.headers()[COOKIE], "y=2; x=1");
    assert_eq!(request.headers().get_all(COOKIE).iter().count(), 1);
}

/// P13.
#[tokio::test]
async fn an_old_cookie_can_be_sent_again_on_purpose() {
    let (sessions, layer, app) = plain_shop();
    let mut ann = sessions.sign_in(&layer, ann()).await.client(app);
    let mut before = ann.clone();
    let mut thief = ann.jar().stolen().client(shop(layer));
    ann.post("/renew").await;
    assert_eq!(ann.get("/").await.body(), "ann");
    assert_eq!(before.get("/").await.status(), StatusCode::UNAUTHORIZED);

    // A thief keeps nothing of what the server says, and drops nothing.
    let header = thief.jar().header("/");
    assert_eq!(thief.get("/").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(thief.post("/login").await.status(), StatusCode::OK);
    thief.post("/logout").await;
    assert_eq!(thief.jar().header("/"), header);
}
