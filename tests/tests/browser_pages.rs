//! Every page of the demo in Chromium: what people do there, how it looks, and whether everybody can use it.

#![cfg(feature = "browser")]

use workspace_tests::browser::{Browser, ChromeDriver};
use workspace_tests::{Axe, Demo};

const TOKEN: &str = "sesame";

/// Widths of a phone, a tablet and a laptop, in CSS pixels.
const WIDTHS: [u64; 3] = [360, 768, 1280];

/// What lies between them has the elements of one of them.
const NARROWEST_AND_WIDEST: [u64; 2] = [WIDTHS[0], WIDTHS[2]];

#[track_caller]
fn assert_says(text: &str, expected: &str) {
    assert!(text.contains(expected), "the page should say {expected:?}, but says {text:?}");
}

async fn open(browser: &Browser, demo: &Demo, page: &str) {
    browser.open(&format!("{}{page}", demo.url())).await;
}

async fn sign_in(browser: &Browser, demo: &Demo, user: &str) {
    open(browser, demo, "/sign-in").await;
    browser.log_in(user, "a").await;
}

/// The address of the administrator's page, with the token as a browser sends it once it was typed.
fn admin_url(demo: &Demo) -> String {
    format!("{}/admin", demo.url()).replace("http://", &format!("http://admin:{TOKEN}@"))
}

/// P53.
#[tokio::test]
async fn whoever_is_remembered_is_signed_in_the_next_morning() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, mut browser) = (Demo::start(&[]), driver.open_browser().await);
    for is_remembered in [false, true] {
        open(&browser, &demo, "/devices").await;
        assert_eq!(browser.path().await, "/demo/sign-in?next=%2Fdemo%2Fdevices");
        if is_remembered {
            browser.tick("Remember").await;
        }
        browser.log_in("ann", "a").await;
        assert_eq!(browser.path().await, "/demo/devices");
        browser = driver.reopen(browser).await;
        open(&browser, &demo, "/devices").await;
        assert_eq!(browser.text().await.contains("Chrome on Linux"), is_remembered);
    }
    assert_says(&browser.text().await, "Remembered");
}

/// P51, P52.
#[tokio::test]
async fn a_user_signs_out_other_devices_and_stays() {
    let Some(driver) = ChromeDriver::start() else { return };
    let demo = Demo::start(&[]);
    let (here, there, third) = tokio::join!(driver.open_browser(), driver.open_browser(), driver.open_browser());
    for browser in [&here, &there, &third] {
        sign_in(browser, &demo, "ann").await;
    }
    open(&here, &demo, "/devices").await;
    assert_says(&here.text().await, "This device");
    here.press("handle").await;
    assert_says(&here.text().await, "That device is signed out.");
    here.press("EndOthers").await;
    assert_says(&here.text().await, "1 other device signed out.");
    for browser in [&there, &third] {
        open(browser, &demo, "/settings").await;
        assert_eq!(browser.path().await, "/demo/sign-in?next=%2Fdemo%2Fsettings");
    }
}

/// P54, P55, P56.
#[tokio::test]
async fn a_stranger_fills_a_cart_signs_in_sets_an_address_and_orders() {
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    open(&browser, &demo, "/shop").await;
    assert!(browser.cookies().await.is_empty(), "whoever only looks has no session");
    browser.click("button[value=notebook]").await;
    assert_says(&browser.text().await, "Notebook is in your cart.");
    browser.reload().await;
    assert!(!browser.text().await.contains("Notebook is in your cart."), "it is said once");

    browser.press("Order").await;
    assert_eq!(browser.path().await, "/demo/sign-in?next=%2Fdemo%2Fshop");
    browser.log_in("ann", "a").await;
    assert_eq!(browser.path().await, "/demo/shop");
    assert_says(&browser.text().await, "1 × €6.50 = €6.50");

    open(&browser, &demo, "/settings").await;
    browser.fill_in("Address", "1 High Street").await;
    browser.press("Save").await;
    assert_says(&browser.text().await, "Your settings are saved.");
    open(&browser, &demo, "/shop").await;
    browser.press("Order").await;
    assert_says(&browser.text().await, "You ordered 1 thing for €6.50, to 1 High Street.");
}

/// P59.
#[tokio::test]
async fn over_https_the_cookie_has_its_prefix() {
    let Some(driver) = ChromeDriver::start() else { return };
    let demo = Demo::start(&["--https"]);
    let browser = driver.open_browser_that_trusts(&demo.key_fingerprint()).await;
    browser.open(&demo.https_url()).await;
    browser.log_in("ann", "a").await;
    assert_says(&browser.text().await, "Since login you visited 1 time!");
    let cookies = browser.cookies().await;
    assert_eq!((cookies[0].name(), cookies[0].secure()), ("__Host-sessid", Some(true)));
    browser.press("Logout").await;
    assert!(browser.cookies().await.is_empty(), "the browser dropped the cookie");
}

/// P62: with nothing but a keyboard.
#[tokio::test]
async fn a_keyboard_is_enough() {
    const TAB: &str = "\u{e004}";
    const SPACE: &str = " ";
    const ENTER: &str = "\u{e007}";
    let Some(driver) = ChromeDriver::start() else { return };
    let (demo, browser) = (Demo::start(&[]), driver.open_browser().await);
    open(&browser, &demo, "/sign-in").await;
    browser.type_keys(TAB).await;
    assert_eq!(browser.evaluate("document.activeElement.getBoundingClientRect().top >= 0").await, true);
    assert_eq!(browser.evaluate("document.activeElement.textContent").await, "Skip to the content");
    browser.type_keys(ENTER).await;
    browser.type_keys(TAB).await;
    assert_eq!(browser.evaluate("document.activeElement.name").await, "UserName");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.evaluate(outline).await, "solid", "one sees where the focus is");
    browser.type_keys(&format!("ann{TAB}a{TAB}{SPACE}")).await;
    assert_eq!(browser.evaluate("document.activeElement.checked").await, true);
    browser.type_keys(TAB).await;
    browser.press_enter().await;
    assert_eq!(browser.path().await, "/demo/shop");
    assert_says(&browser.text().await, "Sign out");
}

/// Opens every page of the demo, in every state that looks different, and looks at each.
struct Tour<'a> {
    browser: &'a Browser,
    demo: &'a Demo,
    axe: Option<Axe>,
    problems: Vec<String>,
}

impl Tour<'_> {
    async fn take(&mut self) {
        self.strangers_pages().await;
        self.users_pages().await;
        self.browser.open(&admin_url(self.demo)).await;
        self.look_at("admin").await;
    }

    async fn strangers_pages(&mut self) {
        let (browser, demo) = (self.browser, self.demo);
        for (page, name) in [
            ("", "login-form"),
            ("?refused", "wrong-password"),
            ("/shop", "shop-empty"),
            ("/sign-in", "sign-in"),
            ("/nothing", "not-found"),
            ("/shop/add", "method-not-allowed"),
        ] {
            open(browser, demo, page).await;
            self.look_at(name).await;
        }
        open(browser, demo, "/sign-in").await;
        browser.log_in("ann", "b").await;
        self.look_at("sign-in-refused").await;
        let form = format!("<form method=post action={}/sign-out><button name=Send>Send</button></form>", demo.url());
        browser.open(&format!("data:text/html,{form}")).await;
        browser.press("Send").await;
        self.look_at("cross-site").await;
        open(browser, demo, "/shop").await;
        browser.click("button[value=pencil]").await;
        browser.click("button[value=chalk]").await;
        browser.click("button[value=pencil]").await;
        self.look_at("shop-stranger").await;
    }

    async fn users_pages(&mut self) {
        let (browser, demo) = (self.browser, self.demo);
        open(browser, demo, "/sign-in").await;
        browser.tick("Remember").await;
        browser.log_in("ann", "a").await;
        self.look_at("shop").await;
        for _ in 0..7 {
            open(browser, demo, "").await;
        }
        self.look_at("signed-in").await;
        for (page, name) in
            [("/devices", "devices"), ("/settings", "settings"), ("/confirm", "confirm"), ("/sign-in", "sign-in-again")]
        {
            open(browser, demo, page).await;
            self.look_at(name).await;
        }
        open(browser, demo, "/settings").await;
        browser.press("Save").await;
        self.look_at("settings-saved").await;
        open(browser, demo, "/confirm").await;
        browser.fill_in("Password", "b").await;
        browser.press("Confirm").await;
        self.look_at("confirm-refused").await;
        for _ in 0..9 {
            open(browser, demo, "/shop").await;
            browser.click("button[value=pencil]").await;
        }
        self.look_at("shop-full").await;
    }

    async fn look_at(&mut self, name: &str) {
        for scheme in ["light", "dark"] {
            self.browser.prefer_colours(scheme).await;
            for width in WIDTHS {
                self.browser.fit_to_width(width).await;
                let place = format!("{name}-{scheme}-{width}");
                self.browser.take_screenshot(&format!("page-{place}")).await;
                self.check(&place, width).await;
            }
        }
    }

    async fn check(&mut self, place: &str, width: u64) {
        let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        if self.browser.evaluate(fits).await != true {
            self.problems.push(format!("{place}: it is wider than the window"));
        }
        let axe = self.axe.as_ref().filter(|_| NARROWEST_AND_WIDEST.contains(&width));
        if let Some(axe) = axe {
            let violations = axe.violations(self.browser).await;
            self.problems.extend(violations.into_iter().map(|violation| format!("{place}: {violation}")));
        }
    }
}

/// P62, P63.
#[tokio::test]
async fn no_page_is_hard_to_use_or_too_wide_for_a_phone() {
    let Some(driver) = ChromeDriver::start() else { return };
    let demo = Demo::start(&["--admin-token", TOKEN]);
    let (browser, elsewhere) = tokio::join!(driver.open_browser(), driver.open_browser());
    sign_in(&elsewhere, &demo, "ann").await;
    let mut tour = Tour { browser: &browser, demo: &demo, axe: Axe::load(), problems: Vec::new() };
    tour.take().await;
    assert!(tour.problems.is_empty(), "{}", tour.problems.join("\n"));
}

/// P62, P63: of a store that is down.
#[cfg(feature = "redis")]
#[tokio::test]
async fn the_page_of_an_outage_is_as_easy_to_use() {
    let (Some(driver), Some(mut server)) = (ChromeDriver::start(), workspace_tests::RedisServer::start()) else {
        return;
    };
    let demo = Demo::start(&["--store", &server.url()]);
    let browser = driver.open_browser().await;
    sign_in(&browser, &demo, "ann").await;
    server.kill();
    open(&browser, &demo, "/devices").await;
    assert_says(&browser.text().await, "try again");
    let mut tour = Tour { browser: &browser, demo: &demo, axe: Axe::load(), problems: Vec::new() };
    tour.look_at("outage").await;
    assert!(tour.problems.is_empty(), "{}", tour.problems.join("\n"));
}

/// P64: `SCREENSHOTS=$PWD/docs cargo test -p workspace-tests --features browser --test browser_pages pictures` makes them
/// anew.
#[tokio::test]
async fn the_pictures_of_the_readme() {
    let Some(driver) = ChromeDriver::start() else { return };
    let demo = Demo::start(&[]);
    let browser = driver.open_browser_of_size(960, 605).await;
    browser.open(&demo.url()).await;
    browser.log_in("ann", "a").await;
    for _ in 0..11 {
        browser.click("a.button").await;
    }
    assert_says(&browser.text().await, "Since login you visited 12 times!");
    browser.take_screenshot("demo").await;

    let phone = driver.open_browser().await;
    phone.call_itself("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/26.0 Mobile Safari/604.1").await;
    open(&phone, &demo, "/sign-in").await;
    phone.tick("Remember").await;
    phone.log_in("ann", "a").await;
    let desk = driver.open_browser_of_size(960, 735).await;
    open(&desk, &demo, "/devices").await;
    desk.log_in("ann", "a").await;
    desk.click("header a.brand").await;
    browser.press("Logout").await;
    open(&desk, &demo, "/devices").await;
    assert_says(&desk.text().await, "Safari on iPhone");
    desk.take_screenshot("demo-devices").await;
}
