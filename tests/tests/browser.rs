//! The demo as people use it, in Chromium.

#![cfg(feature = "browser")]

use workspace_tests::Demo;
use workspace_tests::browser::{Browser, ChromeDriver};

#[track_caller]
fn assert_says(text: &str, expected: &str) {
    assert!(text.contains(expected), "the page should say {expected:?}, but says {text:?}");
}

async fn assert_logged_out(browser: &Browser) {
    assert!(browser.shows("button[name=Login]").await, "the page shows the login form");
    assert!(!browser.text().await.contains("Hello"), "the page greets nobody");
}

#[tokio::test]
async fn a_visitor_logs_in_counts_three_visits_and_logs_out() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    browser.open(&demo.url()).await;
    assert_logged_out(&browser).await;
    browser.take_screenshot("login-form").await;

    browser.log_in("ann", "a").await;
    assert_says(&browser.text().await, "Hello ann!");
    assert_says(&browser.text().await, "Since login you visited 1 time!");
    for visits in 2..=4 {
        browser.click("a.button").await;
        assert_says(&browser.text().await, &format!("Since login you visited {visits} times!"));
    }
    browser.take_screenshot("signed-in").await;

    browser.press("Logout").await;
    assert_logged_out(&browser).await;
    assert!(browser.cookies().await.is_empty(), "the browser dropped the cookie");
    browser.take_screenshot("logged-out").await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_in_red() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    browser.open(&demo.url()).await;

    browser.log_in("ann", "b").await;
    assert_says(&browser.text().await, "Invalid user name or password!");
    let colour = browser.style("[role=alert]", "color").await;
    let parts: Vec<u32> = colour.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    assert!(parts[0] > 150 && parts[1] < 100 && parts[2] < 100, "{colour} is red");
    assert!(browser.cookies().await.is_empty(), "nobody got a session");
    browser.take_screenshot("wrong-password").await;

    browser.log_in("ann", "a").await;
    assert_says(&browser.text().await, "Since login you visited 1 time!");
}

#[tokio::test]
async fn the_back_button_does_not_sign_in_again() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    browser.open(&demo.url()).await;
    browser.log_in("ann", "a").await;
    browser.open(&format!("{}?second", demo.url())).await;
    assert_says(&browser.text().await, "Since login you visited 2 times!");
    browser.press("Logout").await;

    browser.go_back().await;
    assert_logged_out(&browser).await;
    browser.take_screenshot("back-button").await;
}

/// B80.
#[tokio::test]
async fn reloading_the_page_after_the_login_sends_no_form_again() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    browser.open(&demo.url()).await;
    browser.log_in("ann", "a").await;
    browser.reload().await;
    assert_says(&browser.text().await, "Since login you visited 2 times!");
    browser.delete_cookies().await;
    browser.reload().await;
    assert_logged_out(&browser).await;
    assert!(browser.cookies().await.is_empty(), "nobody is signed in again");

    browser.log_in("ann", "b").await;
    browser.reload().await;
    assert_says(&browser.text().await, "Invalid user name or password!");
}

/// B80.
#[tokio::test]
async fn going_back_to_the_page_after_a_form_shows_it_and_asks_nothing() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    browser.open(&demo.url()).await;
    browser.log_in("ann", "b").await;
    browser.open(&format!("{}?elsewhere", demo.url())).await;
    browser.go_back().await;
    assert_says(&browser.text().await, "Invalid user name or password!");

    browser.log_in("ann", "a").await;
    browser.open(&format!("{}?elsewhere", demo.url())).await;
    browser.go_back().await;
    assert_says(&browser.text().await, "Hello ann!");
    browser.take_screenshot("back-after-login").await;
}

/// R51.
#[tokio::test]
async fn a_page_of_another_site_signs_nobody_in() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    let fields = "<input name=UserName value=mallory><input name=Password value=a><button name=Login value=Login>";
    browser.open(&format!("data:text/html,<form method=post action={}>{fields}</form>", demo.url())).await;
    browser.press("Login").await;
    assert_says(&browser.text().await, "This form has expired, or was sent from another site.");
    browser.open(&demo.url()).await;
    assert_logged_out(&browser).await;
    assert!(browser.cookies().await.is_empty(), "nobody got a session");
}

#[tokio::test]
async fn the_old_cookie_put_back_after_logout_opens_nothing() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    browser.open(&demo.url()).await;
    browser.log_in("ann", "a").await;
    let cookies = browser.cookies().await;
    assert_eq!(cookies.len(), 1, "one session, one cookie");
    browser.press("Logout").await;

    browser.add_cookie(cookies[0].clone()).await;
    assert_eq!(browser.cookies().await[0].value(), cookies[0].value());
    browser.open(&demo.url()).await;
    assert_logged_out(&browser).await;
    browser.take_screenshot("old-cookie").await;
}

#[tokio::test]
async fn two_browsers_count_for_themselves() {
    let Some(driver) = ChromeDriver::start() else { return };
    let demo = Demo::start(&[]);
    let (anns, bobs) = tokio::join!(driver.open_browser(), driver.open_browser());
    for (browser, user) in [(&anns, "ann"), (&bobs, "bob")] {
        browser.open(&demo.url()).await;
        browser.log_in(user, "a").await;
    }
    let visit = async |browser: &Browser, times: u32| {
        for _ in 0..times {
            browser.click("a.button").await;
        }
        browser.text().await
    };
    let (ann_reads, bob_reads) = tokio::join!(visit(&anns, 4), visit(&bobs, 2));
    assert_says(&ann_reads, "Hello ann!");
    assert_says(&ann_reads, "Since login you visited 5 times!");
    assert_says(&bob_reads, "Hello bob!");
    assert_says(&bob_reads, "Since login you visited 3 times!");

    anns.press("Logout").await;
    bobs.click("a.button").await;
    assert_says(&bobs.text().await, "Since login you visited 4 times!");
    anns.take_screenshot("two-browsers-ann").await;
    bobs.take_screenshot("two-browsers-bob").await;
}

#[tokio::test]
async fn a_name_of_markup_and_script_is_only_text() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    browser.open(&demo.url()).await;

    let name = "<script>document.title='cracked'</script><b>\"'&amp;";
    browser.log_in(name, "a").await;
    assert_says(&browser.text().await, &format!("Hello {name}!"));
    assert!(!browser.shows("h1 *").await, "the name makes no elements");
    browser.take_screenshot("markup").await;
}

#[tokio::test]
async fn the_page_fits_a_phone() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser_of_size(360, 740).await);
    let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    browser.open(&demo.url()).await;
    assert_eq!(browser.evaluate(fits).await, true, "the form fits");
    browser.take_screenshot("phone-login-form").await;

    browser.log_in(&"Wolfeschlegelsteinhausenbergerdorff".repeat(3), "a").await;
    assert_says(&browser.text().await, "Since login you visited 1 time!");
    assert_eq!(browser.evaluate(fits).await, true, "the longest name fits");
    browser.take_screenshot("phone-signed-in").await;
    browser.open(&format!("{}/devices", demo.url())).await;
    assert_says(&browser.text().await, "This device");
    assert_eq!(browser.evaluate(fits).await, true, "it fits into the head of a page, too");
    browser.take_screenshot("phone-long-name").await;
}
