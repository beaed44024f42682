use std::time::Duration;

use axum::http::Request;
use session_axum::testing::{SessionEffect, TestClient, TestSessions};

use super::*;

const MILK: &[(&str, &str)] = &[("name", "milk")];

/// The application, and a browser in which Ann has signed in.
async fn signed_in() -> (TestSessions, SessionLayer, TestClient<Router>) {
    let sessions = TestSessions::new();
    let layer = session_layer(sessions.layer()).unwrap();
    let ann = sessions.sign_in(&layer, NewSession::new().principal("ann")).await.client(app(layer.clone()));
    (sessions, layer, ann)
}

/// What htmx sends for a form.
fn by_htmx(path: &str, form: &str) -> Request<String> {
    let request = Request::post(path).header("hx-request", "true").header("hx-current-url", "https://app.test/");
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned()).unwrap()
}

/// The token in the forms of a page.
fn token_in(page: &str) -> &str {
    let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").expect("the form has a token");
    rest.split('"').next().expect("the value ends")
}

/// P74.
#[tokio::test]
async fn without_scripts_a_form_leads_to_the_page_with_a_message_that_is_shown_once() {
    let (_, _, mut ann) = signed_in().await;
    let added = ann.submit("/add", MILK).await;
    assert_eq!((added.status(), &added.headers()["location"]), (StatusCode::SEE_OTHER, &HeaderValue::from_static("/")));
    let page = ann.get("/").await.into_body();
    assert!(page.contains("milk is on the list.") && page.contains("Remove milk"), "{page}");
    assert!(!ann.get("/").await.body().contains("milk is on the list."));
}

/// P74.
#[tokio::test]
async fn htmx_gets_the_part_of_the_page_that_it_replaces() {
    let (_, _, mut ann) = signed_in().await;
    let part = ann.send(by_htmx("/add", "name=milk")).await;
    assert_eq!(part.status(), StatusCode::OK);
    assert!(part.body().starts_with("<section id=\"list\">") && part.body().contains("milk is on the list."));
    assert!(!ann.get("/").await.body().contains("milk is on the list."), "it was shown already");

    let part = ann.send(by_htmx("/remove", "number=1")).await;
    assert!(!part.body().contains("milk"), "{}", part.body());
}

/// P74.
#[tokio::test]
async fn where_the_session_is_gone_htmx_is_led_to_the_sign_in_page_and_back() {
    let (sessions, _, mut ann) = signed_in().await;
    sessions.advance(Duration::from_secs(30 * 60));
    let refused = ann.send(by_htmx("/add", "name=milk")).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["hx-redirect"], "/sign-in?next=%2F");

    let form = refused.headers()["hx-redirect"].to_str().unwrap().to_owned();
    let signed_in = ann.submit(&form, &[("user", "ann"), ("password", "a")]).await;
    assert_eq!(SessionEffect::of(&signed_in), SessionEffect::Started);
    assert_eq!(signed_in.headers()["location"], "/");
}

/// P74.
#[tokio::test]
async fn a_browser_that_does_not_say_where_a_form_comes_from_needs_the_token_of_the_page() {
    let (_, layer, mut ann) = signed_in().await;
    let mut old = ann.jar().clone().without_fetch_metadata().client(app(layer));
    assert_eq!(old.submit("/add", MILK).await.status(), StatusCode::FORBIDDEN);

    let page = old.get("/").await.into_body();
    let added = old.submit("/add", &[("name", "milk"), ("csrf_token", token_in(&page))]).await;
    assert_eq!(added.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn another_site_adds_nothing() {
    let (_, _, mut ann) = signed_in().await;
    assert_eq!(ann.send_cross_site(by_htmx("/add", "name=milk")).await.status(), StatusCode::FORBIDDEN);
    assert!(!ann.get("/").await.body().contains("milk"));
}

#[tokio::test]
async fn the_form_of_a_stranger_signs_in_with_the_token_of_its_page() {
    let sessions = TestSessions::new();
    let app = app(session_layer(sessions.layer()).unwrap());
    let mut stranger = sessions.jar().without_fetch_metadata().client(app);
    assert_eq!(stranger.get("/sign-in").await.status(), StatusCode::OK);
    let refused = stranger.submit("/sign-in", &[("user", "ann"), ("password", "a")]).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);

    let page = stranger.get("/sign-in").await.into_body();
    let fields = |user| [("user", user), ("password", "a"), ("csrf_token", token_in(&page))];
    assert_eq!(stranger.submit("/sign-in", &fields("")).await.status(), StatusCode::UNAUTHORIZED);
    let signed_in = stranger.submit("/sign-in", &fields("ann")).await;
    assert_eq!(SessionEffect::of(&signed_in), SessionEffect::Started);
}

#[tokio::test]
async fn the_list_is_bounded_and_its_items_are_shown_as_text() {
    let (_, _, mut ann) = signed_in().await;
    for number in 0..101 {
        ann.send(by_htmx("/add", &format!("name=%3Cb%3E{number}."))).await;
    }
    let page = ann.get("/").await.into_body();
    assert!(!page.contains("<b>") && page.contains("60;b&#62;100."), "{page}");
    assert_eq!(page.matches("Remove &#60;b").count(), 100);
    let too_long = ann.send(by_htmx("/add", &format!("name={}", "x".repeat(5000)))).await;
    assert_eq!(too_long.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn htmx_comes_from_this_server_and_nothing_else_may_run() {
    let (_, _, mut ann) = signed_in().await;
    assert!(ann.get("/").await.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("script-src 'self'"));
    assert!(ann.get("/htmx.js").await.body().contains("htmx"));
}
