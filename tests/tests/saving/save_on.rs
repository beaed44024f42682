use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use session_axum::{EndSession, MaybeSession, NewSession, SaveOn, Session, SessionError, SessionLayer, SessionManager};
use workspace_tests::client::Client;

use crate::support::{stores, with_login};

/// Answers with this status after it has set an attribute, and counted, which is saved at once.
async fn answer(sess: Session, Path(status): Path<u16>) -> Result<StatusCode, SessionError> {
    sess.set_attr("Early", &status)?;
    sess.update_attr("Calls", |n: Option<u32>| n.unwrap_or(0) + 1).await?;
    sess.set_attr("Status", &status)?;
    Ok(StatusCode::from_u16(status).expect("it is a status"))
}

async fn renew(sess: Session) -> Result<StatusCode, SessionError> {
    sess.renew_id()?;
    sess.set_attr("Status", &1)?;
    Ok(StatusCode::BAD_REQUEST)
}

async fn end(ending: EndSession) -> StatusCode {
    ending.end();
    StatusCode::INTERNAL_SERVER_ERROR
}

/// Starts a session in a response that is no success.
async fn start(visitor: MaybeSession) -> Result<StatusCode, SessionError> {
    let session = visitor.start(NewSession::new().principal("bob").attr("Given", &1))?;
    session.set_attr("Collected", &1)?;
    Ok(StatusCode::FORBIDDEN)
}

fn app(sessions: &SessionManager, save_on: Option<SaveOn>) -> Router {
    let routes = with_login(Router::new())
        .route("/answer/{status}", post(answer))
        .route("/renew", post(renew))
        .route("/end", post(end))
        .route("/start", post(start));
    let builder = SessionLayer::builder(sessions.clone());
    let builder = if let Some(save_on) = save_on { builder.save_on(save_on) } else { builder };
    routes.layer(builder.build().expect("these settings work"))
}

/// T21.
#[tokio::test]
async fn changes_are_saved_after_success_alone_where_that_is_asked_for() {
    for store in stores().await.each() {
        let sessions = SessionManager::new(store.clone());
        for save_on in [None, Some(SaveOn::Always), Some(SaveOn::Success)] {
            let mut client = Client::new(&app(&sessions, save_on));
            client.post("/login").await;
            let mut saved = 0;
            for (n, status) in [200, 303, 399, 400, 401, 404, 499, 500, 599, 600, 204].into_iter().enumerate() {
                client.post(&format!("/answer/{status}")).await;
                if save_on != Some(SaveOn::Success) || status < 400 {
                    saved = status;
                }
                // What the handler saved itself stays, with what it had collected before.
                let expected = format!(r#"{{"Calls":{},"Early":{status},"Status":{saved}}}"#, n + 1);
                assert_eq!(client.get("/attrs").await.body, expected, "{save_on:?}");
            }
        }
    }
}

/// T21.
#[tokio::test]
async fn starting_renewing_and_ending_happen_whatever_the_status() {
    for store in stores().await.each() {
        let sessions = SessionManager::new(store.clone());
        let mut client = Client::new(&app(&sessions, Some(SaveOn::Success)));
        client.post("/login").await;
        let first = client.clone();

        assert_eq!(client.post("/renew").await.status, StatusCode::BAD_REQUEST);
        assert_ne!(client.jar, first.jar);
        assert_eq!(client.get("/attrs").await.body, "{}");
        assert_eq!(first.clone().get("/attrs").await.status, StatusCode::UNAUTHORIZED);

        assert_eq!(client.post("/start").await.status, StatusCode::FORBIDDEN);
        assert_eq!(client.get("/attrs").await.body, r#"{"Given":1}"#);
        assert!(sessions.sessions_of("ann").await.unwrap().is_empty());

        assert_eq!(client.post("/end").await.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(sessions.sessions_of("bob").await.unwrap().is_empty());
    }
}
