use super::*;

const PHONE: [(&str, &str); 5] = [
    BROWSER[0],
    BROWSER[1],
    BROWSER[2],
    BROWSER[3],
    (
        "user-agent",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    ),
];

/// Ann at her desk, and on the phone that she signed in with ten minutes before.
async fn ann_twice(demo: &Demo) -> (Visitor, Visitor) {
    let phone = Visitor { says: &PHONE, ..demo.visitor() }.logged_in("ann").await;
    demo.clock.advance(Duration::from_secs(10 * 60));
    let desk = demo.signed_in_browser().await;
    demo.clock.advance(Duration::from_secs(5 * 60));
    (desk, phone)
}

/// P51.
#[tokio::test]
async fn devices_are_listed_with_browser_system_and_last_use() {
    let demo = Demo::new();
    let (mut desk, _) = ann_twice(&demo).await;
    demo.browser().logged_in("bob").await;
    let page = desk.get("/demo/devices").await;
    let (this, other) = page.body.split_once("Safari on iPhone").unwrap();
    assert!(this.contains("Firefox on Linux") && this.contains("This device"), "{this}");
    assert!(
        this.contains(">just now</time>") && this.contains("Signed in 5 minutes ago, ends in 30 minutes"),
        "{this}"
    );
    assert!(other.contains(">15 minutes ago</time>") && other.contains("ends in 15 minutes"), "{other}");
    assert!(!other.contains("This device"), "{other}");
    assert_eq!(page.values_of("handle").len(), 1, "this device has a logout instead, and bob's is none of hers");
}

/// P51.
#[tokio::test]
async fn devices_are_for_whoever_is_signed_in() {
    let mut visitor = Demo::new().browser();
    assert_eq!(visitor.get("/demo/devices").await.leads_to(), "/demo/sign-in?next=%2Fdemo%2Fdevices");
    // A cart signs nobody in.
    visitor.post("/demo/shop/add", "article=pencil").await;
    assert_eq!(visitor.get("/demo/devices").await.leads_to(), "/demo/sign-in?next=%2Fdemo%2Fdevices");
}

/// P52.
#[tokio::test]
async fn one_device_is_signed_out() {
    let demo = Demo::new();
    let (mut desk, mut phone) = ann_twice(&demo).await;
    let handle = desk.get("/demo/devices").await.values_of("handle")[0].to_owned();
    let form = format!("handle={handle}");
    desk.submit("/demo/devices/end", &form).await.assert_says("That device is signed out.");
    phone.get("/demo").await.assert_login_form();
    desk.submit("/demo/devices/end", &form).await.assert_says("That device was signed out already.");
    desk.get("/demo").await.assert_says("Hello ann!");
}

/// P52.
#[tokio::test]
async fn all_other_devices_are_signed_out() {
    let demo = Demo::new();
    let (mut desk, mut phone) = ann_twice(&demo).await;
    let mut bob = demo.browser().logged_in("bob").await;
    desk.get("/demo/devices").await.assert_says("Sign out all other devices");
    let page = desk.submit("/demo/devices/end-others", "").await;
    page.assert_says("1 other device signed out.");
    assert!(!page.says("Sign out all other devices"));
    phone.get("/demo").await.assert_login_form();
    bob.get("/demo").await.assert_says("Hello bob!");
}

/// P52.
#[tokio::test]
async fn nobody_ends_the_session_of_another_user() {
    let demo = Demo::new();
    let (mut desk, _) = ann_twice(&demo).await;
    let handle = desk.get("/demo/devices").await.values_of("handle")[0].to_owned();
    let mut bob = demo.browser().logged_in("bob").await;
    bob.submit("/demo/devices/end", &format!("handle={handle}")).await.assert_says("signed out already");
    desk.get("/demo/devices").await.assert_says("Safari on iPhone");
    let junk = desk.post("/demo/devices/end", "handle=junk").await;
    assert_eq!(junk.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// P66.
#[tokio::test]
async fn what_a_browser_says_of_itself_is_only_text() {
    const SCRIPT: [(&str, &str); 1] = [("user-agent", "<script>alert(1)</script> Firefox/1<b>")];
    let demo = Demo::new();
    let mut ann = demo.signed_in_browser().await;
    Visitor { says: &SCRIPT, ..demo.visitor() }.logged_in("ann").await;
    demo.visitor().logged_in("ann").await;
    let page = ann.get("/demo/devices").await;
    page.assert_says("<strong>Firefox</strong>");
    page.assert_says("<strong>Unknown browser</strong>");
    assert!(!page.says("<script>") && !page.says("alert"), "{}", page.body);
}
