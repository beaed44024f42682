//! Unit tests of functions that take what a handler gets.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use session_axum::testing::{Operation, SessionEffect, TestRequest, TestSessions};
use session_axum::{Authentication, CoreError, CsrfToken, Flash, Fresh, Refusal, SaveOn};

use super::*;

const PRICES: AttrKey<Vec<u32>> = AttrKey::new("Prices");
const CURRENCY: AttrKey<String> = AttrKey::new("Currency");

fn cart_total(sess: &Session) -> Result<String, CoreError> {
    let total: u32 = sess.attr(PRICES)?.unwrap_or_default().iter().sum();
    Ok(format!("{total} {}", sess.constant(CURRENCY)?.unwrap_or_default()))
}

/// P6.
#[test]
fn a_function_gets_a_session_as_it_is_wanted() {
    let sessions = TestSessions::new();
    let authentication = Authentication::by(["pwd", "otp"]).credentials("v1");
    let new = ann().attr(PRICES, &vec![3, 4]).constant(CURRENCY, "EUR").authenticated(authentication);
    let sess = sessions.session(new.idle_timeout(Duration::from_secs(90)));
    assert_eq!(cart_total(&sess).unwrap(), "7 EUR");
    assert_eq!(sess.principal().as_deref(), Some("ann"));
    assert_eq!(sess.authentication_methods(), ["pwd", "otp"]);
    assert!(sess.has_credentials("v1") && sess.is_fresh(Duration::from_secs(60)));
    assert_eq!(sess.idle_timeout(), Duration::from_secs(90));
    assert!(!sess.is_new(), "it was there before the request");
    assert!(sessions.session(NewSession::new()).principal().is_none());
}

/// P6.
#[tokio::test]
async fn what_a_function_did_can_be_read_afterwards() {
    let sessions = TestSessions::new();
    let sess = sessions.session(ann().attr(PRICES, &vec![3]).attr("Note", "gift"));
    sess.remove_attr("Note").unwrap();
    sess.update_attr(PRICES, |prices| [prices.unwrap_or_default(), vec![4]].concat()).await.unwrap();
    sess.set_attr(CURRENCY, "EUR").unwrap();
    assert_eq!(sess.attr(PRICES).unwrap(), Some(vec![3, 4]));
    assert_eq!(sess.attr::<String>("Note").unwrap(), None);

    let stored = sessions.stored(&sess).unwrap();
    assert_eq!(stored.attr(PRICES).unwrap(), Some(vec![3, 4]), "saved at once");
    assert_eq!(stored.attr::<String>("Note").unwrap(), None, "saved with it");
    assert_eq!(stored.attr(CURRENCY).unwrap(), None, "to be saved when the handler returns");
    // It may do whatever a handler may.
    sess.renew_id().unwrap();
    sess.remove();
    assert!(sess.set_attr("Note", "late").is_err());
}

/// P6. P17.
#[test]
#[should_panic(expected = "the session can't be started: `principal` must not be empty")]
fn a_session_that_can_not_be_is_told() {
    TestSessions::new().session(NewSession::new().principal(""));
}

/// P6. P17.
#[test]
#[should_panic(expected = "the store was told to wait")]
fn a_store_that_waits_is_told() {
    let sessions = TestSessions::new();
    let _gate = sessions.faults().hold(&[Operation::Create]);
    sessions.session(ann());
}

/// P7.
#[tokio::test]
async fn any_extractor_can_be_had() {
    let sessions = TestSessions::new();
    let mut request = sessions.request(ann()).await;
    assert_eq!(request.extract::<SignedIn>().await.unwrap().principal(), "ann");
    assert_eq!(request.extract::<Fresh>().await.unwrap().principal(), "ann");
    assert!(request.extract::<Option<Session>>().await.unwrap().is_some());
    let flash = request.extract::<Flash>().await.unwrap();
    drop(flash);
    let token = request.extract::<CsrfToken>().await.unwrap().value().unwrap();
    assert!(request.session().await.check_csrf(&token));
    request.extract::<EndSession>().await.unwrap().end();
    assert_eq!(SessionEffect::of(&request.finish().await), SessionEffect::Ended);

    let mut request = sessions.strangers_request();
    let refused = request.extract::<SignedIn>().await.unwrap_err();
    assert_eq!(refused.refusal(), Some(Refusal::NoSession));
    let visitor = request.extract::<MaybeSession>().await.unwrap();
    assert!(visitor.session().is_none());
    let sess = visitor.start(ann()).unwrap();
    assert!(sessions.stored(&sess).is_none(), "the handler has not returned");
    let response = request.finish().await;
    assert_eq!(SessionEffect::of(&response), SessionEffect::Started);
    assert_eq!(sessions.stored(&sess).unwrap().principal.as_deref(), Some("ann"));
}

/// The user as this application has it.
struct CurrentUser(String);

impl FromRequestParts<HashMap<String, String>> for CurrentUser {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, names: &HashMap<String, String>) -> Result<Self, SessionError> {
        let user = SignedIn::from_request_parts(parts, names).await?;
        Ok(CurrentUser(names[user.principal()].clone()))
    }
}

/// P7.
#[tokio::test]
async fn an_extractor_of_the_applications_own_gets_its_state() {
    let names = HashMap::from([("ann".to_owned(), "Ann Example".to_owned())]);
    let sessions = TestSessions::new();
    let user: CurrentUser = sessions.request(ann()).await.extract_with(&names).await.unwrap();
    assert_eq!(user.0, "Ann Example");
    let refused = sessions.strangers_request().extract_with::<CurrentUser, _>(&names).await.err().unwrap();
    assert_eq!(refused.refusal(), Some(Refusal::NoSession));
}

/// P7.
#[tokio::test]
async fn finishing_a_request_does_what_the_layer_does() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().save_on(SaveOn::Success).build().unwrap();
    let jar = sessions.sign_in(&layer, ann()).await;
    for (status, saved) in [(StatusCode::BAD_REQUEST, None), (StatusCode::OK, Some(vec![1]))] {
        let mut request = TestRequest::at(&layer, jar.attach(Request::new(())));
        let sess = request.session().await;
        sess.set_attr(PRICES, &vec![1]).unwrap();
        let mut answer = Response::default();
        *answer.status_mut() = status;
        let response = request.answer(answer).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["cache-control"], "private, no-cache");
        assert_eq!(sessions.stored(&sess).unwrap().attr(PRICES).unwrap(), saved);
    }
    // As a handler that was cancelled.
    let mut request = TestRequest::at(&layer, jar.attach(Request::new(())));
    let sess = request.session().await;
    sess.set_attr(PRICES, &vec![2]).unwrap();
    drop(request);
    assert_eq!(sessions.stored(&sess).unwrap().attr(PRICES).unwrap(), Some(vec![1]));
    assert!(matches!(sess.renew_id(), Err(CoreError::HeadSent(_))));

    sessions.fail(&[Operation::Save]);
    let mut request = TestRequest::at(&layer, jar.attach(Request::new(())));
    request.session().await.set_attr(PRICES, &vec![3]).unwrap();
    assert_eq!(request.finish().await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// P16. With the kit's store and clock, a layer is the one that production has.
#[tokio::test]
async fn the_kits_layer_has_the_defaults_of_any_other() {
    let sessions = TestSessions::new();
    let login = async |layer: SessionLayer| {
        let mut client = sessions.client(shop(layer));
        let response = client.post("/login").await;
        let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        let flags = cookie.split_once("; ").unwrap().1.to_owned();
        let cache = response.headers()["cache-control"].to_str().unwrap().to_owned();
        (client.jar().cookie_names().join(" "), flags, cache)
    };
    let kits = login(sessions.layer().build().unwrap()).await;
    assert_eq!(kits, login(SessionLayer::new(session_axum::MemoryStore::new())).await);
    assert_eq!(kits.1, "HttpOnly; SameSite=Lax; Secure; Path=/");
}
