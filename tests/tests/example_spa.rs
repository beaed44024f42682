//! P72: the single-page application of the examples, in Chromium: its script, which the guide shows, and its second origin.

#![cfg(feature = "browser")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use session_axum::{ManualClock, MemoryStore, SessionLayer};
use tokio::net::TcpListener;
use workspace_tests::browser::{Browser, ChromeDriver};

// Its `main` is not called. Its own tests run here once more.
#[allow(dead_code, unreachable_pub)]
#[path = "../../examples/spa/src/main.rs"]
mod spa;

/// A port that is taken, and the origin of what will be served there.
async fn origin() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
    (listener, origin)
}

fn serve(listener: TcpListener, app: Router) {
    tokio::spawn(async move { axum::serve(listener, app).await });
}

/// Presses the button of a form whose answer changes the page, and leads to no other.
async fn press(browser: &Browser, form: &str) {
    browser.evaluate(&format!("document.querySelector('form[name={form}] button').click()")).await;
}

/// Waits until the page says this.
async fn says(browser: &Browser, words: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !browser.text().await.contains(words) {
        assert!(Instant::now() < deadline, "the page does not say {words:?}: {}", browser.text().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn draft(browser: &Browser) -> String {
    browser.evaluate("document.querySelector('textarea').value").await.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_page_and_that_of_a_second_origin_call_the_api_until_the_visitor_signs_out() {
    let Some(driver) = ChromeDriver::start() else { return };
    let ((listener, first), (second_listener, second)) = (origin().await, origin().await);
    let layer = spa::session_layer(SessionLayer::builder(MemoryStore::new()).allow_http()).expect("it can be built");
    serve(listener, spa::app(layer, Some(&second)).expect("the second origin is one"));
    serve(second_listener, spa::pages::second(&first));

    let browser = driver.open_browser().await;
    browser.open(&first).await;
    says(&browser, "Sign in").await;
    browser.fill_in("user", "ann").await;
    browser.fill_in("password", "b").await;
    press(&browser, "sign-in").await;
    says(&browser, "Wrong name or password.").await;
    browser.fill_in("password", "a").await;
    press(&browser, "sign-in").await;
    says(&browser, "Hello ann").await;
    browser.fill_in("text", "Dear").await;
    press(&browser, "draft").await;
    says(&browser, "Your draft is kept.").await;

    browser.open(&second).await;
    says(&browser, "Hello ann").await;
    assert_eq!(draft(&browser).await, "Dear");
    browser.fill_in("text", "Dear Bob").await;
    press(&browser, "draft").await;
    says(&browser, "Your draft is kept.").await;

    let other_tab = browser.open_tab(&first).await;
    says(&browser, "Hello ann").await;
    assert_eq!(draft(&browser).await, "Dear Bob");
    press(&browser, "sign-out").await;
    says(&browser, "Sign in").await;

    // The session has ended meanwhile: 401.
    browser.switch_to(other_tab).await;
    press(&browser, "draft").await;
    says(&browser, "Sign in").await;
}

/// The page asks for the password where the API wants it, and then repeats what it sent.
#[tokio::test]
async fn what_needs_the_password_again_is_done_once_it_was_given() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (listener, first) = origin().await;
    let clock = Arc::new(ManualClock::default());
    let builder = SessionLayer::builder(MemoryStore::new()).allow_http().clock(Arc::clone(&clock));
    let layer = spa::session_layer(builder).expect("it can be built");
    serve(listener, spa::app(layer, None).expect("there is no second origin"));

    let browser = driver.open_browser().await;
    browser.open(&first).await;
    says(&browser, "Sign in").await;
    browser.fill_in("user", "ann").await;
    browser.fill_in("password", "a").await;
    press(&browser, "sign-in").await;
    says(&browser, "Hello ann").await;
    browser.fill_in("text", "Dear").await;
    press(&browser, "draft").await;
    says(&browser, "Your draft is kept.").await;

    clock.advance(Duration::from_secs(10 * 60));
    press(&browser, "delete").await;
    says(&browser, "Your password, please").await;
    for (password, answer) in [("b", "Wrong password."), ("a", "Your draft is deleted.")] {
        let typed = format!("document.querySelector('dialog [name=password]').value = '{password}'");
        browser.evaluate(&typed).await;
        press(&browser, "confirm").await;
        says(&browser, answer).await;
    }
    let is_empty = async {
        while !draft(&browser).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_empty).await.expect("the draft is deleted");
}

/// An origin that is not named reads nothing, and can't tell that from a server that is not there.
#[tokio::test]
async fn the_page_of_an_origin_that_is_not_named_gets_nothing() {
    let Some(driver) = ChromeDriver::start() else { return };
    let ((listener, first), (third_listener, third)) = (origin().await, origin().await);
    let layer = spa::session_layer(SessionLayer::builder(MemoryStore::new()).allow_http()).expect("it can be built");
    serve(listener, spa::app(layer, Some("http://127.0.0.1:1")).expect("the second origin is one"));
    serve(third_listener, spa::pages::second(&first));

    let browser = driver.open_browser().await;
    browser.open(&third).await;
    says(&browser, "That did not work.").await;
    assert!(!browser.text().await.contains("Sign in"));
}
