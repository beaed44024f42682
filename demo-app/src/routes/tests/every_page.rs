use super::*;

const PAGES: [&str; 8] = [
    "/demo",
    "/demo/shop",
    "/demo/sign-in",
    "/demo/devices",
    "/demo/settings",
    "/demo/confirm",
    "/demo/admin",
    "/demo/nothing",
];

/// P50.
#[tokio::test]
async fn every_page_links_to_the_others() {
    let demo = Demo::new();
    let mut ann = demo.signed_in_browser().await;
    for path in PAGES {
        let page = ann.send(Method::GET, path, "", &[BEARER]).await;
        for link in ["/demo", "/demo/shop", "/demo/devices", "/demo/settings", "/demo/session.json"] {
            assert!(page.says(&format!(r#"href="{link}""#)), "{path} has no link to {link}");
        }
        let to_admin = r#"href="/demo/admin""#;
        assert!(path == "/demo/admin" || page.says(to_admin), "{path} has no link to /demo/admin");
    }
    demo.browser().get("/demo/shop").await.assert_says(r#"href="/demo/sign-in""#);
}

/// P61.
#[tokio::test]
async fn no_page_needs_or_allows_a_script() {
    let mut ann = Demo::new().signed_in_browser().await;
    for path in PAGES.iter().chain(&["/demo/style.css", "/demo/session.json"]) {
        let page = ann.send(Method::GET, path, "", &[BEARER]).await;
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{path}: {policy}");
        for part in ["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("script"), "{path}: {policy}");
        assert_eq!(page.headers[header::REFERRER_POLICY], "same-origin");
        assert_eq!(page.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(!page.says("<script") && !page.says("style="), "{path}");
    }
}

/// P50. Whoever holds an anonymous session, such as one with a cart, sees the login form of the original, and logs in there.
#[tokio::test]
async fn a_cart_changes_nothing_at_the_page_of_the_original() {
    let mut visitor = Demo::new().visitor();
    visitor.post("/demo/shop/add", "article=pencil").await;
    visitor.get("/demo").await.assert_login_form();
    visitor.submit("/demo", "").await.assert_login_form();
    visitor.submit("/demo", LOGIN).await.assert_count(1);
}

/// P56.
#[tokio::test]
async fn the_page_of_the_original_leaves_messages_for_the_page_that_shows_them() {
    let mut visitor = Demo::new().browser();
    visitor.post("/demo/shop/add", "article=pencil").await;
    assert!(!visitor.get("/demo").await.says("Pencil"));
    visitor.get("/demo/shop").await.assert_says("Pencil is in your cart.");
}
