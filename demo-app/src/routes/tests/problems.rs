use super::*;

#[tokio::test]
async fn an_outage_is_explained_and_passes() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    demo.store.faults().fail_every(Operation::ALL, Fault::Refused);
    for answer in [ann.get("/demo").await, ann.post("/demo", LOGIN).await, demo.visitor().post("/demo", LOGIN).await] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.says("try again") && answer.says("<!doctype html>"), "{}", answer.body);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
    demo.visitor().get("/demo").await.assert_login_form();
    demo.store.faults().recover();
    ann.get("/demo").await.assert_count(1);
}

/// R40.
#[tokio::test]
async fn a_path_that_is_not_there_is_404_with_and_without_the_token() {
    let mut visitor = Demo::new().visitor();
    for path in ["/favicon.ico", "/demo/", "/demo/nothing", "/demo/admin/nothing", "/admin"] {
        for headers in [&[][..], &[BEARER]] {
            let answer = visitor.send(Method::GET, path, "", headers).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert!(!answer.headers.contains_key(header::WWW_AUTHENTICATE), "{path}");
        }
    }
}

/// P60.
#[tokio::test]
async fn what_is_not_there_is_said_by_a_page_that_asks_no_store() {
    let demo = Demo::new();
    let mut ann = demo.signed_in_browser().await;
    demo.store.faults().fail_every(Operation::ALL, Fault::Refused);
    for (method, path) in [(Method::GET, "/demo/nothing"), (Method::POST, "/nothing"), (Method::GET, "/demo/%00")] {
        let answer = ann.send(method, path, "", &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        answer.assert_says("<h1>There is no such page</h1>");
        assert!(!answer.headers.contains_key(header::VARY), "the session was read");
    }
}

/// P60.
#[tokio::test]
async fn a_method_that_is_not_there_is_said_by_a_page_that_tells_which_are() {
    let mut visitor = Demo::new().browser();
    for (method, path, allowed) in [
        (Method::GET, "/demo/shop/add", "POST"),
        (Method::GET, "/demo/sign-out", "POST"),
        (Method::PUT, "/demo", "GET,HEAD,POST"),
        (Method::POST, "/demo/session.json", "GET,HEAD"),
        (Method::DELETE, "/demo/style.css", "GET,HEAD"),
        (Method::PUT, "/demo/admin", "GET,HEAD"),
    ] {
        let answer = visitor.send(method, path, "", &[BEARER]).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.headers[header::ALLOW], allowed, "{path}");
        answer.assert_says("<h1>This can&#39;t be done here</h1>");
    }
}

/// P60.
#[tokio::test]
async fn a_script_gets_json_in_the_place_of_these_pages() {
    let mut script = Demo::new().visitor();
    let json = [("accept", "application/json")];
    for (path, status) in [("/demo/nothing", 404), ("/demo/shop/add", 405)] {
        let answer = script.send(Method::GET, path, "", &json).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["status"], status);
    }
}

#[tokio::test]
async fn a_script_is_told_of_an_outage_by_json() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    demo.store.faults().fail_every(Operation::ALL, Fault::Refused);
    for (path, accept) in [("/demo", "application/json"), ("/demo/session.json", "*/*")] {
        let answer = ann.send(Method::GET, path, "", &[("accept", accept)]).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        answer.assert_says(r#""reason":"unavailable""#);
    }
}
