//! The browser of the simulator is Chromium, as far as a server sees it: under the same scripts both send the same.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use parking_lot::Mutex;
use simulator::device::{Answering, Browser, Closed, Outside, Request, Response, Sending, Started};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Runtime;
use workspace_tests::{Chromium, TlsPort};

use super::scripts::{Answered, Script, Step, all};

const BOUND: &str = "__Host-bound";

/// What a script's server is to the browser of the simulator.
struct Scripted(Mutex<Script>);

impl Outside for Scripted {
    fn send(&self, request: Request) -> Answering {
        let answered = self.0.lock().answer(&request);
        Box::pin(async move {
            match answered {
                Answered::Response(response) => Ok(response),
                Answered::Closed => Err(Closed { was_reused: true }),
                Answered::Silence => pending().await,
            }
        })
    }
}

/// What the browser of the simulator sends under a script.
fn modelled(script: Script) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let steps = script.steps.clone();
        let server = Arc::new(Scripted(Mutex::new(script)));
        let browser = Browser::new(Arc::clone(&server) as _, 1, 1);
        for step in steps {
            take(&browser, step).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::mem::take(&mut server.0.lock().sent)
    })
}

async fn take(browser: &Arc<Browser>, step: Step) {
    let ask = |method: Method, path: &str, started: Started| {
        let (browser, request) = (Arc::clone(browser), Request::new(method, path));
        tokio::spawn(async move { browser.fetch(Sending { request, started }).await.is_ok() })
    };
    let asked = match step {
        Step::Get(path) => vec![ask(Method::GET, path, Started::Here)],
        Step::Post(path) => vec![ask(Method::POST, path, Started::Here)],
        Step::Together(requests) => (0..requests).map(|_| ask(Method::GET, "/page", Started::Here)).collect(),
        Step::Omitting(path) => vec![ask(Method::GET, path, Started::WithoutCredentials)],
        Step::Follow(path) => vec![ask(Method::GET, path, Started::Elsewhere)],
        Step::Lapse => {
            browser.drop_cookie(BOUND);
            vec![]
        }
    };
    for asked in asked {
        asked.await.unwrap();
    }
}

/// Chromium, and a server that gives each host a script of its own.
struct Place {
    port: u16,
    chromium: Chromium,
    scripts: Arc<Vec<Mutex<Script>>>,
    _runtime: Runtime,
}

impl Place {
    /// `None` where Chromium is not installed.
    fn new(scripts: Vec<Script>) -> Option<Self> {
        let runtime = Runtime::new().unwrap();
        let hosts = (0..scripts.len()).map(host).chain(["other.example".to_owned()]);
        let TlsPort { mut listener, port, key_hash } = runtime.block_on(TlsPort::bind(hosts));
        let chromium = Chromium::start(&key_hash)?;
        let scripts = Arc::new(scripts.into_iter().map(Mutex::new).collect::<Vec<_>>());
        let answered = Arc::clone(&scripts);
        runtime.spawn(async move {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&answered)));
                }
            }
        });
        Some(Place { port, chromium, scripts, _runtime: runtime })
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.port)
    }

    /// What Chromium sends under the script of this number.
    fn run(&mut self, number: usize) -> Vec<String> {
        let start = self.url(&host(number), "/start");
        self.chromium.open(&start);
        let steps = self.scripts[number].lock().steps.clone();
        for step in steps {
            self.take(number, step);
            self.wait_until_quiet(number);
        }
        std::mem::take(&mut self.scripts[number].lock().sent)
    }

    fn take(&mut self, number: usize, step: Step) {
        let fetch = |path: &str, how: &str| format!("fetch('{path}', {{{how}}}).then(() => 1, () => 0)");
        let script = match step {
            Step::Get(path) => fetch(path, ""),
            Step::Post(path) => fetch(path, "method: 'POST'"),
            Step::Omitting(path) => fetch(path, "credentials: 'omit'"),
            Step::Together(requests) => {
                format!("Promise.all(Array.from({{length: {requests}}}, () => {}))", fetch("/page", ""))
            }
            Step::Lapse => {
                let url = self.url(&host(number), "/");
                return self.chromium.drop_cookie(BOUND, &url);
            }
            Step::Follow(path) => {
                let link = self.url("other.example", &format!("/link?{}", self.url(&host(number), path)));
                self.chromium.open(&link);
                let title = self.url(&host(number), path);
                self.chromium
                    .wait_for("the link leads there", |chromium| chromium.run("location.href") == title.as_str());
                return;
            }
        };
        self.chromium.run(&script);
    }

    /// Registrations and early refreshes go on beside the page.
    fn wait_until_quiet(&self, number: usize) {
        let sent = || self.scripts[number].lock().sent.len();
        let (mut last, mut since) = (sent(), Instant::now());
        while since.elapsed() < Duration::from_millis(100) {
            std::thread::sleep(Duration::from_millis(10));
            if sent() != last {
                (last, since) = (sent(), Instant::now());
            }
        }
    }
}

/// A site for each script, so that none finds the sessions of another.
fn host(number: usize) -> String {
    format!("row{number}.test")
}

/// Answers the requests of a connection by the script of their host.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, scripts: Arc<Vec<Mutex<Script>>>) {
    while let Some((host, request)) = read(&mut stream).await {
        let number: Option<usize> = host.strip_prefix("row").and_then(|host| host.split('.').next()?.parse().ok());
        let answer = match (number, request.route()) {
            (None, _) => Answered::Response(Response::new(200).with("content-type", "text/html").with_body(LINK)),
            (_, "/start") => {
                Answered::Response(Response::new(200).with("content-type", "text/html").with_body("start"))
            }
            (_, "/favicon.ico") => Answered::Response(Response::new(404)),
            (Some(number), _) => scripts[number].lock().answer(&request),
        };
        let answer = match answer {
            Answered::Response(response) => response,
            Answered::Closed => return,
            Answered::Silence => pending().await,
        };
        if stream.write_all(&written(&answer)).await.is_err() {
            return;
        }
    }
}

/// A page that its script replaces by another one, as a link does.
const LINK: &str = "<script>location.href = location.search.slice(1)</script>";

/// The next request. Browsers send none with a body here.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Request)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.parse().ok()?, first.next()?.to_owned());
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
    }
    let host = headers.get("host")?.to_str().ok()?.to_owned();
    Some((host, Request { method, path, headers }))
}

fn written(response: &Response) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} .\r\ncontent-length: {}\r\n", response.status, response.body.len());
    for (name, value) in &response.headers {
        head += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    format!("{head}\r\n{}", response.body).into_bytes()
}

/// D66: what the worlds of devices rest on.
#[test]
fn chromium_and_the_model_send_the_same() {
    let Some(mut place) = Place::new(all()) else { return };
    let mut different = Vec::new();
    for (number, script) in all().into_iter().enumerate() {
        let (name, is_in_any_order) = (script.name, script.is_in_any_order);
        let (mut chromium, mut model) = (place.run(number), modelled(script));
        if is_in_any_order {
            chromium.sort();
            model.sort();
        }
        let is_same = chromium == model;
        if !is_same {
            different.push(format!("{number}, {name}:\nChromium {chromium:#?}\nthe model {model:#?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}
