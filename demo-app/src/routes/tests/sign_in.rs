use super::*;

/// P53.
#[tokio::test]
async fn whoever_ticks_the_box_is_remembered_for_thirty_days() {
    for (fields, is_remembered) in [("UserName=ann&Password=a&Remember=yes", true), ("UserName=ann&Password=a", false)]
    {
        let demo = Demo::new();
        let mut ann = demo.browser();
        let answer = ann.post("/demo/sign-in", fields).await;
        assert_eq!(answer.leads_to(), "/demo/shop");
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert_eq!(cookie.contains("Max-Age=2592000"), is_remembered, "it survives closing the browser");
        assert_eq!(ann.get("/demo/devices").await.says("Remembered"), is_remembered);

        demo.clock.advance(Duration::from_secs(29 * 86_400));
        assert_eq!(ann.get("/demo/devices").await.status == StatusCode::OK, is_remembered);
        demo.clock.advance(Duration::from_secs(86_400));
        assert_eq!(ann.get("/demo/devices").await.leads_to(), "/demo/sign-in?next=%2Fdemo%2Fdevices");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_once_and_the_way_back_stays() {
    let mut ann = Demo::new().browser();
    let form = "/demo/sign-in?next=%2Fdemo%2Fdevices";
    let answer = ann.post(form, "UserName=hunter2&Password=s3cret").await;
    assert_eq!(answer.leads_to(), form);
    let page = ann.get(form).await;
    page.assert_says("Invalid user name or password!");
    page.assert_says(r#"aria-invalid="true""#);
    assert!(!page.says("hunter2") && !page.says("s3cret"), "{}", page.body);
    assert!(!ann.get(form).await.says("Invalid"));
    assert_eq!(ann.post(form, "UserName=ann&Password=a").await.leads_to(), "/demo/devices");
}

/// P67.
#[tokio::test]
async fn the_way_back_leads_to_no_other_site_and_not_to_the_logout() {
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/demo/sign-out", "/demo/sign-in"] {
        let mut ann = Demo::new().browser();
        let query: String = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = ann.post(&format!("/demo/sign-in?next={query}"), "UserName=ann&Password=a").await;
        assert_eq!(answer.leads_to(), "/demo/shop", "{next}");
    }
}

#[tokio::test]
async fn a_login_over_another_ends_that_one() {
    let demo = Demo::new();
    let mut browser = demo.signed_in_browser().await;
    let mut thief = browser.clone();
    browser.get("/demo/sign-in").await.assert_says("You are signed in as ann.");
    browser.post("/demo/sign-in", "UserName=bob&Password=a").await;
    browser.get("/demo/devices").await.assert_says(r#"<span class="name">bob</span>"#);
    assert_eq!(thief.get("/demo/devices").await.leads_to(), "/demo/sign-in?next=%2Fdemo%2Fdevices");
}

/// P57.
#[tokio::test]
async fn where_nothing_says_where_a_form_comes_from_it_needs_its_token() {
    let demo = Demo::new();
    let mut program = demo.visitor();
    let refused = program.post("/demo/sign-in", "UserName=ann&Password=a").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    refused.assert_says("This form has expired, or was sent from another site.");

    let page = program.get("/demo/sign-in").await;
    let token = page.values_of("csrf_token")[0].to_owned();
    let fields = format!("UserName=ann&Password=a&csrf_token={token}");
    assert_eq!(program.post("/demo/sign-in", &fields).await.leads_to(), "/demo/shop");

    // A token is of no use once somebody has signed in.
    assert_eq!(program.post("/demo/sign-out", &format!("csrf_token={token}")).await.status, StatusCode::FORBIDDEN);
    let page = program.get("/demo/devices").await;
    let token = page.values_of("csrf_token")[0].to_owned();
    assert_eq!(program.post("/demo/sign-out", &format!("csrf_token={token}")).await.leads_to(), "/demo");
    assert!(program.cookies.is_empty());
}

/// P57.
#[tokio::test]
async fn no_form_of_the_demo_is_taken_from_another_site() {
    let demo = Demo::new();
    let headers = [FORM, ("host", "demo.example"), ("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")];
    for path in [
        "/demo",
        "/demo/sign-in",
        "/demo/sign-out",
        "/demo/shop/add",
        "/demo/shop/remove",
        "/demo/shop/order",
        "/demo/devices/end",
        "/demo/devices/end-others",
        "/demo/settings",
        "/demo/confirm",
    ] {
        let mut ann = demo.signed_in().await;
        let answer = ann.send(Method::POST, path, "UserName=ann&Password=a&article=pencil", &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        answer.assert_says("Nothing was changed.");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_everywhere() {
    let mut ann = Demo::new().signed_in_browser().await;
    let mut thief = ann.clone();
    assert_eq!(ann.post("/demo/sign-out", "").await.leads_to(), "/demo");
    assert!(ann.cookies.is_empty());
    thief.get("/demo").await.assert_login_form();
}
