use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use clap::Parser;
use http_body_util::BodyExt;
use session_axum::{ManualClock, MemoryStore, SessionLayer};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use tower::ServiceExt;

use crate::options::Options;
use crate::pages::Site;

const TOKEN: &str = "open sesame";
const LOGIN: &str = "UserName=ann&Password=a&Login=Login";
const BEARER: (&str, &str) = ("authorization", "Bearer open sesame");

/// The demo, with what tests turn.
struct Demo {
    app: Router,
    clock: Arc<ManualClock>,
    store: FaultyStore,
}

impl Demo {
    fn new() -> Self {
        let (clock, store) = (Arc::new(ManualClock::default()), FaultyStore::new(MemoryStore::new()));
        let layer = SessionLayer::builder(store.clone()).clock(Arc::clone(&clock)).without_background_purge();
        let layer = layer.allow_http().build().unwrap();
        let site = Site::new(&Options::parse_from(["demo-app"]));
        Demo { app: super::all(layer, site, Some(TOKEN.parse().unwrap())).unwrap(), clock, store }
    }

    fn visitor(&self) -> Visitor {
        Visitor { app: self.app.clone(), cookies: BTreeMap::new() }
    }

    async fn signed_in(&self) -> Visitor {
        let mut visitor = self.visitor();
        assert_eq!(visitor.post("/demo", LOGIN).await.status, StatusCode::SEE_OTHER);
        visitor
    }
}

/// Somebody with a cookie jar.
#[derive(Clone)]
struct Visitor {
    app: Router,
    cookies: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Visitor {
    async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, "", &[]).await
    }

    async fn post(&mut self, path: &str, form: &str) -> Answer {
        let form_type = (header::CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded");
        self.send(Method::POST, path, form, &[form_type]).await
    }

    /// Sends a form and follows to where the answer leads, as browsers do.
    async fn submit(&mut self, path: &str, form: &str) -> Answer {
        let answer = self.post(path, form).await;
        self.follow(answer).await
    }

    async fn follow(&mut self, answer: Answer) -> Answer {
        match answer.headers.get(header::LOCATION) {
            Some(location) => self.get(location.to_str().unwrap()).await,
            None => answer,
        }
    }

    async fn send(&mut self, method: Method, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.cookies {
            request = request.header(header::COOKIE, format!("{name}={value}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, flags) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
            self.cookies.retain(|kept, _| kept != name || !flags.contains("Max-Age=0"));
        }
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    fn says(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    #[track_caller]
    fn assert_count(&self, visits: u32) {
        assert!(self.says(&format!("Since login you visited {visits} times!")), "{}", self.body);
    }

    #[track_caller]
    fn assert_login_form(&self) {
        assert_eq!(self.status, StatusCode::OK);
        assert!(self.says(r#"name="UserName""#) && self.says(r#"name="Password""#), "{}", self.body);
        assert!(!self.says("Hello"), "{}", self.body);
    }
}

#[tokio::test]
async fn the_root_leads_to_the_demo() {
    let answer = Demo::new().visitor().get("/").await;
    assert_eq!((answer.status, &answer.headers[header::LOCATION]), (StatusCode::SEE_OTHER, &"/demo".parse().unwrap()));
}

#[tokio::test]
async fn a_stranger_sees_the_form_and_gets_no_cookie() {
    let demo = Demo::new();
    let answer = demo.visitor().get("/demo").await;
    answer.assert_login_form();
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
    assert!(demo.store.inner().is_empty());
}

#[tokio::test]
async fn the_page_after_the_login_counts_one_and_each_further_visit_counts() {
    let mut ann = Demo::new().visitor();
    let answer = ann.submit("/demo", LOGIN).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.says("Hello ann!"));
    answer.assert_count(1);
    ann.get("/demo").await.assert_count(2);
    ann.submit("/demo", "").await.assert_count(3);
    let answer = ann.send(Method::POST, "/demo", "{}", &[("content-type", "application/json")]).await;
    ann.follow(answer).await.assert_count(4);
    let answer = ann.send(Method::POST, "/demo", "", &[]).await;
    ann.follow(answer).await.assert_count(5);
}

/// B80.
#[tokio::test]
async fn every_form_is_answered_by_the_way_to_the_page() {
    let demo = Demo::new();
    let mut visitor = demo.visitor();
    for (form, leads_to) in [
        ("UserName=ann&Password=b&Login=Login", "/demo?refused"),
        ("UserName=ann&Password=a", "/demo"),
        (LOGIN, "/demo"),
        (LOGIN, "/demo"),
        ("", "/demo"),
        ("Logout=Logout", "/demo"),
        ("Logout=Logout", "/demo"),
    ] {
        let answer = visitor.post("/demo", form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{form}");
        assert_eq!(answer.headers[header::LOCATION], leads_to, "{form}");
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn a_login_form_sent_while_signed_in_only_counts() {
    let mut ann = Demo::new().signed_in().await;
    for (count, form) in [(1, "UserName=bob&Password=a&Login=Login"), (2, "UserName=bob&Password=b&Login=Login")] {
        let answer = ann.submit("/demo", form).await;
        answer.assert_count(count);
        assert!(answer.says("Hello ann!") && !answer.says("bob") && !answer.says("Invalid"), "{}", answer.body);
    }
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_words() {
    let demo = Demo::new();
    let too_long = "n".repeat(super::MAX_FORM_BYTES);
    for (user, password) in [("ann", "b"), ("ann", ""), ("", "a"), ("ann", "A"), ("ann", "aa"), (&too_long, "a")] {
        let mut visitor = demo.visitor();
        let answer = visitor.submit("/demo", &format!("UserName={user}&Password={password}&Login=Login")).await;
        answer.assert_login_form();
        assert!(answer.says("Invalid user name or password!"), "{user:.9} {password}");
        assert!(visitor.cookies.is_empty());
    }
    assert!(demo.store.inner().is_empty());
    assert!(!demo.visitor().get("/demo").await.says("Invalid"));
}

#[tokio::test]
async fn the_words_of_a_refused_login_are_not_for_whoever_is_signed_in() {
    let mut ann = Demo::new().signed_in().await;
    let answer = ann.get("/demo?refused").await;
    answer.assert_count(1);
    assert!(!answer.says("Invalid"));
}

#[tokio::test]
async fn any_user_name_will_do() {
    // The longest, in characters that take most room in a session: six bytes for the three of a form.
    let longest = "%01".repeat((super::MAX_FORM_BYTES - 100) / 3);
    for (user, shown) in
        [("a", "Hello a!"), ("%20", "Hello  !"), ("%C5%81%C3%B3d%C5%BA", "Hello Łódź!"), (&longest, "Hello \u{1}")]
    {
        let mut visitor = Demo::new().visitor();
        let answer = visitor.submit("/demo", &format!("UserName={user}&Password=a&Login=Login")).await;
        assert!(answer.says(shown), "{user:.9}");
        visitor.get("/demo").await.assert_count(2);
    }
}

#[tokio::test]
async fn what_was_typed_is_shown_nowhere_after_a_refusal() {
    let mut visitor = Demo::new().visitor();
    let answer = visitor.post("/demo", "UserName=hunter2&Password=s3cret&Login=Login").await;
    let location = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
    let page = visitor.get(&location).await;
    for text in [location, answer.body, page.body] {
        assert!(!text.contains("s3cret") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_form_without_its_button_signs_nobody_in() {
    Demo::new().visitor().submit("/demo", "UserName=ann&Password=a").await.assert_login_form();
}

#[tokio::test]
async fn credentials_in_the_address_are_ignored() {
    let mut visitor = Demo::new().visitor();
    visitor.get(&format!("/demo?{LOGIN}")).await.assert_login_form();
    visitor.submit(&format!("/demo?{LOGIN}"), "").await.assert_login_form();
    assert!(visitor.cookies.is_empty());
}

#[tokio::test]
async fn logging_out_shows_the_form_and_the_old_cookie_is_useless() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    let mut thief = ann.clone();
    ann.submit("/demo", "Logout=Logout").await.assert_login_form();
    assert!(ann.cookies.is_empty());
    ann.get("/demo").await.assert_login_form();
    thief.get("/demo").await.assert_login_form();
    ann.submit("/demo", LOGIN).await.assert_count(1);
}

#[tokio::test]
async fn names_are_escaped() {
    let mut visitor = Demo::new().visitor();
    let form = "UserName=%3Cscript%3E%22%27%26&Password={}&Login=Login";
    for password in ["a", "b"] {
        let answer = visitor.submit("/demo", &form.replace("{}", password)).await;
        assert!(!answer.says("<script>") && !answer.says("\"'&"), "{}", answer.body);
        visitor.post("/demo", "Logout=Logout").await;
    }
}

#[tokio::test]
async fn pages_are_not_kept_by_browsers() {
    let mut ann = Demo::new().signed_in().await;
    assert_eq!(ann.get("/demo").await.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn the_session_ends_after_the_idle_timeout() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    demo.clock.advance(Duration::from_secs(30 * 60));
    ann.get("/demo").await.assert_login_form();
}

#[tokio::test]
async fn an_outage_is_explained_and_passes() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    demo.store.faults().fail_every(Operation::ALL, Fault::Refused);
    for answer in [ann.get("/demo").await, ann.post("/demo", LOGIN).await, demo.visitor().post("/demo", LOGIN).await] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.says("try again") && answer.says("<!doctype html>"), "{}", answer.body);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
    demo.visitor().get("/demo").await.assert_login_form();
    demo.store.faults().recover();
    ann.get("/demo").await.assert_count(1);
}

/// R28, R40.
#[tokio::test]
async fn an_administrator_lists_sessions_by_handle_and_ends_one() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    let page = demo.visitor().send(Method::GET, "/demo/admin", "", &[BEARER]).await;
    assert!(page.says("ann"), "{}", page.body);
    assert!(!page.says(&ann.cookies["sessid"]), "the page shows an id");

    let handle = page.body.split(r#"name="handle" value=""#).nth(1).unwrap().split('"').next().unwrap();
    let headers = [BEARER, ("content-type", "application/x-www-form-urlencoded")];
    let ended = demo.visitor().send(Method::POST, "/demo/admin/end", &format!("handle={handle}"), &headers).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    ann.get("/demo").await.assert_login_form();
}

/// R40.
#[tokio::test]
async fn the_administrators_routes_need_the_token() {
    let mut visitor = Demo::new().visitor();
    let wrong =
        ["Bearer open sesam", "Bearer", "Basic OnNlc2FtZQ==", "Basic !", "Basic b3BlbiBzZXNhbWU=", "open sesame"];
    for path in ["/demo/admin", "/demo/purge"] {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
        for token in wrong {
            let answer = visitor.send(Method::GET, path, "", &[("authorization", token)]).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
        }
        assert_eq!(visitor.send(Method::GET, path, "", &[BEARER]).await.status, StatusCode::OK);
    }
    let as_password = ("authorization", "Basic YWRtaW46b3BlbiBzZXNhbWU=");
    assert_eq!(visitor.send(Method::GET, "/demo/admin", "", &[as_password]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_sites_page_can_not_use_the_token_that_a_browser_remembers() {
    let mut visitor = Demo::new().visitor();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let mut end = async |from| {
        let headers = [BEARER, form, ("host", "demo.example"), from];
        visitor.send(Method::POST, "/demo/admin/end", "handle=none", &headers).await.status
    };
    for other in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        assert_eq!(end(other).await, StatusCode::FORBIDDEN, "{other:?}");
    }
    for own in [("origin", "http://demo.example"), ("sec-fetch-site", "same-origin")] {
        assert_ne!(end(own).await, StatusCode::FORBIDDEN, "{own:?}");
    }
}

/// R51.
#[tokio::test]
async fn another_sites_page_can_sign_nobody_in_or_out() {
    let demo = Demo::new();
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let host = ("host", "demo.example");
    for (headers, is_own) in [
        (&[("sec-fetch-site", "cross-site"), ("origin", "http://evil.example"), host][..], false),
        (&[("sec-fetch-site", "same-site"), ("origin", "http://other.demo.example"), host], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", "null"), host], false),
        (&[("origin", "http://evil.example"), host], false),
        (&[("origin", "http://demo.example:8080"), host], false),
        (&[("origin", "null"), host], false),
        (&[("origin", "null")], false),
        (&[("origin", "http://demo.example"), host], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", "null"), host], true),
        (&[host], true),
        (&[], true),
    ] {
        let headers = [headers, &[form_type]].concat();
        let mut visitor = demo.visitor();
        let answer = visitor.send(Method::POST, "/demo", LOGIN, &headers).await;
        let expected = if is_own { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, expected, "{headers:?}");
        assert_eq!(visitor.cookies.is_empty(), !is_own, "{headers:?}");

        let mut ann = demo.signed_in().await;
        assert_eq!(ann.send(Method::POST, "/demo", "Logout=Logout", &headers).await.status, expected, "{headers:?}");
        assert_eq!(ann.cookies.is_empty(), is_own, "{headers:?}");
    }
    // A link from elsewhere shows the page.
    demo.visitor().send(Method::GET, "/demo", "", &[("sec-fetch-site", "cross-site")]).await.assert_login_form();
}

/// R40.
#[tokio::test]
async fn a_path_that_is_not_there_is_404_with_and_without_the_token() {
    let mut visitor = Demo::new().visitor();
    for path in ["/favicon.ico", "/demo/", "/demo/nothing", "/demo/admin/nothing", "/admin"] {
        for headers in [&[][..], &[BEARER]] {
            let answer = visitor.send(Method::GET, path, "", headers).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert!(!answer.headers.contains_key(header::WWW_AUTHENTICATE), "{path}");
        }
    }
}

#[tokio::test]
async fn purging_tells_how_many_and_whether_it_is_done() {
    let demo = Demo::new();
    for _ in 0..3 {
        demo.signed_in().await;
    }
    demo.clock.advance(Duration::from_secs(3600));
    demo.signed_in().await;
    let answer = demo.visitor().send(Method::GET, "/demo/purge", "", &[BEARER]).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"{"completed":true,"purged":3}"#));

    demo.store.faults().fail_every(Operation::ALL, Fault::Refused);
    let answer = demo.visitor().send(Method::GET, "/demo/purge", "", &[BEARER]).await;
    let expected = (StatusCode::SERVICE_UNAVAILABLE, r#"{"completed":false,"purged":0}"#);
    assert_eq!((answer.status, answer.body.as_str()), expected);
}

#[tokio::test]
async fn without_a_token_there_is_no_administration() {
    let site = Site::new(&Options::parse_from(["demo-app"]));
    let mut visitor = Visitor {
        app: super::all(SessionLayer::new(MemoryStore::new()), site, None).unwrap(),
        cookies: BTreeMap::new(),
    };
    for path in ["/demo/admin", "/demo/purge"] {
        assert_eq!(visitor.send(Method::GET, path, "", &[BEARER]).await.status, StatusCode::NOT_FOUND);
    }
}
