//! What a response did.

use session_axum::testing::{SessionEffect, TestSessions};
use session_axum::{Authentication, SessionCookie};

use super::*;

/// P10.
#[tokio::test]
async fn a_response_tells_what_it_did_to_the_session() {
    let (sessions, _, app) = plain_shop();
    let mut visitor = sessions.client(app);
    let steps = [
        ("GET", "/", SessionEffect::Nothing),
        ("POST", "/logout", SessionEffect::Nothing),
        ("POST", "/cart", SessionEffect::Started),
        ("POST", "/cart", SessionEffect::Nothing),
        ("POST", "/renew", SessionEffect::Renewed),
        ("GET", "/cart", SessionEffect::Nothing),
        ("POST", "/login", SessionEffect::Started),
        ("POST", "/login", SessionEffect::Started),
        ("POST", "/renew", SessionEffect::Renewed),
        ("GET", "/nowhere", SessionEffect::Nothing),
        ("POST", "/logout", SessionEffect::Ended),
        ("POST", "/renew", SessionEffect::Nothing),
    ];
    for (method, path, effect) in steps {
        let response = if method == "GET" { visitor.get(path).await } else { visitor.post(path).await };
        assert_eq!(SessionEffect::of(&response), effect, "{method} {path}");
    }
}

/// P10.
#[tokio::test]
async fn authenticating_renews_and_a_changed_lifetime_of_the_cookie_does_nothing_to_the_session() {
    let sessions = TestSessions::new();
    let mut request = sessions.request(ann()).await;
    request.session().await.reauthenticate(Authentication::by(["pwd"])).unwrap();
    assert_eq!(SessionEffect::of(&request.finish().await), SessionEffect::Renewed);

    let mut request = sessions.request(ann()).await;
    request.session().await.set_persistent(true).unwrap();
    let response = request.finish().await;
    assert!(response.headers().contains_key("set-cookie"));
    assert_eq!(SessionEffect::of(&response), SessionEffect::Nothing);
}

/// P10.
#[tokio::test]
async fn a_periodic_renewal_is_a_new_id() {
    let sessions = TestSessions::new();
    let every = std::time::Duration::from_secs(60);
    let layer = sessions.layer().renew_every(every).build().unwrap();
    let mut ann = sessions.sign_in(&layer, ann()).await.client(shop(layer));
    assert_eq!(SessionEffect::of(&ann.get("/").await), SessionEffect::Nothing);
    sessions.advance(every);
    assert_eq!(SessionEffect::of(&ann.get("/").await), SessionEffect::Renewed);
    assert_eq!(SessionEffect::of(&ann.get("/").await), SessionEffect::Nothing);
}

/// P10.
#[tokio::test]
async fn stacked_layers_are_told_apart() {
    let (visitors, staff) = (TestSessions::new(), TestSessions::new());
    let inner = visitors.layer().build().unwrap();
    let outer = staff.layer().cookie(SessionCookie::new().name("staff")).build().unwrap();
    async fn both(
        parts: axum::http::request::Parts,
        staff: session_axum::OfLayer<Staff, MaybeSession>,
    ) -> Result<(), SessionError> {
        drop(parts);
        staff.start(NewSession::new().principal("bob")).map(drop)
    }
    struct Staff;
    let marked = staff.layer().cookie(SessionCookie::new().name("staff")).marked::<Staff>().build().unwrap();
    let app = shop(inner.clone()).route("/staff", post(both).layer(inner.clone())).layer(marked.clone());
    let mut client = visitors.client(app);

    let response = client.post("/login").await;
    assert_eq!(SessionEffect::of_layer(&response, &inner), SessionEffect::Started);
    assert_eq!(SessionEffect::of_layer(&response, &outer), SessionEffect::Nothing);
    let response = client.post("/staff").await;
    assert_eq!(SessionEffect::of_layer(&response, &inner), SessionEffect::Nothing);
    assert_eq!(SessionEffect::of_layer(&response, &marked), SessionEffect::Started);
    assert_eq!(SessionEffect::of(&response), SessionEffect::Started);
}

/// P11.
#[tokio::test]
async fn nothing_of_the_kit_prints_an_id() {
    let sessions = TestSessions::new();
    for transport in [None, Some(session_axum::HeaderTransport::bearer())] {
        let builder = sessions.layer();
        let layer = match transport {
            Some(transport) => builder.transport(transport).build().unwrap(),
            None => builder.build().unwrap(),
        };
        let jar = sessions.sign_in(&layer, ann()).await;
        let request = session_axum::testing::TestRequest::at(&layer, jar.attach(axum::http::Request::new(())));
        let (name, value) = jar.header("/");
        let secret = value.to_str().unwrap().rsplit(['=', ' ']).next().unwrap().to_owned();
        assert!(secret.len() > 20, "{name}");
        let mut client = jar.clone().client(shop(layer.clone()));
        let login = client.post("/login").await;
        let renewed = client.jar().header("/").1;
        let renewed = renewed.to_str().unwrap().rsplit(['=', ' ']).next().unwrap().to_owned();
        let attached = jar.attach(axum::http::Request::new(()));
        let texts = [
            format!("{sessions:?} {jar:?} {request:?} {client:?} {layer:?}"),
            format!("{value:?} {attached:?} {:?}", SessionEffect::of(&login)),
            format!("{login:?}"),
        ];
        for text in texts {
            assert!(!text.contains(&secret) && !text.contains(&renewed), "an id is printed");
        }
    }
}
