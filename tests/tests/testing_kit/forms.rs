//! Where a request comes from, and tokens of forms.

use axum::http::{Request, StatusCode, header};
use session_axum::testing::{SessionEffect, TestClient, TestSessions};
use session_axum::{CrossOriginProtection, CsrfToken};

use super::*;

async fn protected(protection: CrossOriginProtection) -> (TestSessions, SessionLayer, TestClient<Router>) {
    let sessions = TestSessions::new();
    let layer = sessions.layer().build().unwrap();
    let routes = Router::new().route("/cart", get(cart).post(add)).layer(protection);
    let ann = sessions.sign_in(&layer, ann()).await.client(routes.layer(layer.clone()));
    (sessions, layer, ann)
}

fn form(path: &str, body: &str) -> Request<String> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.header(header::ACCEPT, "text/html").body(body.to_owned()).unwrap()
}

/// P15. P16.
#[tokio::test]
async fn a_page_of_ones_own_passes_and_another_sites_is_refused() {
    let (sessions, layer, mut ann) = protected(CrossOriginProtection::new().require_token()).await;
    assert_eq!(ann.post("/cart").await.status(), StatusCode::OK);
    let script = Request::post("/cart").body("").unwrap();
    assert_eq!(ann.send(script).await.status(), StatusCode::OK);
    let response = ann.send_cross_site(form("/cart", "")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(SessionEffect::of(&response), SessionEffect::Nothing);
    assert_eq!(ann.get("/cart").await.body(), "tea tea");

    // Over HTTP browsers say less, and `Origin` decides.
    let app = Router::new().route("/cart", post(add)).layer(CrossOriginProtection::new());
    let app = app.layer(sessions.layer().allow_http().build().unwrap());
    let mut developer = sessions.jar().at("http://localhost:3000").client(app);
    assert_eq!(developer.post("/cart").await.status(), StatusCode::OK);
    assert_eq!(developer.send_cross_site(form("/cart", "")).await.status(), StatusCode::FORBIDDEN);
    drop(layer);
}

/// P14. P16.
#[tokio::test]
async fn an_old_browser_needs_the_token_that_the_kit_gets() {
    let (_, layer, ann) = protected(CrossOriginProtection::new().require_token()).await;
    let mut ann = ann;
    let token = ann.jar().csrf_token(&layer).await;
    let jar = ann.jar().clone().without_fetch_metadata();
    let app = shop_with_forms(&layer);
    let mut old = jar.client(app);
    assert_eq!(old.submit("/cart", &[]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(old.submit("/cart", &[(CsrfToken::FIELD, "wrong")]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(old.submit("/cart", &[(CsrfToken::FIELD, &token)]).await.status(), StatusCode::OK);
    let request = Request::post("/cart").header(CsrfToken::HEADER, token).body("").unwrap();
    assert_eq!(old.send(request).await.status(), StatusCode::OK);
    assert_eq!(old.get("/cart").await.body(), "tea tea");
}

fn shop_with_forms(layer: &SessionLayer) -> Router {
    let routes = Router::new().route("/cart", get(cart).post(add));
    routes.layer(CrossOriginProtection::new().require_token()).layer(layer.clone())
}

/// P14.
#[tokio::test]
async fn a_strangers_token_is_that_of_the_session_that_they_get() {
    let (sessions, layer, _) = plain_shop();
    let mut jar = sessions.jar().without_fetch_metadata();
    let token = jar.csrf_token(&layer).await;
    assert_eq!(jar.cookie_names(), ["__Host-sessid"]);
    let mut stranger = jar.client(shop_with_forms(&layer));
    assert_eq!(stranger.submit("/cart", &[(CsrfToken::FIELD, &token)]).await.status(), StatusCode::OK);
    let mut other = sessions.sign_in(&layer, ann()).await.without_fetch_metadata().client(shop_with_forms(&layer));
    assert_eq!(other.submit("/cart", &[(CsrfToken::FIELD, &token)]).await.status(), StatusCode::FORBIDDEN);
}

/// P15.
#[tokio::test]
async fn cookies_cross_sites_as_their_flag_says() {
    use session_axum::{SameSite, SessionCookie};

    let link = || Request::get("/").header(header::ACCEPT, "text/html").body(()).unwrap();
    let picture = || Request::get("/").body(()).unwrap();
    let posted = || form("/", "");
    for (same_site, by_link, by_picture, by_form) in [
        (SameSite::Strict, false, false, false),
        (SameSite::Lax, true, false, false),
        (SameSite::None, true, true, true),
    ] {
        let sessions = TestSessions::new();
        let layer = sessions.layer().cookie(SessionCookie::new().same_site(same_site)).build().unwrap();
        let ann = sessions.sign_in(&layer, ann()).await;
        let goes = [
            ann.attach_cross_site(link()).headers().contains_key(header::COOKIE),
            ann.attach_cross_site(picture()).headers().contains_key(header::COOKIE),
            ann.attach_cross_site(posted()).headers().contains_key(header::COOKIE),
        ];
        assert_eq!(goes, [by_link, by_picture, by_form], "{same_site:?}");
    }
}

/// P15.
#[test]
fn a_request_has_what_a_browser_says_of_it() {
    let jar = TestSessions::new().jar();
    let said = |request: Request<()>| {
        let names = ["host", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"];
        names.map(|name| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned())
    };
    let page = || Request::get("/").header(header::ACCEPT, "text/html").body(()).unwrap();
    assert_eq!(said(jar.attach(page())), ["app.test", "", "same-origin", "navigate", "document"]);
    let script = Request::put("/").body(()).unwrap();
    assert_eq!(said(jar.attach(script)), ["app.test", "https://app.test", "same-origin", "cors", "empty"]);
    let there = jar.clone().at("http://shop.example:8080");
    let script = Request::post("/").body(()).unwrap();
    assert_eq!(said(there.attach(script)), ["shop.example:8080", "http://shop.example:8080", "", "", ""]);
    assert_eq!(said(jar.attach_cross_site(page())), ["app.test", "", "cross-site", "navigate", "document"]);
    // What the test says itself, stays.
    let own = Request::get("/").header("sec-fetch-site", "none").header(header::HOST, "b.test").body(()).unwrap();
    assert_eq!(said(jar.attach(own)), ["b.test", "", "none", "cors", "empty"]);
}
