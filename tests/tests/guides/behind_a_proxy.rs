use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{
    Key, MaybeSession, MemoryStore, NewSession, ReturnTo, Session, SessionCookie, SessionError, SessionLayer, SignedIn,
};
use workspace_tests::client::Client;

use crate::code::behind_a_proxy::prefix;
use crate::{PAGE, with_login};

/// P80.
#[tokio::test]
async fn a_login_below_a_path_leads_back_there_unless_the_proxy_cuts_the_path_off() {
    async fn login(visitor: MaybeSession, next: ReturnTo) -> Result<axum::response::Response, SessionError> {
        visitor.start(NewSession::new().principal("ann"))?;
        Ok(next.or("/shop"))
    }
    async fn account(user: SignedIn) -> String {
        user.principal().to_owned()
    }
    let shop = || Router::new().route("/login", post(login)).route("/account", get(account));
    let mut client = Client::new(&prefix::app(shop(), MemoryStore::new()).unwrap());
    let led = client.send(Method::GET, "/shop/account", &[PAGE]).await;
    assert_eq!(led.all("location"), ["/shop/login?next=%2Fshop%2Faccount"]);
    assert_eq!(client.post(led.all("location")[0]).await.all("location"), ["/shop/account"]);
    assert_eq!(client.get("/shop/account").await.body, "ann");
    assert_eq!(client.jar.keys().collect::<Vec<_>>(), ["__Host-shop"]);
    let health = Client::new(&prefix::app(shop(), MemoryStore::new()).unwrap()).get("/health").await;
    assert!(health.status == StatusCode::OK && health.headers.get("vary").is_none());

    // The application sees `/account` where the browser sees `/shop/account`.
    let cut = shop().layer(SessionLayer::builder(MemoryStore::new()).sign_in_page("/shop/login").build().unwrap());
    let led = Client::new(&cut).send(Method::GET, "/account", &[PAGE]).await;
    assert_eq!(led.all("location"), ["/shop/login?next=%2Faccount"]);
}

/// P80.
#[tokio::test]
async fn applications_at_one_host_need_cookies_of_different_names() {
    let app = |name: &str| {
        let layer = SessionLayer::builder(MemoryStore::new()).cookie(SessionCookie::new().name(name)).build().unwrap();
        with_login(Router::new().route("/", get(async |_: Session| ()))).layer(layer)
    };
    for (other, status) in [("wiki", StatusCode::OK), ("shop", StatusCode::UNAUTHORIZED)] {
        let shop = app("shop");
        let mut client = Client::new(&shop);
        client.post("/login").await;
        let mut client = client.moved_to(&app(other));
        client.post("/login").await;
        assert_eq!(client.moved_to(&shop).get("/").await.status, status);
    }
}

/// P81.
#[tokio::test]
async fn a_cookie_has_the_size_that_the_guide_says() {
    let key = || [Key::from(&[1; 64])];
    let guide = include_str!("../../../docs/guides/behind-a-proxy.md");
    let cookies = [
        ("default", SessionCookie::new()),
        ("`signed`", SessionCookie::new().signed(key())),
        ("`private`", SessionCookie::new().private(key())),
    ];
    for (kind, cookie) in cookies {
        let layer = SessionLayer::builder(MemoryStore::new()).cookie(cookie).build().unwrap();
        let mut client = Client::new(&with_login(Router::new()).layer(layer));
        client.post("/login").await;
        let (name, value) = client.jar.iter().next().unwrap();
        let row = format!("| {kind} | {} |", name.len() + 1 + value.len());
        assert!(guide.contains(&row), "{row}");
    }
}

/// P81. HTTP/2 lets a client send a cookie in a header of its own.
#[tokio::test]
async fn cookies_in_several_headers_are_all_read() {
    let app =
        with_login(Router::new().route("/", get(async |_: Session| ()))).layer(SessionLayer::new(MemoryStore::new()));
    let mut client = Client::new(&app);
    client.post("/login").await;
    let (name, value) = client.jar.pop_first().unwrap();
    let crumbs = [("cookie", "a=1".to_owned()), ("cookie", format!("{name}={value}")), ("cookie", "b=2".to_owned())];
    let crumbs = crumbs.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(client.send(Method::GET, "/", &crumbs).await.status, StatusCode::OK);
}
