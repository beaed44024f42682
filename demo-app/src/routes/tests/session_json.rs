use super::*;

const SCRIPT: [(&str, &str); 2] = [("accept", "application/json"), ("sec-fetch-mode", "cors")];

/// P58.
#[tokio::test]
async fn a_script_reads_the_session() {
    let mut ann = Demo::new().signed_in().await;
    ann.get("/demo").await.assert_count(1);
    ann.post("/demo/shop/add", "article=pencil").await;
    let answer = ann.send(Method::GET, "/demo/session.json", "", &SCRIPT).await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let session: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&session["user"], &session["visits"], &session["in_cart"]), (&"ann".into(), &1.into(), &1.into()));
    assert_eq!(session["authenticated_by"], serde_json::json!(["pwd"]));
    assert!(session["ends_at"].as_str().unwrap().ends_with('Z'), "{session}");
    assert!(!answer.says(&ann.cookies["sessid"]), "it tells an id");
}

/// P58.
#[tokio::test]
async fn a_script_without_a_session_gets_401_and_a_browser_the_way_to_the_sign_in_page() {
    let demo = Demo::new();
    let answer = demo.visitor().send(Method::GET, "/demo/session.json", "", &SCRIPT).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    answer.assert_says(r#""reason":"no_session""#);
    let answer = demo.browser().get("/demo/session.json").await;
    assert_eq!(answer.leads_to(), "/demo/sign-in?next=%2Fdemo%2Fsession.json");
}

/// P58.
#[tokio::test]
async fn a_script_that_asks_again_and_again_keeps_nobody_signed_in() {
    let demo = Demo::new();
    let mut ann = demo.signed_in().await;
    for _ in 0..29 {
        demo.clock.advance(Duration::from_secs(60));
        assert_eq!(ann.get("/demo/session.json").await.status, StatusCode::OK);
    }
    demo.clock.advance(Duration::from_secs(60));
    assert_eq!(ann.get("/demo/session.json").await.status, StatusCode::UNAUTHORIZED);
}
