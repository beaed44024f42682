use std::sync::{Arc, Mutex};

use axum::Form;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use session_axum::{Event, RecordKey, Session, SessionError, SessionManager};
use workspace_tests::client::Client;

use crate::support::{signed_in, stores};

#[derive(serde::Deserialize)]
struct Device {
    handle: RecordKey,
}

async fn end_of(sessions: &SessionManager, sess: &Session, device: &Device) -> Result<StatusCode, SessionError> {
    let user = sess.principal().unwrap_or_default();
    let has_ended = sessions.end_one_of(&user, &device.handle).await?;
    Ok(if has_ended { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

async fn end(
    State(sessions): State<SessionManager>,
    sess: Session,
    Form(device): Form<Device>,
) -> Result<StatusCode, SessionError> {
    end_of(&sessions, &sess, &device).await
}

async fn end_json(
    State(sessions): State<SessionManager>,
    sess: Session,
    body: String,
) -> Result<StatusCode, SessionError> {
    let device = serde_json::from_str(&body).expect("the test sends JSON");
    end_of(&sessions, &sess, &device).await
}

fn routes(sessions: &SessionManager) -> Router {
    Router::new()
        .route("/end", post(end))
        .route("/end-json", post(end_json))
        .with_state(sessions.clone())
        .route("/renew", post(async |sess: Session| sess.renew_id().map_err(SessionError::from)))
}

async fn handle_of_the_newest(sessions: &SessionManager, user: &str) -> RecordKey {
    sessions.sessions_of(user).await.unwrap()[0].key
}

type Told = Arc<Mutex<Vec<Option<String>>>>;

/// A manager, and whose sessions have ended.
fn observed(store: &session_axum::AnyStore) -> (SessionManager, Told) {
    let told = Told::default();
    let telling = Arc::clone(&told);
    let builder = SessionManager::builder(store.clone()).observer(move |event: Event<'_>| {
        if let Event::Ended { principal, .. } = event {
            telling.lock().unwrap().push(principal.map(str::to_owned));
        }
    });
    (builder.build().unwrap(), told)
}

/// T23, T24, T25.
#[tokio::test]
async fn users_end_their_own_sessions_by_handle_and_nobody_elses() {
    for store in stores().await.each() {
        let (sessions, told) = observed(store);
        let mut laptop = signed_in(routes(&sessions), &sessions).await;
        let seen = handle_of_the_newest(&sessions, "ann").await;
        // The page of the devices was shown before the laptop got a new id.
        laptop.post("/renew").await;
        let mut phone = signed_in(routes(&sessions), &sessions).await;
        let bob = sessions.create(session_axum::NewSession::new().principal("bob")).await.unwrap();

        let refused = phone.submit("/end", &format!("handle={}", bob.handle())).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
        assert!(sessions.get(bob.id().as_str()).await.unwrap().is_some());
        for junk in ["", "handle=", "handle=nonsense", &format!("handle={}", bob.id().as_str())] {
            let refused = phone.submit("/end", junk).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{junk}");
        }
        assert!(told.lock().unwrap().is_empty());

        let ended = phone.submit("/end", &format!("handle={seen}")).await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT);
        assert_eq!(laptop.get("/attrs").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(post_json(&mut phone, &seen).await, StatusCode::NOT_FOUND);
        let own = handle_of_the_newest(&sessions, "ann").await;
        assert_eq!(post_json(&mut phone, &own).await, StatusCode::NO_CONTENT);
        assert_eq!(*told.lock().unwrap(), [Some("ann".to_owned()), Some("ann".to_owned())]);
    }
}

async fn post_json(client: &mut Client, handle: &RecordKey) -> StatusCode {
    let json = serde_json::json!({ "handle": handle }).to_string();
    let headers = [("content-type", "application/json")];
    client.request(axum::http::Method::POST, "/end-json", &headers, &json).await.status
}
