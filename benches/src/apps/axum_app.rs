use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::runtime::Runtime;
use tower::Service;

use super::{App, OTHER_COOKIES, Work};
use crate::stats::{Sample, measured_region};

pub struct AxumApp {
    runtime: Runtime,
    router: Router,
}

impl AxumApp {
    pub fn new(runtime: Runtime, router: Router) -> Self {
        // As `axum::serve` does, which otherwise would be done on each request: all handlers get
        // their layers.
        let router = {
            let _in_runtime = runtime.enter();
            router.with_state(())
        };
        AxumApp { runtime, router }
    }

    /// Makes one request, which is not measured.
    pub fn call(&mut self, request: Request<Body>) -> Response<Body> {
        let AxumApp { runtime, router } = self;
        runtime.block_on(router.call(request)).expect("a router is infallible")
    }
}

impl App for AxumApp {
    fn log_in(&mut self) -> String {
        cookies_after(&self.call(request(Work::Login, OTHER_COOKIES)))
    }

    fn answer(&mut self, work: Work, cookies: &[String]) -> Sample {
        let requests: Vec<_> = cookies.iter().map(|cookie| request(work, cookie)).collect();
        let AxumApp { runtime, router } = self;
        measured_region(|| {
            runtime.block_on(async {
                for request in requests {
                    let answer = router.call(request).await.expect("a router is infallible");
                    assert_eq!(answer.status(), StatusCode::OK, "{}", work.name());
                }
            });
        })
    }

    fn count(&mut self, cookie: &str) -> u64 {
        let AxumApp { runtime, router } = self;
        runtime.block_on(async {
            let answer = router.call(request(Work::Read, cookie)).await.expect("a router is infallible");
            let body = answer.into_body().collect().await.expect("a body").to_bytes();
            String::from_utf8_lossy(&body).parse().expect("a number")
        })
    }
}

pub fn request(work: Work, cookie: &str) -> Request<Body> {
    Request::get(work.path())
        .header(header::ACCEPT, "*/*")
        .header(header::COOKIE, cookie)
        .body(Body::empty())
        .expect("the request is well formed")
}

/// What a visitor sends after this answer, the session last.
pub fn cookies_after(answer: &Response<Body>) -> String {
    with_cookies_of(answer, OTHER_COOKIES)
}

/// These cookies, and those of an answer behind them.
pub fn with_cookies_of(answer: &Response<Body>, before: &str) -> String {
    let set = answer.headers().get_all(header::SET_COOKIE).iter();
    let pairs = set.filter_map(|set| set.to_str().ok()?.split(';').next());
    [before].into_iter().chain(pairs).collect::<Vec<_>>().join("; ")
}
