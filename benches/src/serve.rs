use std::fs;
use std::path::Path;

use tokio::net::TcpListener;

use crate::apps;
use crate::apps::{Work, cookies_after, request};
use tower::Service;

/// Logs visitors in, writes their `Cookie` headers to a file, and serves until the process is killed, as
/// `#[tokio::main]` does, with one worker.
pub fn run(name: &str, port: u16, visitors: usize, cookie_file: &Path) {
    let write =
        |cookies: Vec<String>| fs::write(cookie_file, cookies.join("\n") + "\n").expect("the file can be written");
    if name.starts_with("actix") {
        return apps::serve_actix(name, port, visitors, write);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut router = apps::router(name).await.expect("a known name");
        let mut cookies = Vec::new();
        for _ in 0..visitors {
            let answer = router.call(request(Work::Login, apps::OTHER_COOKIES)).await;
            cookies.push(cookies_after(&answer.expect("a router is infallible")));
        }
        write(cookies);
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
        axum::serve(listener, router).await.expect("the server runs");
    });
}
