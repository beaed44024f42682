use axum::Router;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::apps::{self, Work, cookies_after, request};
use crate::figure;

/// Those that keep sessions on the server; a session that lives in the cookie is each client's.
const SUBJECTS: [&str; 4] = ["ours", "tower-sessions", "tower-sessions-moka", "axum-session"];

/// Two clients count on one session at once, each application as its documentation shows.
pub fn run(counts: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    for name in SUBJECTS {
        let stored = runtime.block_on(async {
            let router = apps::router(name).await.expect("a known name");
            count_twice(router, counts).await
        });
        figure::print("lost-updates", name, "count", "expected", (2 * counts) as f64);
        figure::print("lost-updates", name, "count", "stored", stored as f64);
    }
}

async fn count_twice(router: Router, counts: usize) -> u64 {
    let answer = router.clone().oneshot(request(Work::Login, "")).await.expect("a router is infallible");
    let cookie = cookies_after(&answer);
    let clients = [(); 2].map(|()| {
        let (router, cookie) = (router.clone(), cookie.clone());
        tokio::spawn(async move {
            for _ in 0..counts {
                let answer = router.clone().oneshot(request(Work::Count, &cookie)).await;
                assert!(answer.expect("a router is infallible").status().is_success());
            }
        })
    });
    for client in clients {
        client.await.expect("the client counts to its end");
    }
    let answer = router.oneshot(request(Work::Read, &cookie)).await.expect("a router is infallible");
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8_lossy(&body).parse().expect("a number")
}
