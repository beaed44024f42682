//! T57, T58, T59: what pages of other sites send in a visitor's name. Also to the login, and by WebSockets.

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{any, get, post};
use session_axum::{CrossOriginProtection, CsrfToken, MaybeSession, NewSession, Session, SessionError, SessionLayer};
use workspace_tests::client::{Answer, Client};
use workspace_tests::{KindOfStore, kinds_of_stores};

const SITE: &str = "sec-fetch-site";
const HOST: (&str, &str) = ("host", "shop.example");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal("ann"))?;
    Ok(())
}

async fn form(csrf: CsrfToken) -> Result<String, SessionError> {
    csrf.field()
}

/// Echoes the form, to show that a handler still gets all of it.
async fn echo(body: String) -> String {
    body
}

fn routes() -> Router {
    Router::new()
        .route("/form", get(form))
        .route("/plain", get(async |_: CsrfToken| "a page without a form"))
        .route("/login", post(login))
        .route("/renew", post(async |sess: Session| sess.renew_id().map_err(SessionError::from)))
        .route("/echo", post(echo))
        .route("/socket", any(async || "a socket"))
        .route("/hooks/{name}", post(async || "noted"))
}

/// An application on each kind of store.
async fn worlds(protection: CrossOriginProtection) -> Vec<(Client, KindOfStore)> {
    let world = |kind: KindOfStore| {
        let layer = SessionLayer::builder(kind.store.clone()).build().expect("these settings work");
        (Client::new(&routes().layer(protection.clone()).layer(layer)), kind)
    };
    kinds_of_stores().await.into_iter().map(world).collect()
}

async fn sent(client: &mut Client, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    client.request(Method::POST, path, &[&[HOST], headers].concat(), body).await
}

/// The token in the page of a form.
async fn token(client: &mut Client) -> String {
    let page = client.get("/form").await.body;
    let (_, value) = page.split_once("value=\"").expect("the form has a token");
    value.split_once('"').expect("the value ends").0.to_owned()
}

#[tokio::test]
async fn another_site_changes_nothing_and_signs_nobody_in() {
    for (mut visitor, _kept) in worlds(CrossOriginProtection::new()).await {
        for attack in [
            &[(SITE, "cross-site"), ("origin", "https://evil.example")][..],
            &[(SITE, "same-site"), ("origin", "https://blog.shop.example")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://shop.example")],
            &[("origin", "null")],
        ] {
            for path in ["/login", "/echo", "/unknown"] {
                let answer = sent(&mut visitor, path, attack, "").await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {attack:?}");
                assert!(answer.set_cookies().is_empty());
            }
        }
        for fine in [&[(SITE, "same-origin")][..], &[(SITE, "none")], &[("origin", "https://shop.example")], &[]] {
            assert_eq!(sent(&mut visitor, "/login", fine, "").await.status, StatusCode::OK, "{fine:?}");
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_answered_as_all_that_is_turned_away() {
    for (mut visitor, _kept) in worlds(CrossOriginProtection::new()).await {
        let page = sent(&mut visitor, "/echo", &[(SITE, "cross-site"), ("accept", "text/html")], "").await;
        assert!(page.body.contains("load the page again"), "{}", page.body);
        let script = sent(&mut visitor, "/echo", &[(SITE, "cross-site"), ("sec-fetch-mode", "cors")], "").await;
        assert_eq!(script.all("content-type"), ["application/problem+json"]);
        assert!(script.body.contains("\"cross_site\""));
    }
}

#[tokio::test]
async fn a_page_of_another_site_opens_no_socket() {
    const UPGRADE: [(&str, &str); 3] = [HOST, ("upgrade", "websocket"), ("connection", "upgrade")];
    for (mut visitor, _kept) in worlds(CrossOriginProtection::new()).await {
        let mut open =
            async |said: &[(&str, &str)]| visitor.send(Method::GET, "/socket", &[&UPGRADE, said].concat()).await.status;
        for attack in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "http://shop.example")],
            &[("origin", "https://shop.example:8443")],
            &[("origin", "https://blog.shop.example")],
            &[("origin", "null")],
            &[(SITE, "cross-site"), ("origin", "https://evil.example")],
            &[(SITE, "same-site"), ("origin", "https://blog.shop.example")],
        ] {
            assert_eq!(open(attack).await, StatusCode::FORBIDDEN, "{attack:?}");
        }
        let own = ("origin", "https://shop.example");
        for fine in [&[own][..], &[(SITE, "same-origin"), own]] {
            assert_eq!(open(fine).await, StatusCode::OK, "{fine:?}");
        }
    }
}

#[tokio::test]
async fn trusted_origins_and_excepted_routes_pass() {
    let protection = CrossOriginProtection::new().trust("https://admin.example").unwrap().except(["/hooks/{name}"]);
    for (mut visitor, _kept) in worlds(protection).await {
        let mut status = async |path: &str, origin| {
            sent(&mut visitor, path, &[(SITE, "cross-site"), ("origin", origin)], "").await.status
        };
        assert_eq!(status("/echo", "https://admin.example").await, StatusCode::OK);
        assert_eq!(status("/echo", "http://admin.example").await, StatusCode::FORBIDDEN);
        assert_eq!(status("/hooks/paid", "https://bank.example").await, StatusCode::OK);
        assert_eq!(status("/hooks/paid/more", "https://bank.example").await, StatusCode::FORBIDDEN);
    }
    for wrong in ["admin.example", "https://admin.example/", "https://*.example", "*", "null", ""] {
        let message = CrossOriginProtection::new().trust(wrong).unwrap_err().to_string();
        assert!(message.contains("`trust`"), "{message}");
    }
}

#[tokio::test]
async fn over_http_pages_of_ones_own_count_where_that_is_allowed() {
    for kind in kinds_of_stores().await {
        let layer = SessionLayer::builder(kind.store.clone()).allow_http().build().unwrap();
        let mut visitor = Client::new(&routes().layer(CrossOriginProtection::new()).layer(layer));
        assert_eq!(sent(&mut visitor, "/echo", &[("origin", "http://shop.example")], "").await.status, StatusCode::OK);
        let evil = [("origin", "http://evil.example")];
        assert_eq!(sent(&mut visitor, "/echo", &evil, "").await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn an_older_browser_needs_the_token_of_its_form() {
    for (mut visitor, _kept) in worlds(CrossOriginProtection::new().require_token()).await {
        assert_eq!(sent(&mut visitor, "/login", &[FORM], "").await.status, StatusCode::FORBIDDEN);
        let own = token(&mut visitor).await;
        let body = format!("amount=5&csrf_token={own}&note=a%20b");
        let echoed = sent(&mut visitor, "/echo", &[FORM], &body).await;
        assert_eq!((echoed.status, echoed.body), (StatusCode::OK, body), "the handler gets all of the form");
        let header = [(CsrfToken::HEADER, own.as_str())];
        assert_eq!(sent(&mut visitor, "/echo", &header, "{}").await.status, StatusCode::OK);
        for wrong in ["", "x", "csrf_token=", "csrf_token=x", "amount=5", &format!("csrf_token={own}x")] {
            let answer = sent(&mut visitor, "/echo", &[FORM], wrong).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{wrong}");
        }
        // A right token is no excuse for what a browser says.
        let attack = [FORM, (SITE, "cross-site")];
        let body = format!("csrf_token={own}");
        assert_eq!(sent(&mut visitor, "/echo", &attack, &body).await.status, StatusCode::FORBIDDEN);
        // A newer browser needs none.
        assert_eq!(sent(&mut visitor, "/echo", &[(SITE, "same-origin")], "").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_token_is_of_use_in_its_own_session_alone() {
    for (mut ann, _kept) in worlds(CrossOriginProtection::new().require_token()).await {
        let mut eve = ann.clone();
        let (anns, eves) = (token(&mut ann).await, token(&mut eve).await);
        let status = async |client: &mut Client, path: &str, token: &str| {
            sent(client, path, &[FORM], &format!("csrf_token={token}")).await.status
        };
        assert_eq!(status(&mut ann, "/echo", &eves).await, StatusCode::FORBIDDEN);
        // The form that was shown before the login is of no use after it: clean 403, and the next page has a new one.
        assert_eq!(status(&mut ann, "/login", &anns).await, StatusCode::OK);
        assert_eq!(status(&mut ann, "/echo", &anns).await, StatusCode::FORBIDDEN);
        let after = token(&mut ann).await;
        assert_eq!(status(&mut ann, "/echo", &after).await, StatusCode::OK);
        // A plain renewal leaves forms alone.
        assert_eq!(status(&mut ann, "/renew", &after).await, StatusCode::OK);
        assert_eq!(status(&mut ann, "/echo", &after).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_page_without_a_form_starts_nothing() {
    for (mut visitor, _kept) in worlds(CrossOriginProtection::new()).await {
        assert!(visitor.get("/plain").await.set_cookies().is_empty());
        assert_eq!(visitor.get("/form").await.set_cookies().len(), 1);
    }
}

#[tokio::test]
async fn without_a_session_layer_it_still_refuses() {
    let mut visitor = Client::new(&Router::new().route("/echo", post(echo)).layer(CrossOriginProtection::new()));
    assert_eq!(sent(&mut visitor, "/echo", &[(SITE, "cross-site")], "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(sent(&mut visitor, "/echo", &[(SITE, "same-origin")], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_a_session_that_came_by_a_token_is_exempt() {
    for kind in kinds_of_stores().await {
        let layer = SessionLayer::builder(kind.store.clone()).cookie_or_bearer().build().unwrap();
        let app = routes().layer(CrossOriginProtection::new().require_token()).layer(layer);
        let bearer = |token: &str| format!("Bearer {token}");
        let mut program = Client::new(&app);
        // Its login is none of the forms that another site can send, and has no session yet.
        let evil = [(SITE, "cross-site"), ("origin", "https://evil.example")];
        let refused = sent(&mut program, "/login", &[("authorization", "Bearer"), evil[0], evil[1]], "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let origin = ("origin", "https://shop.example");
        let answer = sent(&mut program, "/login", &[("authorization", "Bearer"), origin], "").await;
        let token = bearer(answer.all("session-id")[0]);
        for headers in
            [&[("authorization", token.as_str())][..], &[("authorization", token.as_str()), evil[0], evil[1]]]
        {
            assert_eq!(sent(&mut program, "/echo", headers, "").await.status, StatusCode::OK);
        }
        // Somebody who has a cookie, and only says that there is a token.
        let mut browser = Client::new(&app);
        sent(&mut browser, "/login", &[origin], "").await;
        assert_eq!(browser.jar.len(), 1);
        for claimed in ["Bearer", "Bearer x", "Bearer AAAAAAAAAAAAAAAAAAAAAAAA"] {
            let headers = [("authorization", claimed), evil[0], evil[1]];
            assert_eq!(sent(&mut browser, "/echo", &headers, "").await.status, StatusCode::FORBIDDEN, "{claimed}");
        }
    }
}
