//! A site behind a real proxy, which has the settings of the guide.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use session_axum::{
    CrossOriginProtection, EndSession, MaybeSession, MemoryStore, NewSession, PublicResponse, Session, SessionCookie,
    SessionError, SessionLayer, TrustedProxies,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use workspace_tests::{Authority, ServerProcess, free_port, is_installed};

use crate::code::behind_a_proxy::serve::serve;

/// Two processes of one application, as far as the proxy can tell, and what they tell the test.
pub struct Site {
    ports: [u16; 2],
    authority: Authority,
    folder: TempDir,
    /// A handler has begun to wait.
    pub waits: mpsc::UnboundedReceiver<()>,
    /// A handler that waited was dropped.
    pub dropped: mpsc::UnboundedReceiver<()>,
}

struct TellsWhenDropped(mpsc::UnboundedSender<()>);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl Site {
    pub async fn start() -> Self {
        let (wait, waits) = mpsc::unbounded_channel();
        let (drops, dropped) = mpsc::unbounded_channel();
        let slow = async move |sess: Session| {
            sess.update_attr("Saved", |_: Option<u32>| 1).await?;
            sess.set_attr("Collected", &1)?;
            let _tells = TellsWhenDropped(drops.clone());
            let _ = wait.send(());
            Notify::new().notified().await;
            Ok::<_, SessionError>(())
        };
        async fn count(sess: Session) -> Result<String, SessionError> {
            Ok(sess.update_attr("Count", |count: Option<u32>| count.unwrap_or(0) + 1).await?.to_string())
        }
        async fn attributes(sess: Session) -> Result<String, SessionError> {
            Ok(format!("{:?} {:?}", sess.attr::<u32>("Saved")?, sess.attr::<u32>("Collected")?))
        }
        async fn name(sess: Session) -> String {
            sess.principal().unwrap_or_default().to_string()
        }
        // Each answer of a handler is another number.
        let served = Arc::new(AtomicU32::new(0));
        let next = move || served.fetch_add(1, Ordering::Relaxed).to_string();
        let count_news = next.clone();
        let cached = [("cache-control", "public, max-age=60")];
        let news = async move || (cached, count_news());
        let for_all = async move |_: Option<Session>| (PublicResponse, cached, next());
        async fn login_as(visitor: MaybeSession, Path(user): Path<String>) -> Result<(), SessionError> {
            visitor.start(NewSession::new().principal(user)).map(drop)
        }
        async fn logout(ending: EndSession) {
            ending.end();
        }
        let proxies = TrustedProxies::new(["127.0.0.1"]).unwrap();
        let layer = SessionLayer::builder(MemoryStore::new()).cookie(SessionCookie::new().secure_by_scheme(proxies));
        let routes = Router::new()
            .route("/login/{user}", post(login_as))
            .route("/logout", post(logout))
            .route("/count", post(count))
            .route("/slow", post(slow))
            .route("/attributes", get(attributes))
            .route("/name", get(name))
            .route("/news", get(news))
            .route("/for-all", get(for_all));
        let routes = routes.layer(CrossOriginProtection::new()).layer(layer.build().unwrap());
        let mut ports = [0, 0];
        for (port, number) in ports.iter_mut().zip(["1", "2"]) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            *port = listener.local_addr().unwrap().port();
            let app = routes.clone().route("/process", get(async move || number));
            tokio::spawn(serve(listener, app));
        }
        Site { ports, authority: Authority::new(), folder: tempfile::tempdir().unwrap(), waits, dropped }
    }

    /// A block of the guide, with ports and files of this test.
    fn settings(&self, language: &str, changes: &[(&str, &str)]) -> String {
        let guide = include_str!("../../../docs/guides/behind-a-proxy.md");
        let block = guide.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap();
        let ports = [("127.0.0.1:3000", self.ports[0]), ("127.0.0.1:3001", self.ports[1])];
        let ports = ports.map(|(shown, port)| (shown, format!("127.0.0.1:{port}")));
        let ports = ports.iter().map(|(shown, real)| (*shown, real.as_str()));
        ports.chain(changes.iter().copied()).fold(block.to_owned(), |block, (shown, real)| {
            assert!(block.contains(shown), "the guide has {shown}");
            block.replace(shown, real)
        })
    }

    /// nginx, with some of the guide's settings changed. `None` where it is not installed.
    pub fn nginx(&self, changes: &[(&str, &str)]) -> Option<Visitor> {
        if !is_installed("nginx") {
            return None;
        }
        let certificate = self.authority.certify(&["shop.example"]);
        let (port, plain) = (free_port(), free_port());
        let (listen, listen_plain) = (format!("listen {port} ssl http2;"), format!("listen {plain};"));
        let own = [
            ("listen 443 ssl http2;", &*listen),
            ("listen 80;", &*listen_plain),
            ("/etc/ssl/shop.pem", &*certificate.file),
            ("/etc/ssl/shop.key", &*certificate.key),
        ];
        let folder = self.folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
            .concat();
        let settings = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}\nproxy_cache_path {folder}/cache keys_zone=all:1m;\n{}\n}}\n",
            self.settings("nginx", &[&own[..], changes].concat())
        );
        let file = format!("{folder}/nginx.conf");
        fs::write(&file, settings).unwrap();
        let errors = format!("{folder}/errors");
        let server = ServerProcess::start(&["nginx", "-e", &errors, "-c", &file], || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Some(Visitor::of(port, plain, self.authority.file(), server))
    }

    /// Caddy. `None` where it is not installed.
    pub fn caddy(&self) -> Option<Visitor> {
        if !is_installed("caddy") {
            return None;
        }
        let certificate = self.authority.certify(&["shop.example"]);
        let (port, plain) = (free_port(), free_port());
        let site = format!("shop.example:{port} {{\n    tls {} {}", certificate.file, certificate.key);
        let folder = self.folder.path().display();
        let settings = format!(
            "{{\n    admin off\n    http_port {plain}\n    https_port {port}\n    storage file_system {folder}\n}}\n{}",
            self.settings("caddy", &[("shop.example {", &site)])
        );
        let file = format!("{folder}/Caddyfile");
        fs::write(&file, settings).unwrap();
        let server = ServerProcess::start(&["caddy", "run", "--adapter", "caddyfile", "--config", &file], || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Some(Visitor::of(port, plain, self.authority.file(), server))
    }
}

/// A visitor of the site behind its proxy.
pub struct Visitor {
    port: u16,
    plain: u16,
    authority: String,
    pub cookie: String,
    /// The last answer's head.
    pub head: String,
    _proxy: Arc<ServerProcess>,
}

impl Visitor {
    fn of(port: u16, plain: u16, authority: String, proxy: ServerProcess) -> Self {
        Visitor { port, plain, authority, cookie: String::new(), head: String::new(), _proxy: Arc::new(proxy) }
    }

    pub fn another(&self) -> Self {
        let (authority, proxy) = (self.authority.clone(), Arc::clone(&self._proxy));
        Visitor { cookie: String::new(), head: String::new(), authority, _proxy: proxy, ..*self }
    }

    /// Sends a request by HTTP/2, with other cookies beside the session's, and returns status and body.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[&str]) -> (u16, String) {
        let at = format!("shop.example:{}:127.0.0.1", self.port);
        let url = format!("https://shop.example:{}{path}", self.port);
        let mut command = Command::new("curl");
        command.args(["-s", "-i", "--http2", "--cacert", &self.authority, "--resolve", &at, "-X", method, &url]);
        let cookies = [String::from("cookie: a=1"), format!("cookie: {}", self.cookie), "cookie: b=2".into()];
        for header in cookies.iter().map(String::as_str).chain(headers.iter().copied()) {
            command.args(["-H", header]);
        }
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("an answer of curl: {text:?}"));
        let set_cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        if let Some(cookie) = set_cookie {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        self.head = head.to_owned();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub async fn get(&mut self, path: &str) -> (u16, String) {
        self.send("GET", path, &[]).await
    }

    pub async fn post(&mut self, path: &str) -> (u16, String) {
        let origin = format!("origin: https://shop.example:{}", self.port);
        self.send("POST", path, &[&origin]).await
    }

    pub fn redirect_from_http(&self) -> String {
        let at = format!("shop.example:{}:127.0.0.1", self.plain);
        let url = format!("http://shop.example:{}/count", self.plain);
        let output = Command::new("curl").args(["-s", "-i", "--resolve", &at, &url]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().to_ascii_lowercase()
    }
}
