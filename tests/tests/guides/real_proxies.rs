//! What the guide says of nginx and Caddy, with real ones.

use std::collections::BTreeSet;

use workspace_tests::is_installed;

use crate::proxied_site::{Site, Visitor};

/// A visitor counts at whichever process the proxy chooses; the cookie is that of HTTPS, whatever a client says; a form of
/// the site itself passes, and one of another site does not.
async fn works(mut visitor: Visitor) {
    assert!(is_installed("curl"));
    let forged = ["x-forwarded-proto: http", "x-forwarded-host: evil.example", "forwarded: proto=http"];
    visitor.send("POST", "/login/ann", &forged).await;
    assert!(visitor.cookie.starts_with("__Host-sessid="), "{}", visitor.head);
    assert!(visitor.head.contains("; Secure"), "{}", visitor.head);
    for count in 1..=8 {
        assert_eq!(visitor.post("/count").await, (200, count.to_string()));
    }
    // Caddy chooses by chance.
    let mut processes = BTreeSet::new();
    for _ in 0..100 {
        processes.insert(visitor.get("/process").await.1);
        if processes.len() == 2 {
            break;
        }
    }
    assert_eq!(processes, ["1", "2"].map(String::from).into());
    assert_eq!(visitor.send("POST", "/count", &["origin: https://evil.example"]).await.0, 403);
    assert_eq!(visitor.get("/attributes").await.0, 200);
    visitor.post("/logout").await;
    assert_eq!(visitor.post("/count").await.0, 401);
    let redirect = visitor.redirect_from_http();
    assert!(redirect.contains("location: https://shop.example"), "{redirect}");
}

/// P82.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_behind_nginx_works_with_the_settings_of_the_guide() {
    let site = Site::start().await;
    let Some(visitor) = site.nginx(&[]) else { return };
    works(visitor).await;
}

/// P82.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_behind_caddy_works_with_the_settings_of_the_guide() {
    let site = Site::start().await;
    let Some(visitor) = site.caddy() else { return };
    works(visitor).await;
}

/// P82. Without `Host`, a form of the site itself looks like one of another site.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_replaces_the_host_has_forms_refused() {
    let site = Site::start().await;
    let Some(mut visitor) = site.nginx(&[("Host $http_host;", "Host 127.0.0.1;")]) else { return };
    assert_eq!(visitor.post("/login/ann").await.0, 403);
}

/// P82. A cache in the proxy that does not know of cookies.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_in_the_proxy_gives_nobody_the_page_of_another() {
    let site = Site::start().await;
    let cached = "location / {\nproxy_cache all; proxy_cache_key $uri; proxy_cache_valid any 1m;";
    let Some(mut ann) = site.nginx(&[("location / {", cached)]) else { return };
    let mut bob = ann.another();
    ann.post("/login/ann").await;
    bob.post("/login/bob").await;
    for _ in 0..2 {
        assert_eq!(ann.get("/name").await, (200, "ann".into()));
        assert_eq!(bob.get("/name").await, (200, "bob".into()));
        assert_eq!(ann.another().get("/name").await.0, 401);
    }
    // What declares no session is kept once for all; what looks at one, once for each visitor.
    assert_eq!(ann.get("/news").await, bob.get("/news").await);
    let (anns, bobs) = (ann.get("/for-all").await, bob.get("/for-all").await);
    assert_ne!(anns, bobs);
    assert_eq!((anns, bobs), (ann.get("/for-all").await, bob.get("/for-all").await));
}

/// P83.
#[tokio::test(flavor = "multi_thread")]
async fn when_the_proxy_gives_up_only_what_the_handler_saved_itself_is_saved() {
    let mut site = Site::start().await;
    let Some(mut visitor) = site.nginx(&[("proxy_read_timeout 60s;", "proxy_read_timeout 1s;")]) else { return };
    visitor.post("/login/ann").await;
    assert_eq!(visitor.post("/slow").await.0, 504);
    site.waits.recv().await.unwrap();
    site.dropped.recv().await.unwrap();
    assert_eq!(visitor.get("/attributes").await.1, "Some(1) None");
}
