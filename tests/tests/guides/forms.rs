use axum::http::{Method, StatusCode};
use workspace_tests::client::Client;

use crate::code::forms::{protected, token as forms_token, transfer};
use crate::in_memory;

const CROSS_SITE: (&str, &str) = ("sec-fetch-site", "cross-site");

async fn token(client: &mut Client) -> String {
    let page = client.get("/transfer").await.body;
    let (_, rest) = page.split_once("name=csrf value=").expect("the form has a token");
    rest.split_once('>').expect("the field ends").0.to_owned()
}

#[tokio::test]
async fn only_a_form_with_the_visitors_own_token_is_taken() {
    let app = in_memory(transfer::routes());
    let (mut ann, mut other) = (Client::new(&app), Client::new(&app));
    ann.post("/login").await;
    other.post("/login").await;

    let own = token(&mut ann).await;
    let accepted = ann.submit("/transfer", &format!("csrf={own}&amount=5")).await;
    assert_eq!((accepted.status, accepted.body.as_str()), (StatusCode::OK, "5 sent"));
    for wrong in [String::new(), token(&mut other).await] {
        let refused = ann.submit("/transfer", &format!("csrf={wrong}&amount=5")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }

    ann.post("/login").await;
    let too_old = ann.submit("/transfer", &format!("csrf={own}&amount=5")).await;
    assert_eq!(too_old.status, StatusCode::FORBIDDEN, "a login makes another session");
}

#[tokio::test]
async fn a_protected_router_takes_nothing_from_other_sites_but_where_it_says_so() {
    let mut visitor = Client::new(&protected::app().unwrap());
    let mut posted = async |path, headers: &[(&str, &str)]| visitor.send(Method::POST, path, headers).await.status;
    assert_eq!(posted("/transfer", &[CROSS_SITE]).await, StatusCode::FORBIDDEN);
    assert_eq!(posted("/transfer", &[("sec-fetch-site", "same-origin")]).await, StatusCode::OK);
    assert_eq!(posted("/transfer", &[]).await, StatusCode::OK);
    let admin = ("origin", "https://admin.example.com");
    assert_eq!(posted("/transfer", &[CROSS_SITE, admin]).await, StatusCode::OK);
    assert_eq!(posted("/hooks/payment", &[CROSS_SITE]).await, StatusCode::OK);
}

#[tokio::test]
async fn an_older_browser_sends_the_token_of_its_form() {
    let mut visitor = Client::new(&in_memory(forms_token::routes()));
    assert_eq!(visitor.submit("/transfer", "amount=5").await.status, StatusCode::FORBIDDEN);
    let page = visitor.get("/transfer").await.body;
    let (_, rest) = page.split_once("name=\"csrf_token\" value=\"").expect("the form has a token");
    let (own, _) = rest.split_once('"').expect("the value ends");
    let sent = visitor.submit("/transfer", &format!("amount=5&csrf_token={own}")).await;
    assert_eq!((sent.status, sent.body.as_str()), (StatusCode::OK, "5 sent"));
}
