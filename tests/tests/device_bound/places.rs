//! Where the layer is, which cookie it has, and what comes from elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode};
use session_axum::{
    Adoption, DeviceBound, HeaderTransport, ManualClock, MemoryStore, NewSession, RequireSignedIn, SameSite,
    SessionCookie, SessionLayer, SessionManager,
};
use workspace_tests::client::Client;
use workspace_tests::log::Log;

use super::application::{Application, LIFETIME, MINUTE, SESSION, builder, routes};
use super::software_browser::{Offer, SoftwareBrowser};

fn clock() -> Arc<ManualClock> {
    Arc::default()
}

/// Signs in below a path, and sees that the session is bound and refreshed.
async fn assert_bound_at(app: &Router, clock: &Arc<ManualClock>, prefix: &str) -> SoftwareBrowser {
    let mut browser = SoftwareBrowser::new(app, clock);
    browser.post(&format!("{prefix}/login")).await;
    assert!(browser.binding.is_some(), "{:?}", browser.sent);
    for _ in 0..3 {
        assert_eq!(browser.get(&format!("{prefix}/bound")).await.body, "true");
        clock.advance(LIFETIME);
    }
    browser
}

/// D23
#[tokio::test]
async fn the_layer_serves_its_addresses_wherever_it_is() {
    // The outermost layer, with everything else inside.
    let clock = clock();
    let layer = |device_bound| builder(MemoryStore::new(), &clock).device_bound(device_bound).build().unwrap();
    let app = Router::new().nest("/shop", routes()).merge(routes()).layer(layer(DeviceBound::new()));
    let browser = assert_bound_at(&app, &clock, "/shop").await;
    assert!(browser.sent.iter().any(|(sent, _)| sent == "POST /dbsc/sessid/register"));
    // Outside of a guard, which would turn a refresh with a lapsed cookie away.
    let guarded = routes().layer(RequireSignedIn::new().except(["/login"])).layer(layer(DeviceBound::new()));
    assert_bound_at(&guarded, &clock, "").await;
    // Below a path as a service.
    let app = Router::new().nest_service("/shop", routes().layer(layer(DeviceBound::new())));
    let browser = assert_bound_at(&app, &clock, "/shop").await;
    assert!(browser.sent.iter().any(|(sent, _)| sent == "POST /shop/dbsc/sessid/register"));
    // In a router that is nested, twice, or merged.
    let device_bound = DeviceBound::new();
    let inner = routes().merge(device_bound.routes()).layer(layer(device_bound));
    assert_bound_at(&Router::new().nest("/shop", inner.clone()), &clock, "/shop").await;
    assert_bound_at(&Router::new().nest("/a", Router::new().nest("/b", inner.clone())), &clock, "/a/b").await;
    assert_bound_at(&Router::new().merge(inner), &clock, "").await;
    // At paths of one's own.
    let device_bound = DeviceBound::new().paths("/bind", "/bind/again");
    let inner = routes().merge(device_bound.routes()).layer(layer(device_bound));
    let browser = assert_bound_at(&Router::new().nest("/shop", inner), &clock, "/shop").await;
    assert!(browser.sent.iter().any(|(sent, _)| sent == "POST /shop/bind/again"));
}

/// D23
#[tokio::test]
async fn one_path_may_end_with_the_other() {
    let clock = clock();
    for (register, refresh) in [("/bind", "/again/bind"), ("/again/bind", "/bind")] {
        let device_bound = DeviceBound::new().paths(register, refresh);
        let layer = builder(MemoryStore::new(), &clock).device_bound(device_bound.clone()).build().unwrap();
        assert_bound_at(&routes().layer(layer.clone()), &clock, "").await;
        let inner = routes().merge(device_bound.routes()).layer(layer);
        for prefix in ["/shop", "/again"] {
            let browser = assert_bound_at(&Router::new().nest(prefix, inner.clone()), &clock, prefix).await;
            for path in [register, refresh] {
                assert!(browser.sent.iter().any(|(sent, _)| *sent == format!("POST {prefix}{path}")));
            }
        }
    }
}

/// D23, D24
#[tokio::test]
async fn a_nested_layer_without_routes_is_told_with_the_fix() {
    let clock = clock();
    let layer = builder(MemoryStore::new(), &clock).device_bound(DeviceBound::new()).build().unwrap();
    let app = Router::new().nest("/shop", routes().layer(layer));
    let (log, _guard) = Log::capture();
    for _ in 0..3 {
        let mut browser = SoftwareBrowser::new(&app, &clock);
        browser.is_old = true;
        assert_eq!(browser.post("/shop/login").await.status, StatusCode::OK);
    }
    assert_eq!(log.lines_with("DeviceBound::routes()"), 1, "{}", log.text());
}

#[tokio::test]
async fn routes_without_their_layer_name_the_fix() {
    let app: Router = DeviceBound::new().routes();
    let answer = Client::new(&app).post("/dbsc/sessid/refresh").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.body.contains("device_bound"), "{}", answer.body);
}

/// D23: with any options of the cookie.
#[tokio::test]
async fn the_bound_cookie_has_the_options_of_the_session_cookie() {
    for (cookie, prefix) in [
        (SessionCookie::new().name("shop"), ""),
        (SessionCookie::new().same_site(SameSite::Strict), ""),
        (SessionCookie::new().same_site(SameSite::None).partitioned(), ""),
        (SessionCookie::new().path("/shop"), "/shop"),
        (SessionCookie::new().without_prefix(), ""),
        (SessionCookie::new().signed([session_axum::Key::generate()]), ""),
        (SessionCookie::new().private([session_axum::Key::generate()]), ""),
        (SessionCookie::new().domain("app.test"), ""),
    ] {
        let clock = clock();
        let device_bound = DeviceBound::new();
        let inner = if prefix.is_empty() { routes() } else { Router::new().nest(prefix, routes()) };
        let layer = builder(MemoryStore::new(), &clock).cookie(cookie).device_bound(device_bound).build().unwrap();
        assert_bound_at(&inner.layer(layer), &clock, prefix).await;
    }
}

/// D23: a session of several hosts is bound at the host of the domain itself, where browsers allow it.
#[tokio::test]
async fn a_cookie_with_a_domain_binds_at_the_host_of_that_name_alone() {
    let clock = clock();
    let cookie = SessionCookie::new().domain("app.test");
    let layer = builder(MemoryStore::new(), &clock).cookie(cookie).device_bound(DeviceBound::new()).build().unwrap();
    let app = routes().layer(layer);
    let (log, _guard) = Log::capture();
    let mut browser = SoftwareBrowser::new(&app, &clock);
    browser.goes_to("https://www.app.test");
    assert!(Offer::of(&browser.post("/login").await).is_none());
    assert_eq!(log.lines_with("`domain`"), 1, "{}", log.text());
    let mut browser = SoftwareBrowser::new(&app, &clock);
    browser.is_old = true;
    let offer = Offer::of(&browser.post("/login").await).unwrap();
    let answer = browser.register(&offer, workspace_tests::Device::p256()).await;
    assert!(answer.body.contains("\"include_site\":true"), "{}", answer.body);
}

/// D23: each host with the cookie of its own.
#[tokio::test]
async fn hosts_with_cookies_of_their_own_bind_each_their_own() {
    let clock = clock();
    let layer = builder(MemoryStore::new(), &clock)
        .cookie_for_host("other.test", SessionCookie::new().name("other").path("/in"))
        .device_bound(DeviceBound::new())
        .build()
        .unwrap();
    let app = Router::new().nest("/in", routes()).merge(routes()).layer(layer);
    assert_bound_at(&app, &clock, "").await;
    let mut browser = SoftwareBrowser::new(&app, &clock);
    browser.goes_to("https://other.test");
    browser.post("/in/login").await;
    assert_eq!(browser.get("/in/bound").await.body, "true");
    assert_eq!(browser.binding.unwrap().identifier, "__Secure-other@other.test/in");
}

/// D4: neither a bearer token, nor another layer of the same sessions, opens what is bound.
#[tokio::test]
async fn no_other_way_opens_a_bound_session() {
    let clock = clock();
    let manager =
        SessionManager::builder(MemoryStore::new()).clock(Arc::clone(&clock)).audience("both").build().unwrap();
    let device_bound = SessionLayer::builder(manager.clone()).device_bound(DeviceBound::new()).build().unwrap();
    let plain = SessionLayer::builder(manager.clone()).build().unwrap();
    let bearer = SessionLayer::builder(manager.clone()).transport(HeaderTransport::bearer()).build().unwrap();
    let both =
        SessionLayer::builder(manager.clone()).cookie_or_bearer().device_bound(DeviceBound::new()).build().unwrap();
    let [app, plain, bearer, both] = [device_bound, plain, bearer, both].map(|layer| routes().layer(layer));
    let mut browser = SoftwareBrowser::new(&app, &clock);
    browser.post("/login").await;
    assert_eq!(browser.get("/bound").await.body, "true");
    clock.advance(MINUTE);
    let id = browser.cookie(SESSION).unwrap().to_owned();
    let token = format!("Bearer {id}");
    for (app, headers) in [
        (&plain, vec![]),
        (&bearer, vec![("authorization", token.as_str())]),
        (&both, vec![("authorization", &*token)]),
    ] {
        let mut other = browser.stolen();
        other.moved_to(app);
        assert_eq!(other.send(Method::GET, "/user", &headers).await.body, "nobody");
    }
    assert!(manager.get(&id).await.unwrap().is_none());
    browser.moved_to(&both);
    assert_eq!(browser.get("/user").await.body, "ann");
    // A session that a token has started is not asked to register.
    let answer = browser.stolen().send(Method::POST, "/login", &[("authorization", "Bearer")]).await;
    assert!(answer.headers.contains_key("session-id") && Offer::of(&answer).is_none());
}

/// D23: two layers with different cookies have different addresses, identifiers and cookies.
#[tokio::test]
async fn two_layers_bind_each_their_own_sessions() {
    let clock = clock();
    let layer = |name: &str| {
        let cookie = SessionCookie::new().name(name);
        builder(MemoryStore::new(), &clock).cookie(cookie).device_bound(DeviceBound::new()).build().unwrap()
    };
    let app = Router::new().nest("/staff", routes().merge(DeviceBound::new().routes()).layer(layer("staff")));
    let app = app.merge(routes()).layer(layer("shop"));
    let staff = assert_bound_at(&app, &clock, "/staff").await;
    let shop = assert_bound_at(&app, &clock, "").await;
    assert_eq!(staff.binding.as_ref().unwrap().identifier, "__Host-staff@app.test");
    assert_eq!(shop.binding.as_ref().unwrap().identifier, "__Host-shop@app.test");
}

/// D23: the default paths of two layers would be the same routes.
#[tokio::test]
async fn two_merged_routers_with_paths_of_their_own_bind_each_their_own_sessions() {
    let clock = clock();
    let part = |name: &str| {
        let (cookie, path) = (SessionCookie::new().name(name), |what| format!("/{name}/{what}"));
        let device_bound = DeviceBound::new().paths(path("bind"), path("refresh"));
        let layer = builder(MemoryStore::new(), &clock).cookie(cookie).device_bound(device_bound.clone());
        let inner = Router::new().nest(&format!("/{name}"), routes()).merge(device_bound.routes());
        inner.layer(layer.build().unwrap())
    };
    let app = part("staff").merge(part("shop"));
    let staff = assert_bound_at(&app, &clock, "/staff").await;
    let shop = assert_bound_at(&app, &clock, "/shop").await;
    assert_eq!(staff.binding.as_ref().unwrap().identifier, "__Host-staff@app.test");
    assert_eq!(shop.binding.as_ref().unwrap().identifier, "__Host-shop@app.test");
}

/// As the guide says it.
#[test]
#[should_panic(expected = "Overlapping method route")]
fn routes_at_the_default_paths_are_not_merged_twice() {
    let _: Router = DeviceBound::new().routes().merge(DeviceBound::new().routes());
}

/// D26: browsers don't wait for a refresh there, so a page of ours makes the request again.
#[tokio::test]
async fn a_link_from_elsewhere_leads_to_itself_once() {
    let app = Application::new();
    let mut browser = app.bound().await;
    app.clock.advance(LIFETIME);
    let from = |site| [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    for site in ["cross-site", "same-site"] {
        for path in ["/?q=evil%3Cscript%3E", "/user?q=evil"] {
            let page = browser.send(Method::GET, path, &from(site)).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(page.body.contains("location.replace(to)") && page.body.contains("http-equiv=refresh"));
            assert!(!page.body.contains("evil") && page.set_cookies().is_empty());
            assert!(page.headers["cache-control"].to_str().unwrap().contains("no-store"));
        }
    }
    // The second time it comes from our own origin, also if the browser could not refresh.
    assert_eq!(browser.send(Method::GET, "/", &from("same-origin")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.request(Method::GET, "/", &from("same-origin")).await.body, "ann");
    // With a proof, and for whoever has no session, nothing is different.
    assert_eq!(browser.send(Method::GET, "/", &from("cross-site")).await.body, "ann");
    let mut stranger = app.browser();
    assert_eq!(stranger.send(Method::GET, "/", &from("cross-site")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.send(Method::GET, "/user", &from("cross-site")).await.body, "nobody");
}

/// D4, D10: a session of another library takes the place of no bound one, and is not asked to register a key.
#[tokio::test]
async fn an_old_cookie_opens_and_replaces_no_bound_session() {
    let load = async |_id: String| Ok::<_, std::io::Error>(Some(NewSession::new().principal("ann")));
    let end = async |_id: String| Ok::<_, std::io::Error>(());
    let app = Application::with(DeviceBound::new(), |builder| builder.adopt(Adoption::of_cookie("old", load, end)));
    let mut visitor = app.browser();
    visitor.set_cookie("old", "an-old-id");
    let adopted = visitor.get("/user").await;
    assert_eq!(adopted.body, "ann");
    assert!(visitor.cookie(SESSION).is_some() && Offer::of(&adopted).is_none());

    let mut thief = app.bound().await.stolen();
    thief.set_cookie("old", "another-old-id");
    thief.set_cookie(super::application::BOUND, "");
    let refused = thief.get("/user").await;
    assert_eq!((&*refused.body, refused.set_cookies().len()), ("nobody", 0));
}
