//! Hosts with cookies of their own.

use session_axum::{CrossOriginProtection, Key, SessionCookie, SessionLayer, SessionLayerBuilder, Store};

use super::*;

fn builder<S: Store>(store: S) -> SessionLayerBuilder<S> {
    SessionLayer::builder(store)
        .cookie(SessionCookie::new().name("main"))
        .cookie_for_host("shop.example", SessionCookie::new().name("shop").domain("shop.example"))
        .cookie_for_host("blog.example", SessionCookie::new().name("blog").path("/blog"))
}

async fn cookie_at(app: &Router, headers: &[(&str, &str)]) -> String {
    With::headers(app, headers).post("/login").await.set_cookies()[0].to_owned()
}

/// T57. Where one host's cookie may travel without encryption, that says nothing of another host's pages.
#[tokio::test]
async fn only_the_host_that_allows_http_has_pages_of_http() {
    on_each_store(async |store| {
        let layer = builder(store).cookie_for_host("dev.example", SessionCookie::new().allow_http()).build().unwrap();
        let app = routes().layer(CrossOriginProtection::new()).layer(layer);
        for (host, status) in [("dev.example", 200), ("shop.example", 403), ("www.example", 403)] {
            let origins = [format!("https://{host}"), format!("http://{host}")];
            for (origin, status) in origins.iter().zip([200, status]) {
                let mut visitor = With::headers(&app, &[("host", host), ("origin", origin)]);
                assert_eq!(visitor.post("/login").await.status, status, "{origin}");
            }
        }
    })
    .await;
}

/// T7.
#[tokio::test]
async fn each_host_has_its_cookie() {
    on_each_store(async |store| {
        let app = routes().layer(builder(store).build().unwrap());
        for (host, name, flag) in [
            ("shop.example", "__Secure-shop", "; Domain=shop.example"),
            ("SHOP.example:8443", "__Secure-shop", "; Domain=shop.example"),
            ("blog.example", "__Secure-blog", "; Path=/blog"),
            ("www.example", "__Host-main", "; Path=/"),
        ] {
            let mut visitor = With::headers(&app, &[("host", host)]);
            let login = visitor.post("/login").await;
            let [cookie] = login.set_cookies()[..] else { panic!("{login:?}") };
            assert!(cookie.starts_with(&format!("{name}=")) && cookie.contains(flag), "{host}: {cookie}");
            let answer = visitor.get("/count").await;
            assert_eq!((answer.body.as_str(), answer.all("vary")), ("1", vec!["cookie"]));
            let removed = visitor.post("/logout").await;
            let [cookie] = removed.set_cookies()[..] else { panic!("{removed:?}") };
            assert!(cookie.starts_with(&format!("{name}=;")) && cookie.contains(flag), "{host}: {cookie}");
            assert_eq!(visitor.get("/user").await.body, "nobody");
        }
    })
    .await;
}

/// T7.
#[tokio::test]
async fn a_host_reads_its_own_cookie_alone() {
    let app = routes().layer(builder(MemoryStore::new()).build().unwrap());
    let hosts = ["shop.example", "blog.example", "www.example"];
    for host in hosts {
        let mut visitor = With::headers(&app, &[("host", host)]);
        visitor.post("/login").await;
        for there in hosts {
            visitor.headers = vec![("host", there)];
            assert_eq!(visitor.get("/user").await.body == "ann", there == host, "{host} at {there}");
        }
    }
}

/// T8.
#[tokio::test]
async fn a_host_that_is_not_listed_or_only_forged_gets_the_layers_own_cookie() {
    let app = routes().layer(builder(MemoryStore::new()).build().unwrap());
    let forged: [&[(&str, &str)]; 6] = [
        &[],
        &[("host", "www.example"), ("x-forwarded-host", "shop.example")],
        &[("host", "www.example"), ("forwarded", "host=shop.example")],
        &[("host", "shop.example.evil.example")],
        &[("host", "evilshop.example")],
        &[("host", "shop.example"), ("host", "blog.example")],
    ];
    for headers in forged {
        assert!(cookie_at(&app, headers).await.starts_with("__Host-main="), "{headers:?}");
    }
}

/// T8.
#[test]
fn an_entry_that_no_browser_keeps_fails_to_build() {
    let message = |host: &str, cookie: SessionCookie| {
        let built = builder(MemoryStore::new()).cookie_for_host(host, cookie).build();
        built.expect_err("it is refused").to_string()
    };
    for (host, cookie, fix) in [
        ("Shop.Example", SessionCookie::new(), "leave one of them out"),
        ("www.example", SessionCookie::new().domain("shop.example"), "leave `domain` out"),
        ("www.example", SessionCookie::new().name("__Host-a").path("/b"), "`__Host-`"),
        ("www.example:80", SessionCookie::new(), "leave out the port"),
    ] {
        let message = message(host, cookie);
        assert!(message.contains("`cookie_for_host`") && message.contains(fix), "{message}");
    }
}

/// T7. With everything else that a cookie can have.
#[tokio::test]
async fn hosts_go_with_tokens_signatures_and_http() {
    let signed = SessionCookie::new().name("signed").signed([Key::generate()]);
    let builder = builder(MemoryStore::new()).cookie_for_host("signed.example", signed).cookie_or_bearer();
    let app = routes().layer(builder.build().unwrap());
    let mut visitor = With::headers(&app, &[("host", "signed.example")]);
    let login = visitor.post("/login").await;
    assert!(login.set_cookies()[0].starts_with("__Host-signed=") && login.set_cookies()[0].len() > 100);
    assert_eq!(visitor.get("/user").await.body, "ann");
    visitor.headers.push(("authorization", "Bearer"));
    let login = visitor.post("/login").await;
    assert_eq!((login.all("session-id").len(), login.set_cookies().len()), (1, 0));

    let app = routes().layer(self::builder(MemoryStore::new()).allow_http().build().unwrap());
    assert!(cookie_at(&app, &[("host", "shop.example")]).await.starts_with("shop="));
}

/// T7. A scheme and a host decide together.
#[tokio::test]
async fn each_host_follows_the_scheme_by_itself() {
    use axum::Extension;
    use axum::extract::ConnectInfo;
    let proxies = session_axum::TrustedProxies::new(["::1"]).unwrap();
    let by_scheme = SessionCookie::new().name("both").secure_by_scheme(proxies);
    let layer = builder(MemoryStore::new()).cookie_for_host("both.example", by_scheme).build().unwrap();
    let peer: std::net::SocketAddr = "[::1]:4711".parse().unwrap();
    let app = routes().layer(layer).layer(Extension(ConnectInfo(peer)));
    for (host, scheme, name) in [
        ("both.example", "http", "both="),
        ("both.example", "https", "__Host-both="),
        ("shop.example", "http", "__Secure-shop="),
        ("www.example", "http", "__Host-main="),
    ] {
        let cookie = cookie_at(&app, &[("host", host), ("x-forwarded-proto", scheme)]).await;
        assert!(cookie.starts_with(name), "{host}, {scheme}: {cookie}");
    }
}
