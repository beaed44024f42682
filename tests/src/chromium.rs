use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server_process::{ServerProcess, is_installed};

/// Chromium with software keys for device bound sessions, driven through the protocol of its developer tools, which tells
/// what becomes of each registration and refresh.
pub struct Chromium {
    to: File,
    from: Receiver<Value>,
    /// The tab that is driven.
    tab: Option<String>,
    last_id: u64,
    events: Vec<Value>,
    _process: ServerProcess,
    _folder: TempDir,
}

/// What it takes without a screen, and to leave the network alone.
const OPTIONS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// Both are needed for keys in software; without a quota, a test can refresh as often as it likes.
const FEATURES: &str =
    "DeviceBoundSessions:RefreshQuota/false,EnableBoundSessionCredentialsSoftwareKeysForManualTesting";

/// Chromium reads commands from the third file, and writes answers to the fourth.
const WITH_PIPES: &str = r#"exec chromium "$@" 3< "$0/to" 4> "$0/from""#;

const PATIENCE: Duration = Duration::from_secs(60);

impl Chromium {
    /// Starts it. `key` is the fingerprint of the one key that it trusts, and every host is this machine. `None` where it
    /// is not installed, which is said aloud, and in CI is a failure.
    pub fn start(key: &str) -> Option<Self> {
        if !is_installed("chromium") {
            return None;
        }
        let folder = TempDir::new().expect("a folder for the profile");
        let path = folder.path().to_str().expect("its name is a text");
        let pipes = ["to", "from"].map(|name| format!("{path}/{name}"));
        let made = Command::new("mkfifo").args(&pipes).status().expect("there is mkfifo");
        assert!(made.success());
        // Open for both, a pipe waits for nobody.
        let [to, from] = pipes.map(|pipe| OpenOptions::new().read(true).write(true).open(pipe).expect("it is a pipe"));
        let profile = format!("--user-data-dir={path}/profile");
        let trusted = format!("--ignore-certificate-errors-spki-list={key}");
        let features = format!("--enable-features={FEATURES}");
        let hosts = "--host-resolver-rules=MAP * 127.0.0.1";
        let command =
            [&["sh", "-c", WITH_PIPES, path][..], &OPTIONS, &[&profile, &trusted, &features, hosts, "about:blank"]];
        let process = ServerProcess::start(&command.concat(), || true);
        let mut chromium = Chromium {
            to,
            from: messages(from),
            tab: None,
            last_id: 0,
            events: Vec::new(),
            _process: process,
            _folder: folder,
        };
        chromium.attach();
        Some(chromium)
    }

    fn attach(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let page = loop {
            let targets = self.call("Target.getTargets", json!({}));
            let page = targets["targetInfos"].as_array().into_iter().flatten().find(|target| target["type"] == "page");
            match page {
                Some(page) => break page["targetId"].clone(),
                None => assert!(Instant::now() < deadline, "no page was opened"),
            }
        };
        let attached = self.call("Target.attachToTarget", json!({"targetId": page, "flatten": true}));
        self.tab = attached["sessionId"].as_str().map(str::to_owned);
        for (method, params) in [
            ("Network.enable", json!({})),
            ("Network.enableDeviceBoundSessions", json!({"enable": true})),
            ("Page.enable", json!({})),
        ] {
            self.call(method, params);
        }
    }

    /// Sends a command, and waits for its answer.
    ///
    /// # Panics
    ///
    /// If the browser refuses it, or does not answer within a minute.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|refused| panic!("{method}: {refused}"))
    }

    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last_id += 1;
        let mut command = json!({"id": self.last_id, "method": method, "params": params});
        if let Some(tab) = &self.tab {
            command["sessionId"] = tab.as_str().into();
        }
        self.to.write_all(format!("{command}\0").as_bytes()).expect("the browser is there");
        loop {
            let message = self.from.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{method}: {error}"));
            if message["id"] == self.last_id {
                return match message.get("error") {
                    Some(refused) => Err(refused.clone()),
                    None => Ok(message["result"].clone()),
                };
            }
            self.events.push(message);
        }
    }

    /// Loads a page, as somebody does who types its address.
    pub fn open(&mut self, url: &str) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        self.call("Page.navigate", json!({"url": url}));
        self.wait_for("the page is loaded", |chromium| {
            chromium.events.iter().any(|event| event["method"] == "Page.loadEventFired")
        });
    }

    /// Runs a script in the page, and returns what it resolves to.
    pub fn run(&mut self, script: &str) -> Value {
        let params = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let ran = self.call("Runtime.evaluate", params);
        assert!(ran.get("exceptionDetails").is_none(), "{script}: {ran}");
        ran["result"]["value"].clone()
    }

    /// What the page says. Empty while another is loaded.
    pub fn text(&mut self) -> String {
        let params = json!({"expression": "document.body ? document.body.innerText : ''", "returnByValue": true});
        let text = self.try_call("Runtime.evaluate", params).unwrap_or_default();
        text["result"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Forgets a cookie, as if it had lapsed.
    pub fn drop_cookie(&mut self, name: &str, url: &str) {
        self.call("Network.deleteCookies", json!({"name": name, "url": url}));
    }

    /// The names of the cookies of a page.
    pub fn cookies(&mut self, url: &str) -> Vec<String> {
        let cookies = self.call("Network.getCookies", json!({"urls": [url]}));
        let names = cookies["cookies"].as_array().into_iter().flatten().filter_map(|cookie| cookie["name"].as_str());
        names.map(str::to_owned).collect()
    }

    /// What has become of registrations, refreshes and endings so far: the details of each, in order.
    pub fn bindings(&mut self) -> Vec<Value> {
        // Events come before the answer of a later command, whatever that is.
        let _answer = self.try_call("Runtime.evaluate", json!({"expression": "0"}));
        let method = "Network.deviceBoundSessionEventOccurred";
        let events = self.events.iter().filter(|event| event["method"] == method);
        events.map(|event| event["params"].clone()).collect()
    }

    /// Waits until this is so.
    ///
    /// # Panics
    ///
    /// If it is not within a minute, with what became of the bindings.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, is_so: impl Fn(&mut Chromium) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            if Instant::now() > deadline {
                panic!("waited for: {what}; {:#?}", self.bindings());
            }
            std::thread::sleep(Duration::from_millis(20));
            self.events.extend(self.from.try_iter());
        }
    }
}

/// Reads messages, each of which ends with a zero.
fn messages(from: File) -> Receiver<Value> {
    let (send, received) = channel();
    std::thread::spawn(move || {
        let messages = BufReader::new(from).split(0);
        for message in messages.map_while(Result::ok) {
            let Ok(message) = serde_json::from_slice(&message) else { continue };
            if send.send(message).is_err() {
                return;
            }
        }
    });
    received
}
