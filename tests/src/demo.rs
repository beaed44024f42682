use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server_process::{ServerProcess, free_port};

/// The demo as a process of its own; killed when dropped, as by `kill -9`.
pub struct Demo {
    address: String,
    process: ServerProcess,
}

impl Demo {
    /// Starts the demo on a free port, built if need be.
    ///
    /// # Panics
    ///
    /// If it can't be built, or does not listen.
    #[track_caller]
    pub fn start(options: &[&str]) -> Self {
        Demo::start_with(&[], options)
    }

    /// The same with settings of the environment, each as `NAME=value`.
    #[track_caller]
    pub fn start_with(environment: &[&str], options: &[&str]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let command = [&["env"], environment, &[demo_binary(), "--listen", &address], options].concat();
        let process = ServerProcess::start(&command, || TcpStream::connect(&address).is_ok());
        Demo { address, process }
    }

    /// What a demo prints that can't start with these options.
    ///
    /// # Panics
    ///
    /// If it does start, which takes it 2 minutes to believe.
    #[track_caller]
    pub fn refusal(options: &[&str]) -> String {
        Demo::refusal_with(&[], options)
    }

    /// The same with settings of the environment, each as `NAME=value`.
    #[track_caller]
    pub fn refusal_with(environment: &[&str], options: &[&str]) -> String {
        let mut command = Command::new("env");
        let command = command.args(environment).args(["timeout", "120", demo_binary()]).args(options);
        let output = command.output().expect("there are env and timeout");
        assert_eq!(output.status.code(), Some(2), "it refuses {options:?}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// What it has printed and logged so far.
    pub fn printed(&self) -> String {
        self.process.printed()
    }

    /// The address of its page.
    pub fn url(&self) -> String {
        format!("http://{}/demo", self.address)
    }

    /// The address of its page where it was started with `--https`.
    pub fn https_url(&self) -> String {
        format!("https://{}/demo", self.address)
    }

    /// What a browser needs to know of its key to take its certificate, where it was started with `--https`.
    ///
    /// # Panics
    ///
    /// If it does not tell within a minute: it listens before it prints.
    pub fn key_fingerprint(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let printed = self.printed();
            if let Some((_, rest)) = printed.split_once("--ignore-certificate-errors-spki-list=")
                && let Some((key, _)) = rest.split_once('\n')
            {
                return key.to_owned();
            }
            assert!(Instant::now() < deadline, "it prints no fingerprint: {printed}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The cargo that builds the tests builds the demo too, and knows where it is.
fn demo_binary() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = cargo_build().stderr(Stdio::inherit()).output().expect("cargo runs");
        assert!(cargo.status.success(), "the demo can't be built");
        let messages = String::from_utf8(cargo.stdout).expect("cargo writes UTF-8");
        let mut executables = messages.lines().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            Some(message.get("executable")?.as_str()?.to_owned())
        });
        executables.next_back().expect("cargo names the binary that it built")
    })
}

fn cargo_build() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    // Of the whole workspace, so that what was built for the tests fits.
    let features = if cfg!(feature = "redis") { "--all-features" } else { "--no-default-features" };
    cargo.args(["build", "--quiet", "--workspace", "--bin=demo-app", "--message-format=json", features]);
    cargo.current_dir(workspace());
    // What cargo says of the package under test makes some build scripts run once more.
    let of_this_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _value) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this_package)) {
        cargo.env_remove(name);
    }
    cargo
}

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a member of a workspace")
}

/// Somebody who visits demos without a browser, and keeps the cookie of one session.
///
/// Cookies know no ports, so it goes to every demo of the machine, as a browser's does.
#[derive(Clone, Debug, Default)]
pub struct DemoVisitor {
    cookie: Option<String>,
}

impl DemoVisitor {
    /// What the page answers to a visit, head and body.
    pub fn visit(&mut self, demo: &Demo) -> String {
        self.send(demo, "GET", "")
    }

    /// The page after a login.
    pub fn log_in(&mut self, demo: &Demo, user: &str) -> String {
        self.submit(demo, &format!("UserName={user}&Password=a&Login=Login"))
    }

    /// The page after a logout.
    pub fn log_out(&mut self, demo: &Demo) -> String {
        self.submit(demo, "Logout=Logout")
    }

    /// Sends a form, and gets the page that the answer leads to, as browsers do.
    fn submit(&mut self, demo: &Demo, form: &str) -> String {
        let answer = self.send(demo, "POST", form);
        if answer.starts_with("HTTP/1.0 303") { self.visit(demo) } else { answer }
    }

    fn send(&mut self, demo: &Demo, method: &str, form: &str) -> String {
        let cookie = self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} /demo HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n{cookie}\r\n{form}",
            form.len()
        );
        let mut connection = TcpStream::connect(&demo.address).expect("the demo listens");
        connection.write_all(request.as_bytes()).expect("the demo reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the demo answers");
        self.keep_cookie(&answer);
        answer
    }

    fn keep_cookie(&mut self, answer: &str) {
        let Some(cookie) = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")) else { return };
        let pair = cookie.split(';').next().map(str::to_owned);
        self.cookie = pair.filter(|_| !cookie.contains("Max-Age=0"));
    }
}
