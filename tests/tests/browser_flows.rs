//! T42, T52, T54, T57, T61: what happens to people between a form and its answer, in Chromium: they sign in late, their
//! session ends meanwhile, their password is asked for again, and another site tries to act for them.

#![cfg(feature = "browser")]

use std::sync::Arc;
use std::time::Duration;

use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use session_axum::{
    Authentication, CrossOriginProtection, CsrfToken, EndSession, Flash, FlashLevel, Fresh, ManualClock, MaybeSession,
    MemoryStore, NewSession, ReturnTo, SessionError, SessionLayer, SignedIn,
};
use tokio::net::TcpListener;
use workspace_tests::browser::{Browser, ChromeDriver};

const MONTH: Duration = Duration::from_secs(30 * 86_400);

#[derive(serde::Deserialize)]
struct Login {
    password: String,
    remember: Option<String>,
}

#[derive(serde::Deserialize)]
struct Transfer {
    amount: String,
}

async fn login_page(csrf: CsrfToken) -> Result<Html<String>, SessionError> {
    Ok(Html(format!(
        "<h1>Log in</h1><form method=post>{}<input name=password><input type=checkbox name=remember>\
         <button name=Login>Log in</button></form>",
        csrf.field()?
    )))
}

async fn login(visitor: MaybeSession, next: ReturnTo, Form(form): Form<Login>) -> Result<Response, SessionError> {
    if form.password != "a" {
        return Ok(Redirect::to("/login").into_response());
    }
    let new = NewSession::new().principal("ann").authenticated(Authentication::by(["pwd"]));
    visitor.start(if form.remember.is_some() { new.remember(MONTH) } else { new })?;
    Ok(next.or("/"))
}

async fn home(user: SignedIn) -> Html<String> {
    Html(format!(
        "<h1>Hello {}</h1><form method=post action=/logout><button name=Logout>Log out</button></form>",
        user.principal()
    ))
}

async fn transfer_page(user: SignedIn, flash: Flash) -> Result<Html<String>, SessionError> {
    let said: String = flash.take()?.iter().map(|message| format!("<p>{}</p>", message.text)).collect();
    Ok(Html(format!(
        "<h1>Transfer of {}</h1>{said}<form method=post><input name=amount><button name=Send>Send</button></form>",
        user.principal()
    )))
}

async fn transfer(_: Fresh, flash: Flash, Form(form): Form<Transfer>) -> Result<Redirect, SessionError> {
    // A test's amounts are digits, so there is nothing to escape.
    flash.push(FlashLevel::Success, format!("{} sent", form.amount))?;
    Ok(Redirect::to("/transfer"))
}

async fn confirm_page(_: SignedIn) -> Html<&'static str> {
    Html(
        "<h1>Your password again</h1><form method=post><input name=password><button name=Confirm>Go on</button></form>",
    )
}

async fn confirm(user: SignedIn, next: ReturnTo, Form(form): Form<Login>) -> Result<Response, SessionError> {
    assert_eq!(form.password, "a");
    user.reauthenticate(Authentication::by(["pwd"]))?;
    Ok(next.or("/"))
}

fn application(clock: &Arc<ManualClock>) -> Router {
    let layer = SessionLayer::builder(MemoryStore::new())
        .clock(Arc::clone(clock))
        .sign_in_page("/login")
        .confirm_page("/confirm")
        .never_return_to(["/logout"])
        .no_store_when_signed_in()
        .allow_http()
        .build()
        .expect("these settings work");
    Router::new()
        .route("/", get(home))
        .route("/login", get(login_page).post(login))
        .route("/transfer", get(transfer_page).post(transfer))
        .route("/confirm", get(confirm_page).post(confirm))
        .route(
            "/logout",
            post(async |ending: EndSession| {
                ending.end();
                Redirect::to("/login")
            }),
        )
        .layer(CrossOriginProtection::new().require_token())
        .layer(layer)
}

/// Serves a router until the test is over, and returns its port.
async fn serve(app: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

struct World {
    driver: ChromeDriver,
    clock: Arc<ManualClock>,
    origin: String,
}

impl World {
    async fn start() -> Option<Self> {
        let driver = ChromeDriver::start()?;
        let clock = Arc::new(ManualClock::default());
        let origin = format!("http://127.0.0.1:{}", serve(application(&clock)).await);
        Some(World { driver, clock, origin })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    async fn signed_in(&self) -> Browser {
        let browser = self.driver.open_browser().await;
        browser.open(&self.url("/login")).await;
        log_in(&browser).await;
        browser
    }
}

async fn log_in(browser: &Browser) {
    browser.fill_in("password", "a").await;
    browser.press("Login").await;
}

async fn send(browser: &Browser, amount: &str) {
    browser.fill_in("amount", amount).await;
    browser.press("Send").await;
}

async fn assert_shows(browser: &Browser, path: &str, text: &str) {
    let said = browser.text().await;
    assert!(said.contains(text), "the page should say {text:?}, but says {said:?}");
    assert_eq!(browser.path().await, path);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_has_a_way_back_to_the_page_that_was_asked_for() {
    let Some(world) = World::start().await else { return };
    let browser = world.driver.open_browser().await;
    browser.open(&world.url("/transfer?from=mail")).await;
    assert_shows(&browser, "/login?next=%2Ftransfer%3Ffrom%3Dmail", "Log in").await;
    browser.take_screenshot("way-to-the-login").await;
    log_in(&browser).await;
    assert_shows(&browser, "/transfer?from=mail", "Transfer of ann").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_was_open_for_too_long_leads_to_the_login_and_back() {
    let Some(world) = World::start().await else { return };
    let browser = world.signed_in().await;
    browser.open(&world.url("/transfer")).await;
    world.clock.advance(Duration::from_secs(1800));
    send(&browser, "5").await;
    assert_shows(&browser, "/login?next=%2Ftransfer", "Log in").await;
    log_in(&browser).await;
    assert_shows(&browser, "/transfer", "Transfer of ann").await;
    assert!(!browser.text().await.contains("sent"), "nothing is sent again");
    send(&browser, "5").await;
    assert_shows(&browser, "/transfer", "5 sent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_in_another_tab_is_met_by_the_form_of_this_one() {
    let Some(world) = World::start().await else { return };
    let browser = world.signed_in().await;
    browser.open(&world.url("/transfer")).await;
    let first = browser.open_tab(&world.url("/")).await;
    browser.press("Logout").await;
    browser.switch_to(first).await;
    send(&browser, "5").await;
    assert_shows(&browser, "/login?next=%2Ftransfer", "Log in").await;
    log_in(&browser).await;
    assert_shows(&browser, "/transfer", "Transfer of ann").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_in_the_middle_of_a_form() {
    let Some(world) = World::start().await else { return };
    let browser = world.signed_in().await;
    browser.open(&world.url("/transfer")).await;
    world.clock.advance(Duration::from_secs(600));
    send(&browser, "5").await;
    assert_shows(&browser, "/confirm?next=%2Ftransfer", "Your password again").await;
    browser.take_screenshot("password-again").await;
    browser.fill_in("password", "a").await;
    browser.press("Confirm").await;
    assert_shows(&browser, "/transfer", "Transfer of ann").await;
    assert!(!browser.text().await.contains("sent"), "nothing is sent again");
    send(&browser, "7").await;
    assert_shows(&browser, "/transfer", "7 sent").await;
    browser.reload().await;
    assert!(!browser.text().await.contains("sent"), "a message is shown once");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_to_be_remembered_is_after_the_browser_was_closed() {
    let Some(world) = World::start().await else { return };
    let browser = world.driver.open_browser().await;
    browser.open(&world.url("/login")).await;
    browser.tick("remember").await;
    log_in(&browser).await;
    let browser = world.driver.reopen(browser).await;
    browser.open(&world.url("/")).await;
    assert_shows(&browser, "/", "Hello ann").await;

    let browser = world.driver.reopen(world.signed_in().await).await;
    browser.open(&world.url("/")).await;
    assert_shows(&browser, "/login?next=%2F", "Log in").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_sends_nothing_and_signs_nobody_in() {
    let Some(world) = World::start().await else { return };
    let attack = |path: &str, field: &str| {
        let form = format!(
            "<form method=post action={}{path}><input name={field} value=a><button name=Go>Win</button></form>",
            world.origin
        );
        get(async move || Html(form))
    };
    let evil =
        serve(Router::new().route("/pay", attack("/transfer", "amount")).route("/login", attack("/login", "password")))
            .await;
    let victim = world.signed_in().await;
    // Another port is another origin of the same site, and so gets the cookie; another name is another site.
    for host in ["127.0.0.1", "localhost"] {
        victim.open(&format!("http://{host}:{evil}/pay")).await;
        victim.press("Go").await;
        assert_shows(&victim, "/transfer", "sent from another site").await;
        let stranger = world.driver.open_browser().await;
        stranger.open(&format!("http://{host}:{evil}/login")).await;
        stranger.press("Go").await;
        assert_shows(&stranger, "/login", "sent from another site").await;
        assert!(stranger.cookies().await.is_empty());
    }
    victim.take_screenshot("another-site").await;
    victim.open(&world.url("/transfer")).await;
    assert!(!victim.text().await.contains("sent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_logout_the_back_button_shows_nothing_private() {
    let Some(world) = World::start().await else { return };
    let browser = world.signed_in().await;
    browser.open(&world.url("/transfer")).await;
    browser.open(&world.url("/")).await;
    browser.press("Logout").await;
    for _ in 0..2 {
        browser.go_back().await;
        assert!(!browser.text().await.contains("ann"), "{}", browser.text().await);
        assert!(browser.text().await.contains("Log in"));
    }
}
