//! T50, T51: navigations, scripts and htmx are each answered in their way, and the application may answer itself.

use std::time::Duration;

use axum::Extension;
use axum::extract::MatchedPath;
use axum::response::IntoResponse;
use session_axum::{ClientKind, CrossOriginProtection, Refusal, Refused};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};

use super::*;

#[tokio::test]
async fn each_kind_of_client_is_answered_in_its_way() {
    for world in worlds(with_pages).await {
        let mut visitor = world.visitor();
        let mut get = async |headers: &[(&str, &str)]| sent(&mut visitor, Method::GET, "/home?tab=2", headers).await;
        assert_led(&get(&[PAGE]).await, "/login?next=%2Fhome%3Ftab%3D2");
        assert_led(&get(&[("sec-fetch-mode", "navigate")]).await, "/login?next=%2Fhome%3Ftab%3D2");
        for script in
            [SCRIPT, ("accept", "application/json"), ("x-requested-with", "XMLHttpRequest"), ("accept", "*/*")]
        {
            assert_problem(&get(&[script]).await, StatusCode::UNAUTHORIZED, "no_session");
        }
        let htmx = get(&[HTMX, SCRIPT, ("hx-current-url", "https://shop.example/list?a=b")]).await;
        assert_eq!(htmx.status, StatusCode::UNAUTHORIZED);
        assert_eq!(htmx.all("hx-redirect"), ["/login?next=%2Flist%3Fa%3Db"]);
    }
}

#[tokio::test]
async fn without_pages_everybody_gets_a_status() {
    for world in worlds(|builder| builder).await {
        let mut visitor = world.visitor();
        let page = sent(&mut visitor, Method::GET, "/home", &[PAGE]).await;
        assert_eq!((page.status, page.body.as_str()), (StatusCode::UNAUTHORIZED, "Please sign in."));
        assert_problem(
            &sent(&mut visitor, Method::GET, "/home", &[SCRIPT]).await,
            StatusCode::UNAUTHORIZED,
            "no_session",
        );
        let htmx = sent(&mut visitor, Method::GET, "/home", &[HTMX]).await;
        assert_eq!((htmx.status, htmx.all("hx-redirect").len()), (StatusCode::UNAUTHORIZED, 0));
    }
}

#[tokio::test]
async fn an_anonymous_session_signs_nobody_in() {
    for world in worlds(with_pages).await {
        let mut visitor = world.visitor();
        visitor.post("/cart").await;
        assert_eq!(visitor.get("/session").await.body, "a session");
        assert_led(&sent(&mut visitor, Method::GET, "/home", &[PAGE]).await, "/login?next=%2Fhome");
        let script = sent(&mut visitor, Method::GET, "/home", &[SCRIPT]).await;
        assert_problem(&script, StatusCode::UNAUTHORIZED, "not_signed_in");
        assert_led(&sent(&mut visitor, Method::POST, "/pay", &[PAGE]).await, "/login");
    }
}

#[tokio::test]
async fn a_handler_can_turn_a_request_away_itself() {
    let ended = async |user: SignedIn| -> Result<(), SessionError> {
        user.remove();
        user.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await?;
        Ok(())
    };
    let refused = async || ([("x-tried", "1")], SessionError::from(Refusal::NotSignedIn));
    let otherwise = async || (StatusCode::PAYMENT_REQUIRED, SessionError::from(Refusal::NotSignedIn));
    let own =
        Router::new().route("/ended", get(ended)).route("/refused", get(refused)).route("/pay-first", get(otherwise));
    let layer = SessionLayer::builder(MemoryStore::new()).sign_in_page("/login").build().unwrap();
    let app = routes().merge(own).layer(layer);
    let mut user = Client::new(&app);
    user.post("/login").await;
    assert_led(&sent(&mut user, Method::GET, "/ended", &[PAGE]).await, "/login?next=%2Fended");
    assert_led(&sent(&mut user, Method::GET, "/refused", &[PAGE]).await, "/login?next=%2Frefused");
    let script = sent(&mut user, Method::GET, "/refused", &[SCRIPT]).await;
    assert_problem(&script, StatusCode::UNAUTHORIZED, "not_signed_in");
    assert_eq!(script.all("x-tried"), ["1"], "what the handler adds stays");
    let own = sent(&mut user, Method::GET, "/pay-first", &[PAGE]).await;
    assert_eq!(own.status, StatusCode::PAYMENT_REQUIRED, "a status of the handler's own counts");
}

#[tokio::test]
async fn an_application_answers_itself_and_sees_the_request() {
    let own = |refused: &Refused<'_>| {
        let told = format!("{:?} {} {}", refused.refusal(), refused.method(), refused.uri());
        let is_html = refused.client() == ClientKind::Navigation;
        let host = refused.headers().get("host")?.to_str().ok()?;
        is_html.then(|| (StatusCode::IM_A_TEAPOT, [("x-host", host)], told).into_response())
    };
    for world in worlds(|builder| with_pages(builder).answer_with(own)).await {
        let nested = Router::new().nest("/shop", world.app.clone());
        for (app, path) in [(&world.app, "/home?a"), (&nested, "/shop/home?a")] {
            let answer = sent(&mut Client::new(app), Method::GET, path, &[PAGE]).await;
            assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
            assert_eq!(answer.body, format!("NoSession GET {path}"));
            assert_eq!(answer.all("x-host"), ["shop.example"]);
        }
        // The function leaves these to the default.
        let script = sent(&mut world.visitor(), Method::GET, "/home", &[SCRIPT]).await;
        assert_problem(&script, StatusCode::UNAUTHORIZED, "no_session");
    }
}

#[tokio::test]
async fn an_application_sees_what_others_have_put_into_the_request() {
    #[derive(Clone)]
    struct Tenant(&'static str);

    let own = |refused: &Refused<'_>| {
        let (tenant, route) = (refused.extensions().get::<Tenant>()?, refused.extensions().get::<MatchedPath>()?);
        Some(format!("{} of {}, {:?}", route.as_str(), tenant.0, refused.refusal()).into_response())
    };
    for kind in kinds_of_stores().await {
        let store = FaultyStore::new(kind.store.clone());
        let layer = SessionLayer::builder(store.clone()).answer_with(own).build().unwrap();
        let app = routes().layer(layer).layer(Extension(Tenant("shop")));
        let mut visitor = Client::new(&app);
        assert_eq!(sent(&mut visitor, Method::GET, "/home", &[SCRIPT]).await.body, "/home of shop, NoSession");
        store.faults().fail_every(Operation::WRITES, Fault::Refused);
        assert_eq!(sent(&mut visitor, Method::POST, "/login", &[]).await.body, "/login of shop, Unavailable");
    }
}

#[tokio::test]
async fn an_application_is_told_each_reason() {
    let echoed = |refused: &Refused<'_>| Some(format!("{:?}", refused.refusal()).into_response());
    let protected = routes().layer(CrossOriginProtection::new());
    for world in worlds_of(&protected, |builder| with_pages(builder).answer_with(echoed)).await {
        for client in [PAGE, SCRIPT, HTMX] {
            let mut visitor = world.visitor();
            assert_eq!(sent(&mut visitor, Method::GET, "/home", &[client]).await.body, "NoSession");
            visitor.post("/cart").await;
            assert_eq!(sent(&mut visitor, Method::GET, "/home", &[client]).await.body, "NotSignedIn");
            visitor.post("/login").await;
            assert_eq!(sent(&mut visitor, Method::GET, "/home", &[client]).await.body, "ann");
            let evil = [client, ("sec-fetch-site", "cross-site")];
            assert_eq!(sent(&mut visitor, Method::POST, "/pay", &evil).await.body, "CrossSite");
            assert_eq!(sent(&mut visitor, Method::POST, "/pay", &[client]).await.body, "ann paid");
            world.clock.advance(Duration::from_secs(10 * 60));
            assert_eq!(sent(&mut visitor, Method::POST, "/pay", &[client]).await.body, "NotFresh");
        }
    }
}

#[tokio::test]
async fn a_failing_store_is_answered_in_the_same_place_when_loading_and_when_saving() {
    let own = |refused: &Refused<'_>| {
        let is_page = refused.client() == ClientKind::Navigation;
        let page = (refused.refusal().status(), "Back in a moment");
        (refused.refusal() == Refusal::Unavailable && is_page).then(|| page.into_response())
    };
    for kind in kinds_of_stores().await {
        let store = FaultyStore::new(kind.store.clone());
        let layer = SessionLayer::builder(store.clone()).answer_with(own).build().unwrap();
        let app = routes().layer(layer);
        let mut user = Client::new(&app);
        user.post("/login").await;
        for (failing, method, path) in
            [(Operation::READS, Method::GET, "/home"), (Operation::WRITES, Method::POST, "/login")]
        {
            store.faults().fail_every(failing, Fault::Refused);
            let page = sent(&mut user, method.clone(), path, &[PAGE]).await;
            assert_eq!((page.status, page.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "Back in a moment"));
            assert_eq!(page.set_cookies(), Vec::<&str>::new());
            let script = sent(&mut user, method, path, &[SCRIPT]).await;
            assert_problem(&script, StatusCode::SERVICE_UNAVAILABLE, "unavailable");
            store.faults().recover();
        }
        assert_eq!(user.get("/home").await.body, "ann", "nobody was signed out");
    }
}
