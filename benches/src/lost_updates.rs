use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::apps;

/// Two clients count on one session at once, each application as its documentation shows.
pub fn run(counts: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    for name in ["ours", "tower-sessions-memory", "tower-sessions-moka", "axum-session"] {
        let stored = runtime.block_on(async {
            let router = apps::router(name).await.expect("a known name");
            count_twice(router, counts).await
        });
        println!("{name} expected {} stored {stored}", 2 * counts);
    }
}

async fn count_twice(router: Router, counts: usize) -> usize {
    let answer = router.clone().oneshot(request("/login", "")).await.expect("a router is infallible");
    let set = answer.headers().get_all(header::SET_COOKIE).iter().filter_map(|set| set.to_str().ok());
    let cookie: Vec<&str> = set.filter_map(|set| set.split(';').next()).collect();
    let cookie = cookie.join("; ");
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let (router, cookie) = (router.clone(), cookie.clone());
            tokio::spawn(async move {
                for _ in 0..counts {
                    let answer = router.clone().oneshot(request("/count", &cookie)).await;
                    assert!(answer.expect("a router is infallible").status().is_success());
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("the client counts to its end");
    }
    let answer = router.oneshot(request("/read", &cookie)).await.expect("a router is infallible");
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8_lossy(&body).parse().expect("a number")
}

fn request(path: &str, cookie: &str) -> Request<Body> {
    Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).expect("the request is well formed")
}
