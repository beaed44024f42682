//! What a request of a bound session costs, beside one of a session that is not.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use session_axum::{DeviceBound, ManualClock, MemoryStore};
use session_core::conformance::faulty::Operation;
use tower::ServiceExt;

use super::application::{Application, BOUND, SESSION, builder, routes};
use super::software_browser::SoftwareBrowser;

/// The allocations of one request with these cookies, on one thread.
async fn allocations(app: &Router, browser: &SoftwareBrowser) -> u64 {
    let cookies: Vec<String> =
        [SESSION, BOUND].iter().filter_map(|name| Some(format!("{name}={}", browser.cookie(name)?))).collect();
    let request = || Request::get("/user").header(header::COOKIE, cookies.join("; ")).body(Body::empty()).unwrap();
    let mut least = u64::MAX;
    for _ in 0..10 {
        let (call, request) = (app.clone(), request());
        let mut response = None;
        let counted = allocation_counter::measure(|| {
            let call = std::pin::pin!(call.oneshot(request));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            response = Some(std::future::Future::poll(call, &mut context));
        });
        assert!(matches!(response, Some(std::task::Poll::Ready(Ok(_)))), "a store in memory waits for nobody");
        least = least.min(counted.count_total);
    }
    least
}

/// D39, bar 7
#[tokio::test]
async fn a_bound_request_costs_no_call_of_the_store_and_few_allocations() {
    let clock = std::sync::Arc::<ManualClock>::default();
    let plain = routes().layer(builder(MemoryStore::new(), &clock).build().unwrap());
    let layer = builder(MemoryStore::new(), &clock).device_bound(DeviceBound::new()).build().unwrap();
    let bound = routes().layer(layer);
    let mut visitors = [&plain, &bound, &bound].map(|app| SoftwareBrowser::new(app, &clock));
    visitors[1].is_old = true;
    for visitor in &mut visitors {
        visitor.post("/login").await;
        assert_eq!(visitor.get("/user").await.body, "ann");
    }
    let mut counts = Vec::new();
    for (visitor, app) in visitors.iter().zip([&plain, &bound, &bound]) {
        counts.push(allocations(app, visitor).await);
    }
    // One for the place of the layer, and one for what the request shows.
    assert!(counts[1] <= counts[0] + 1 && counts[2] <= counts[1] + 1, "{counts:?}");

    let app = Application::new();
    let mut browser = app.bound().await;
    browser.get("/user").await;
    // The use of that request is noted beside it.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    app.store.faults().forget_calls();
    browser.get("/user").await;
    assert_eq!((app.store.faults().all_calls(), app.store.faults().calls(Operation::Load)), (1, 1));
}
