//! The demo in real browsers, driven through WebDriver.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::http::Method;
use fantoccini::cookies::Cookie;
use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::demo::workspace;
use crate::server_process::{ServerProcess, free_port, is_installed};

/// What Chromium needs to run without a screen, and to leave the network alone.
const CHROMIUM_OPTIONS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Starts browsers; ends them, and itself, when dropped.
pub struct ChromeDriver {
    port: u16,
    _process: ServerProcess,
}

impl ChromeDriver {
    /// `None` where ChromeDriver is not installed, which is said aloud, and in CI is a failure.
    #[track_caller]
    pub fn start() -> Option<Self> {
        if !is_installed("chromedriver") {
            return None;
        }
        let port = free_port();
        let is_ready = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        let process = ServerProcess::start(&["chromedriver", &format!("--port={port}")], is_ready);
        Some(ChromeDriver { port, _process: process })
    }

    /// A browser nobody has used yet, as large as a laptop's.
    pub async fn open_browser(&self) -> Browser {
        self.open_browser_of_size(1280, 800).await
    }

    /// A browser of this size, in CSS pixels.
    pub async fn open_browser_of_size(&self, width: u32, height: u32) -> Browser {
        let profile = TempDir::new().expect("a folder for the profile");
        self.open_profile(profile, width, height, &[]).await
    }

    /// A browser that takes the certificate of this key, though nobody has signed it. The key is the base64 of the SHA-256
    /// of its SubjectPublicKeyInfo.
    pub async fn open_browser_that_trusts(&self, key: &str) -> Browser {
        let profile = TempDir::new().expect("a folder for the profile");
        self.open_profile(profile, 1280, 800, &[format!("--ignore-certificate-errors-spki-list={key}")]).await
    }

    /// Closes a browser and opens it again, as its person does the next morning.
    pub async fn reopen(&self, browser: Browser) -> Browser {
        let Browser { client, profile } = browser;
        client.close().await.expect("the browser closes");
        self.open_profile(profile, 1280, 800, &[]).await
    }

    async fn open_profile(&self, profile: TempDir, width: u32, height: u32, options: &[String]) -> Browser {
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(profile.path(), width, height, options))
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .expect("the browser starts");
        Browser { client, profile }
    }
}

impl Drop for ChromeDriver {
    /// Browsers are in process groups of their own, so killing their driver would leave them.
    fn drop(&mut self) {
        let Ok(mut connection) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return };
        let request = format!("GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port);
        if connection.write_all(request.as_bytes()).is_ok() {
            let _ = connection.read_to_end(&mut Vec::new());
        }
    }
}

fn capabilities(profile: &Path, width: u32, height: u32, more: &[String]) -> Capabilities {
    let mut options: Vec<String> = CHROMIUM_OPTIONS.iter().map(ToString::to_string).collect();
    options.extend_from_slice(more);
    options.push(format!("--user-data-dir={}", profile.display()));
    // Chromium's window is never narrower than 500 pixels; an emulated device is.
    let device =
        json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": 2.0, "mobile": width < 500 } });
    let options = json!({ "goog:chromeOptions": { "args": options, "mobileEmulation": device } });
    serde_json::from_value(options).expect("an object of capabilities")
}

/// A person's browser, with its own cookies.
pub struct Browser {
    client: Client,
    profile: TempDir,
}

impl Browser {
    /// Opens an address.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page opens");
    }

    /// Opens an address in another tab, and returns what leads back to this one.
    pub async fn open_tab(&self, url: &str) -> WindowHandle {
        let before = self.client.window().await.expect("a tab is open");
        let tab = self.client.new_window(true).await.expect("another tab opens");
        self.client.switch_to_window(tab.handle).await.expect("the tab is there");
        self.open(url).await;
        before
    }

    /// Goes to another tab.
    pub async fn switch_to(&self, tab: WindowHandle) {
        self.client.switch_to_window(tab).await.expect("the tab is there");
    }

    /// The address of the page, without its origin.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.expect("a page is open");
        let query = url.query().map(|query| format!("?{query}"));
        format!("{}{}", url.path(), query.unwrap_or_default())
    }

    /// Goes one page back.
    pub async fn go_back(&self) {
        self.client.back().await.expect("there is a page to go back to");
    }

    /// Loads the page again. Browsers send a form again for that, if the page is the answer to one.
    pub async fn reload(&self) {
        self.client.refresh().await.expect("the page loads again");
    }

    /// Types into the field of this name, in place of what was there.
    pub async fn fill_in(&self, field: &str, text: &str) {
        let field = self.find(&format!("[name={field}]")).await;
        field.clear().await.expect("the field can be cleared");
        field.send_keys(text).await.expect("the field takes text");
    }

    /// Ticks the box of this name.
    pub async fn tick(&self, field: &str) {
        self.find(&format!("[name={field}]")).await.click().await.expect("the box can be ticked");
    }

    /// Fills in the login form and sends it.
    pub async fn log_in(&self, user: &str, password: &str) {
        self.fill_in("UserName", user).await;
        self.fill_in("Password", password).await;
        self.press("Login").await;
    }

    /// Presses the button of this name, and waits for the page that answers.
    pub async fn press(&self, button: &str) {
        self.click(&format!("button[name={button}]")).await;
    }

    /// Clicks what a CSS selector finds, and waits for the page that it leads to.
    pub async fn click(&self, selector: &str) {
        let page = self.find("html").await;
        self.find(selector).await.click().await.expect("it can be clicked");
        self.wait_for_page_after(&page, selector).await;
    }

    /// Presses the Enter key in whatever has the focus, and waits for the page that it leads to.
    pub async fn press_enter(&self) {
        let page = self.find("html").await;
        self.type_keys("\u{e007}").await;
        self.wait_for_page_after(&page, "Enter").await;
    }

    /// The driver may return before the browser has left the page.
    async fn wait_for_page_after(&self, page: &Element, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while page.tag_name().await.is_ok() {
            assert!(Instant::now() < deadline, "{what} leads to no other page");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.find("body").await;
    }

    /// What the page says.
    pub async fn text(&self) -> String {
        self.find("body").await.text().await.expect("a page has text")
    }

    /// Whether a CSS selector finds anything.
    pub async fn shows(&self, selector: &str) -> bool {
        !self.client.find_all(Locator::Css(selector)).await.expect("a selector").is_empty()
    }

    /// The value that CSS gives a property of what a selector finds.
    pub async fn style(&self, selector: &str, property: &str) -> String {
        self.find(selector).await.css_value(property).await.expect("a property")
    }

    /// What a script in the page returns.
    pub async fn evaluate(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression}"), Vec::new()).await.expect("the script runs")
    }

    /// What a script in the page hands to its last argument, a function, in its own time.
    pub async fn evaluate_in_time(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.expect("the script runs")
    }

    /// Presses keys, in whatever has the focus.
    pub async fn type_keys(&self, keys: &str) {
        self.client
            .active_element()
            .await
            .expect("something has the focus")
            .send_keys(keys)
            .await
            .expect("it takes keys");
    }

    /// Says another name of the browser from now on.
    pub async fn call_itself(&self, user_agent: &str) {
        self.devtools("Emulation.setUserAgentOverride", json!({ "userAgent": user_agent })).await;
    }

    /// Makes pages dark or light, as the person's system is.
    pub async fn prefer_colours(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
    }

    /// Makes the window as wide as this, in CSS pixels, and as high as the page, so that a picture shows all of it.
    pub async fn fit_to_width(&self, width: u64) {
        // As high as a phone's screen at least.
        self.resize(width, 740).await;
        let height = self.evaluate("document.documentElement.scrollHeight").await;
        self.resize(width, height.as_u64().expect("a number of pixels")).await;
    }

    async fn resize(&self, width: u64, height: u64) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    async fn devtools(&self, method: &'static str, parameters: Value) {
        self.client.issue_cmd(DevTools { method, parameters }).await.expect("the browser knows the command");
    }

    /// The cookies of the page's site.
    pub async fn cookies(&self) -> Vec<Cookie<'static>> {
        self.client.get_all_cookies().await.expect("the browser tells its cookies")
    }

    /// Puts a cookie into the browser.
    pub async fn add_cookie(&self, cookie: Cookie<'static>) {
        self.client.add_cookie(cookie).await.expect("the browser takes the cookie");
    }

    /// Loses all cookies of the page's site.
    pub async fn delete_cookies(&self) {
        self.client.delete_all_cookies().await.expect("the browser drops its cookies");
    }

    /// Keeps a picture of the page, for people to look at, in `SCREENSHOTS` or in the target
    /// folder's `screenshots`.
    pub async fn take_screenshot(&self, name: &str) {
        let folder = screenshots();
        fs::create_dir_all(&folder).expect("a folder for screenshots");
        let picture = self.client.screenshot().await.expect("the browser makes a picture");
        fs::write(folder.join(format!("{name}.png")), picture).expect("the picture can be written");
    }

    async fn find(&self, selector: &str) -> Element {
        self.client.wait().for_element(Locator::Css(selector)).await.expect("the element is on the page")
    }
}

/// A command of the Chrome DevTools Protocol, as ChromeDriver passes it on.
#[derive(Debug)]
struct DevTools {
    method: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, driver: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        driver.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "cmd": self.method, "params": self.parameters }).to_string()))
    }
}

fn screenshots() -> PathBuf {
    env::var_os("SCREENSHOTS").map_or_else(|| workspace().join("target/screenshots"), PathBuf::from)
}
