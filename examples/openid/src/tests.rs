use axum::http::{Request, Response, StatusCode, header};
use session_axum::testing::{SessionEffect, TestClient, TestSessions};
use session_axum::{SameSite, SessionCookie};

use super::*;

/// Where the application of the tests is.
const HERE: &str = "https://app.test";

/// The application, and a provider that listens on a port of its own.
struct Shop {
    sessions: TestSessions,
    app: Router,
    provider: Router,
}

impl Shop {
    async fn open() -> Self {
        let sessions = TestSessions::new();
        let layer = session_layer(sessions.layer()).unwrap();
        Shop::with(sessions, layer).await
    }

    async fn with(sessions: TestSessions, layer: SessionLayer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = provider::provider(&issuer);
        tokio::spawn(axum::serve(listener, provider.clone()).into_future());
        let openid = OpenId::discover(registered(issuer, provider::CLIENT_SECRET)).await.unwrap();
        Shop { app: app(layer, openid), sessions, provider }
    }

    fn stranger(&self) -> TestClient<Router> {
        self.sessions.client(self.app.clone())
    }

    /// Signs a user in at the provider, to which the application has led. Returns the way back.
    async fn at_provider(&self, address: &str, user: &str) -> String {
        let (_, path) = address.split_once("/authorize").expect("it leads to the provider");
        let mut visitor = self.sessions.client(self.provider.clone());
        let back = visitor.submit(&format!("/authorize{path}"), &[("user", user)]).await;
        location(&back).strip_prefix(HERE).expect("it leads back").to_owned()
    }
}

fn registered(issuer: String, client_secret: &str) -> Registration {
    let (client_id, client_secret, here) = (provider::CLIENT_ID.to_owned(), client_secret.to_owned(), HERE.to_owned());
    Registration { issuer, client_id, client_secret, here }
}

#[track_caller]
fn location(response: &Response<String>) -> &str {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{}", response.body());
    response.headers()[header::LOCATION].to_str().unwrap()
}

/// The provider leads back, so the browser comes from another site.
async fn arrives(visitor: &mut TestClient<Router>, back: &str) -> Response<String> {
    visitor.send_cross_site(Request::get(back).header(header::ACCEPT, "text/html").body("").unwrap()).await
}

/// P75.
#[tokio::test]
async fn a_visitor_signs_in_at_the_provider_and_is_led_back_to_the_page() {
    let shop = Shop::open().await;
    let mut visitor = shop.stranger();
    assert_eq!(location(&visitor.get("/?page=2").await), "/sign-in?next=%2F%3Fpage%3D2");
    let leaves = visitor.get("/sign-in?next=%2F%3Fpage%3D2").await;
    let back = shop.at_provider(location(&leaves), "ann").await;
    assert_eq!(location(&arrives(&mut visitor, &back).await), "/?page=2");
    assert!(visitor.get("/").await.body().contains("Hello ann"));
    visitor.post("/sign-out").await;
    assert_eq!(location(&visitor.get("/").await), "/sign-in?next=%2F");
}

/// P75.
#[tokio::test]
async fn signing_in_gives_a_fresh_id_and_the_strangers_id_opens_nothing() {
    let shop = Shop::open().await;
    let mut visitor = shop.stranger();
    let leaves = visitor.get("/sign-in").await;
    assert_eq!(SessionEffect::of(&leaves), SessionEffect::Started, "of a stranger");
    let mut attacker = visitor.jar().stolen().client(shop.app.clone());
    let back = shop.at_provider(location(&leaves), "ann").await;
    assert_eq!(SessionEffect::of(&arrives(&mut visitor, &back).await), SessionEffect::Started);
    assert_eq!(location(&attacker.get("/").await), "/sign-in?next=%2F");
}

/// P75.
#[tokio::test]
async fn a_way_back_that_did_not_begin_in_this_browser_signs_nobody_in() {
    let shop = Shop::open().await;
    // The attacker signs in at the provider, and has the victim's browser open the way back.
    let mut attacker = shop.stranger();
    let back = shop.at_provider(location(&attacker.get("/sign-in").await), "attacker").await;
    let (mut stranger, mut signing_in) = (shop.stranger(), shop.stranger());
    let begun = signing_in.get("/sign-in").await;
    for victim in [&mut stranger, &mut signing_in] {
        assert_eq!(arrives(victim, &back).await.status(), StatusCode::BAD_REQUEST);
        assert_eq!(location(&victim.get("/").await), "/sign-in?next=%2F");
    }
    let back = shop.at_provider(location(&begun), "ann").await;
    assert_eq!(location(&arrives(&mut signing_in, &back).await), "/", "the visitor's own sign-in goes on");
}

/// P75.
#[tokio::test]
async fn a_way_back_works_once() {
    let shop = Shop::open().await;
    let mut visitor = shop.stranger();
    let back = shop.at_provider(location(&visitor.get("/sign-in").await), "ann").await;
    let mut another_window = visitor.clone();
    arrives(&mut visitor, &back).await;
    for client in [&mut visitor, &mut another_window] {
        assert_eq!(arrives(client, &back).await.status(), StatusCode::BAD_REQUEST);
    }
    assert!(visitor.get("/").await.body().contains("Hello ann"), "whoever is signed in stays so");
}

/// P75.
#[tokio::test]
async fn a_code_that_was_given_for_another_verifier_or_nonce_signs_nobody_in() {
    let shop = Shop::open().await;
    let mut visitor = shop.stranger();
    let begun = location(&visitor.get("/sign-in").await).to_owned();
    let of_another = begun.replace("code_challenge=", "code_challenge=x");
    let back = shop.at_provider(&of_another, "ann").await;
    assert_eq!(arrives(&mut visitor, &back).await.status(), StatusCode::BAD_GATEWAY);
    let another_nonce = location(&visitor.get("/sign-in").await).replace("&nonce=", "&nonce=x");
    let back = shop.at_provider(&another_nonce, "ann").await;
    assert_eq!(arrives(&mut visitor, &back).await.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(location(&visitor.get("/").await), "/sign-in?next=%2F");
}

#[tokio::test]
async fn a_visitor_who_changes_their_mind_at_the_provider_can_try_again() {
    let shop = Shop::open().await;
    let mut visitor = shop.stranger();
    let begun = location(&visitor.get("/sign-in").await).to_owned();
    let (_, rest) = begun.split_once("state=").unwrap();
    let state = rest.split('&').next().unwrap();
    let refused = arrives(&mut visitor, &format!("/signed-in?error=access_denied&state={state}")).await;
    assert_eq!(refused.status(), StatusCode::BAD_GATEWAY);
    assert!(refused.body().contains("try again"));
}

/// The default cookie comes along on the way back. A stricter one does not.
#[tokio::test]
async fn with_a_strict_cookie_the_sign_in_is_not_found() {
    let sessions = TestSessions::new();
    let strict = SessionCookie::new().same_site(SameSite::Strict);
    let layer = session_layer(sessions.layer().cookie(strict)).unwrap();
    let shop = Shop::with(sessions, layer).await;
    let mut visitor = shop.stranger();
    let back = shop.at_provider(location(&visitor.get("/sign-in").await), "ann").await;
    assert_eq!(arrives(&mut visitor, &back).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_says_it_is_another_is_refused_with_the_reason() {
    let nobody = OpenId::discover(registered("http://127.0.0.1:1".to_owned(), "secret")).await;
    assert!(format!("{:#}", nobody.err().unwrap()).contains("can't reach http://127.0.0.1:1/"));
    let open = OpenId::discover(registered("http://login.example".to_owned(), "secret")).await;
    assert!(format!("{:#}", open.err().unwrap()).contains("give an issuer with https"));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, provider::provider("https://another.example")).into_future());
    let another = OpenId::discover(registered(issuer, "secret")).await;
    assert!(format!("{:#}", another.err().unwrap()).ends_with("is of https://another.example"));
}
