//! Signing in by one line, at layers of every kind.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, request::Parts};
use session_axum::testing::{Jar, SessionEffect, TestRequest, TestSessions};
use session_axum::transport::{IssuedId, Outgoing, PresentedIds, Transport};
use session_axum::{
    HeaderTransport, Key, MaybeSession, MemoryStore, SameSite, Session, SessionCookie, SessionLayer, TrustedProxies,
};

use super::*;

/// The visitor of a jar sees who they are, and the layer's store has the session.
async fn assert_signed_in(jar: Jar, path: &str, layer: &SessionLayer) {
    let response = jar.client(shop(layer.clone())).get(path).await;
    assert_eq!((response.status(), response.body().as_str()), (StatusCode::OK, "ann"));
    assert_eq!(layer.manager().sessions_of("ann").await.unwrap().len(), 1);
}

/// P2. P5.
#[tokio::test]
async fn one_line_signs_in_whatever_the_cookies_settings() {
    let (new, keys) = (SessionCookie::new, || [Key::generate()]);
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let cookies = [
        (new(), "__Host-sessid"),
        (new().name("shop").same_site(SameSite::Strict), "__Host-shop"),
        (new().without_prefix(), "sessid"),
        (new().same_site(SameSite::None).partitioned(), "__Host-sessid"),
        (new().domain("app.test"), "__Secure-sessid"),
        (new().allow_http(), "sessid"),
        (new().signed(keys()), "__Host-sessid"),
        (new().private(keys()), "__Host-sessid"),
        (new().secure_by_scheme(proxies), "__Host-sessid"),
    ];
    for (cookie, name) in cookies {
        let sessions = TestSessions::new();
        for persistent in [false, true] {
            let builder = sessions.layer().cookie(cookie.clone()).max_sessions_per_principal(1);
            let layer = builder.build().unwrap();
            let new = if persistent { ann().remember(std::time::Duration::from_secs(86_400 * 30)) } else { ann() };
            let jar = sessions.sign_in(&layer, new).await;
            assert_eq!(jar.cookie_names(), [name]);
            assert_signed_in(jar.clone(), "/", &layer).await;
            let mut client = jar.client(shop(layer));
            client.post("/logout").await;
            assert!(client.jar().cookie_names().is_empty(), "what removes the cookie is for the same place");
            sessions.advance(std::time::Duration::from_millis(1));
        }
    }
}

/// P2.
#[tokio::test]
async fn a_cookie_with_a_path_goes_below_it_only() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().cookie(SessionCookie::new().path("/cart")).build().unwrap();
    let mut ann = sessions.sign_in(&layer, ann()).await.client(shop(layer.clone()));
    assert_eq!(ann.get("/").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ann.get("/cart").await.status(), StatusCode::OK);
}

/// P2. What a proxy adds to a request, a request in the handler's place can have.
#[tokio::test]
async fn a_cookie_by_the_scheme_is_had_over_http_too() {
    let sessions = TestSessions::new();
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let layer = sessions.layer().cookie(SessionCookie::new().secure_by_scheme(proxies)).build().unwrap();
    let mut jar = sessions.jar().at("http://app.test");

    let proxy = ConnectInfo("10.0.0.1:4711".parse::<SocketAddr>().unwrap());
    let request = Request::get("/").header("x-forwarded-proto", "http").extension(proxy);
    let mut login = TestRequest::at(&layer, jar.attach(request.body(()).unwrap()));
    login.extract::<MaybeSession>().await.unwrap().start(ann()).unwrap();
    jar.keep("/", login.finish().await.headers());
    assert_eq!(jar.cookie_names(), ["sessid"]);

    let mut seen = jar.client(shop(layer).layer(axum::Extension(proxy)));
    let page = Request::get("/").header("x-forwarded-proto", "http").body("").unwrap();
    assert_eq!(seen.send(page).await.body(), "ann");
}

/// P3.
#[tokio::test]
async fn one_line_signs_in_whatever_the_header() {
    let named = || HeaderTransport::named(HeaderName::from_static("x-session"));
    let transports = [
        HeaderTransport::bearer(),
        HeaderTransport::bearer().response_header(HeaderName::from_static("x-token")),
        named(),
        named().response_header(HeaderName::from_static("x-new-session")),
        HeaderTransport::named(axum::http::header::AUTHORIZATION),
    ];
    for transport in transports {
        let sessions = TestSessions::new();
        let layer = sessions.layer().transport(transport.clone()).build().unwrap();
        let jar = sessions.sign_in(&layer, ann()).await;
        assert!(jar.cookie_names().is_empty());
        assert_signed_in(jar.clone(), "/", &layer).await;

        // It learns a new id, and that the session has ended.
        let mut client = jar.clone().client(shop(layer.clone()));
        assert_eq!(SessionEffect::of(&client.post("/renew").await), SessionEffect::Renewed);
        assert_eq!(client.get("/").await.body(), "ann");
        assert_eq!(jar.client(shop(layer.clone())).get("/").await.status(), StatusCode::UNAUTHORIZED);
        client.post("/logout").await;
        assert_eq!(client.get("/").await.status(), StatusCode::UNAUTHORIZED);

        // A client that signs in at the application itself.
        let mut client = sessions.jar().by_header(transport).client(shop(layer));
        client.post("/login").await;
        assert_eq!(client.get("/").await.body(), "ann");
    }
}

/// P3.
#[tokio::test]
async fn a_layer_with_cookies_and_tokens_signs_in_by_either() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().cookie_or_bearer().build().unwrap();
    let browser = sessions.sign_in(&layer, ann()).await;
    assert_eq!(browser.cookie_names(), ["__Host-sessid"]);
    assert_signed_in(browser, "/", &layer).await;
    layer.manager().end_all_of("ann").await.unwrap();

    let mut phone = sessions.jar().by_header(HeaderTransport::bearer());
    phone.sign_in(&layer, ann()).await;
    let (name, token) = phone.header("/");
    assert_eq!((name.as_str(), token.to_str().unwrap().starts_with("Bearer ")), ("authorization", true));
    assert_signed_in(phone.clone(), "/", &layer).await;
    let mut request = TestRequest::at(&layer, phone.attach(Request::new(())));
    assert!(request.session().await.is_by_bearer());
}

/// The session's id in two headers, as one application's client sends it.
struct InTwoHeaders;

impl Transport for InTwoHeaders {
    fn name(&self) -> &str {
        "halves"
    }

    fn request_headers(&self) -> Vec<HeaderName> {
        vec![HeaderName::from_static("x-first"), HeaderName::from_static("x-second")]
    }

    fn read(&self, request: &Parts, presented: &mut PresentedIds) {
        if let [Some(first), Some(second)] = ["x-first", "x-second"].map(|name| request.headers.get(name)) {
            presented.push([first.as_bytes(), second.as_bytes()].concat());
        }
    }

    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
        let (first, second) = issued.id.as_str().split_at(12);
        for (name, half) in [("x-first", first), ("x-second", second)] {
            outgoing.headers().insert(name, HeaderValue::from_str(half).unwrap());
        }
    }

    fn forget(&self, _: &mut Outgoing<'_>) {}
}

/// P3. A transport whose client nobody can guess is driven by hand.
#[tokio::test]
async fn a_transport_of_the_applications_own_is_driven_by_its_response() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().transport(InTwoHeaders).build().unwrap();
    let mut login = TestRequest::at(&layer, Request::new(()));
    login.extract::<MaybeSession>().await.unwrap().start(ann()).unwrap();
    let told = login.finish().await;

    let mut request = Request::new(());
    request.headers_mut().clone_from(told.headers());
    assert_eq!(TestRequest::at(&layer, request).session().await.principal().as_deref(), Some("ann"));
}

/// P3. P17.
#[tokio::test]
#[should_panic(expected = "drive it by `TestRequest`")]
async fn signing_in_by_a_transport_that_nobody_can_guess_says_what_to_do() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().transport(InTwoHeaders).build().unwrap();
    sessions.sign_in(&layer, ann()).await;
}

/// P4.
#[tokio::test]
async fn each_host_has_its_cookie() {
    let sessions = TestSessions::new();
    let shop_cookie = SessionCookie::new().name("shop").domain("shop.example");
    let layer = sessions.layer().cookie_for_host("www.shop.example", shop_cookie).build().unwrap();

    let mut ann_there = sessions.jar().at("https://www.shop.example:8443");
    ann_there.sign_in(&layer, ann()).await;
    assert_eq!(ann_there.cookie_names(), ["__Secure-shop"]);
    assert_signed_in(ann_there.clone(), "/", &layer).await;
    // The layer's own cookie is that of all other hosts, where this browser has none.
    let elsewhere = ann_there.at("https://app.test").client(shop(layer.clone())).get("/").await;
    assert_eq!(elsewhere.status(), StatusCode::UNAUTHORIZED);
    layer.manager().end_all_of("ann").await.unwrap();

    let ann_here = sessions.sign_in(&layer, ann()).await;
    assert_eq!(ann_here.cookie_names(), ["__Host-sessid"]);
    assert_signed_in(ann_here, "/", &layer).await;
}

/// P5. What a login replaces, the kit's replaces too.
#[tokio::test]
async fn signing_in_again_replaces_the_session_and_ends_the_old_id() {
    let (sessions, layer, app) = plain_shop();
    let mut visitor = sessions.client(app.clone());
    visitor.post("/cart").await;
    let mut before = visitor.clone();
    visitor.jar().sign_in(&layer, ann()).await;
    assert_eq!(visitor.get("/").await.body(), "ann");
    assert_eq!(visitor.get("/cart").await.body(), "", "nobody asked to keep the cart");
    assert_eq!(before.get("/cart").await.status(), StatusCode::UNAUTHORIZED);
}

/// P17.
#[tokio::test]
#[should_panic(expected = "give `Jar::at` an origin that fits the cookie")]
async fn a_cookie_that_a_browser_there_refuses_is_told_with_the_fix() {
    let (sessions, layer, _) = plain_shop();
    sessions.jar().at("http://localhost:3000").sign_in(&layer, ann()).await;
}

/// P17.
#[tokio::test]
#[should_panic(expected = "its domain is \"shop.example\", and the origin's host \"app.test\"")]
async fn a_cookie_of_another_domain_is_told() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().cookie(SessionCookie::new().domain("shop.example")).build().unwrap();
    sessions.sign_in(&layer, ann()).await;
}

/// P17.
#[tokio::test]
#[should_panic(expected = "`.clock(sessions.clock())`")]
async fn a_layer_with_another_clock_is_told() {
    TestSessions::new().sign_in(&SessionLayer::new(MemoryStore::new()), ann()).await;
}

/// P17.
#[tokio::test]
#[should_panic(expected = "call `recover` before")]
async fn a_store_that_fails_at_signing_in_is_told() {
    let (sessions, layer, _) = plain_shop();
    sessions.fail(session_axum::testing::Operation::WRITES);
    sessions.sign_in(&layer, ann()).await;
}

/// P17.
#[tokio::test]
#[should_panic(expected = "nobody has signed in")]
async fn a_header_of_a_stranger_is_told() {
    TestSessions::new().jar().header("/");
}

/// P5. Asking is no use of the session.
#[tokio::test]
async fn a_session_has_the_name_that_a_page_of_devices_shows() {
    let (sessions, layer, app) = plain_shop();
    let jar = sessions.sign_in(&layer, ann()).await;
    let handle = jar.handle(&layer).await;
    let before = layer.manager().sessions_of("ann").await.unwrap();
    assert_eq!(before.iter().map(|record| record.key).collect::<Vec<_>>(), [handle]);
    sessions.advance(Duration::from_secs(600));
    assert_eq!(jar.handle(&layer).await, handle);
    let after = layer.manager().sessions_of("ann").await.unwrap();
    assert_eq!(after[0].accessed, before[0].accessed);

    assert!(layer.manager().end_one_of("ann", &handle).await.unwrap());
    assert_eq!(jar.client(app).get("/").await.status(), StatusCode::UNAUTHORIZED);
}

/// P17.
#[tokio::test]
#[should_panic(expected = "nobody has signed in")]
async fn a_stranger_has_no_name_on_a_page_of_devices() {
    let (sessions, layer, _) = plain_shop();
    sessions.jar().handle(&layer).await;
}

/// P17.
#[test]
#[should_panic(expected = "without a path")]
fn what_is_no_origin_is_told() {
    drop(TestSessions::new().jar().at("https://shop.example/cart"));
}

/// P5. The kit has no way in of its own: what it signs in with is checked as any other.
#[tokio::test]
async fn a_cookie_that_was_tampered_with_opens_nothing() {
    let sessions = TestSessions::new();
    let signed = SessionCookie::new().signed([Key::generate()]);
    let layer = sessions.layer().cookie(signed).build().unwrap();
    let (name, value) = sessions.sign_in(&layer, ann()).await.header("/");
    let mut forged = value.to_str().unwrap().to_owned();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    let request = |value: &str| Request::builder().header(&name, value).body(()).unwrap();
    let found = async |value: &str| {
        TestRequest::at(&layer, request(value)).extract::<Option<Session>>().await.unwrap().is_some()
    };
    assert!(!found(&forged).await);
    assert!(found(value.to_str().unwrap()).await);
}

/// P2.
#[tokio::test]
async fn all_of_it_can_be_done_in_a_task() {
    let (sessions, layer, app) = plain_shop();
    let task = tokio::spawn(async move {
        let mut jar = sessions.sign_in(&layer, ann()).await;
        jar.sign_in(&layer, ann()).await;
        jar.csrf_token(&layer).await;
        jar.handle(&layer).await;
        let mut request = sessions.request(ann()).await;
        request.session().await;
        request.extract::<SignedIn>().await.unwrap();
        request.finish().await;
        let mut client = jar.client(app);
        client.submit("/login", &[]).await;
        client.post("/cart").await;
        client.get("/").await.status()
    });
    assert_eq!(task.await.unwrap(), 200);
}
