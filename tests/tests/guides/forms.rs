use axum::http::StatusCode;
use workspace_tests::client::Client;

use crate::code::forms::transfer;
use crate::in_memory;

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
