use super::*;

const TO_CONFIRM: &str = "/demo/confirm?next=%2Fdemo%2Fsettings";

/// P55.
#[tokio::test]
async fn settings_ask_for_the_password_again_and_lead_back() {
    let demo = Demo::new();
    let mut ann = demo.signed_in_browser().await;
    ann.get("/demo/settings").await.assert_says("<h1>Settings</h1>");
    demo.clock.advance(Duration::from_secs(2 * 60));
    assert_eq!(ann.get("/demo/settings").await.leads_to(), TO_CONFIRM);

    let wrong = ann.post(TO_CONFIRM, "Password=b").await;
    assert_eq!(wrong.leads_to(), TO_CONFIRM);
    ann.get(TO_CONFIRM).await.assert_says("That is not the password.");
    assert_eq!(ann.get("/demo/settings").await.leads_to(), TO_CONFIRM);

    let mut thief = ann.clone();
    assert_eq!(ann.post(TO_CONFIRM, "Password=a").await.leads_to(), "/demo/settings");
    assert_ne!(ann.cookies, thief.cookies, "the session has a new id");
    ann.get("/demo/settings").await.assert_says("<h1>Settings</h1>");
    assert_eq!(thief.get("/demo/settings").await.leads_to(), "/demo/sign-in?next=%2Fdemo%2Fsettings");
}

/// P55.
#[tokio::test]
async fn settings_are_changed_only_by_whoever_gave_the_password() {
    let demo = Demo::new();
    let mut ann = demo.signed_in_browser().await;
    demo.clock.advance(Duration::from_secs(2 * 60));
    let referer = [FORM, ("referer", "http://demo.example/demo/settings")];
    let answer = ann.send(Method::POST, "/demo/settings", "Address=Elsewhere", &referer).await;
    assert_eq!(answer.leads_to(), TO_CONFIRM);
    ann.post(TO_CONFIRM, "Password=a").await;
    assert!(!ann.get("/demo/settings").await.says("Elsewhere"));
    let page = ann.submit("/demo/settings", "Address=+1+High+Street+%3Cb%3E+").await;
    page.assert_says("Your settings are saved.");
    page.assert_says(r#"value="1 High Street &#60;b&#62;""#);
    ann.post("/demo/shop/add", "article=pencil").await;
    ann.submit("/demo/shop/order", "").await.assert_says("to 1 High Street");
}

#[tokio::test]
async fn an_address_has_an_end() {
    let mut ann = Demo::new().signed_in_browser().await;
    let page = ann.submit("/demo/settings", &format!("Address={}", "%C5%81".repeat(300))).await;
    page.assert_says(&format!(r#"value="{}""#, "Ł".repeat(200)));
}

/// P53.
#[tokio::test]
async fn a_browser_is_remembered_later_and_forgotten_again() {
    let demo = Demo::new();
    let mut ann = demo.signed_in_browser().await;
    let answer = ann.post("/demo/settings", "Address=&Remember=yes").await;
    assert!(answer.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=2592000"));
    ann.get("/demo/settings").await.assert_says(" checked>");
    let answer = ann.post("/demo/settings", "Address=").await;
    assert!(!answer.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age"));
    demo.clock.advance(Duration::from_secs(30 * 60));
    ann.get("/demo").await.assert_login_form();
}
