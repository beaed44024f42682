use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use session_axum::{CoreError, MaybeSession, NewSession, Session, SessionError, SessionManager};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::{Gate, signed_in, stores};

/// A task that waits, then saves what it did and tells what came of it.
struct Tasks {
    gate: Gate,
    told: UnboundedSender<Result<u32, CoreError>>,
}

impl Tasks {
    fn new() -> (&'static Tasks, UnboundedReceiver<Result<u32, CoreError>>) {
        let (told, outcomes) = unbounded_channel();
        // As long as the test's process: its handlers borrow it.
        (Box::leak(Box::new(Tasks { gate: Gate::default(), told })), outcomes)
    }

    fn start(&'static self, sess: &Session) -> Result<(), CoreError> {
        let detached = sess.detach()?;
        tokio::spawn(async move {
            self.gate.wait().await;
            let done = detached.update_attr("Done", |n: Option<u32>| n.unwrap_or(0) + 1).await;
            self.told.send(done).expect("the test listens");
        });
        Ok(())
    }

    fn routes(&'static self) -> Router {
        Router::new()
            .route(
                "/work",
                post(async |sess: Session| -> Result<StatusCode, SessionError> {
                    self.start(&sess)?;
                    sess.set_attr("Started", &true)?;
                    Ok(StatusCode::ACCEPTED)
                }),
            )
            .route(
                "/broken",
                post(async |sess: Session| -> Result<(), SessionError> {
                    self.start(&sess)?;
                    sess.set_attr("Broken", &true)?;
                    Err(CoreError::Conflict { attempts: 1 }.into())
                }),
            )
            .route("/renew", post(async |sess: Session| sess.renew_id().map_err(SessionError::from)))
            .route("/logout", post(async |sess: Session| sess.remove()))
            .route(
                "/too-early",
                post(async |visitor: MaybeSession| {
                    let session = visitor.start(NewSession::new())?;
                    session.detach().map(drop).map_err(SessionError::from)
                }),
            )
    }
}

/// T22.
#[tokio::test]
async fn a_task_saves_in_its_session_after_the_handler_returned_or_failed() {
    for store in stores().await.each() {
        let (tasks, mut outcomes) = Tasks::new();
        let sessions = SessionManager::new(store.clone());
        let mut client = signed_in(tasks.routes(), &sessions).await;
        assert_eq!(client.post("/work").await.status, StatusCode::ACCEPTED);
        assert_eq!(client.get("/attrs").await.body, r#"{"Started":true}"#);
        tasks.gate.open();
        assert_eq!(outcomes.recv().await.unwrap().unwrap(), 1);
        assert_eq!(client.post("/broken").await.status, StatusCode::SERVICE_UNAVAILABLE);
        tasks.gate.open();
        assert_eq!(outcomes.recv().await.unwrap().unwrap(), 2);
        assert_eq!(client.get("/attrs").await.body, r#"{"Done":2,"Started":true}"#);
    }
}

/// T22.
#[tokio::test]
async fn a_task_follows_a_renewal_and_revives_no_session_that_has_ended() {
    for store in stores().await.each() {
        let (tasks, mut outcomes) = Tasks::new();
        let sessions = SessionManager::new(store.clone());
        let mut client = signed_in(tasks.routes(), &sessions).await;
        client.post("/work").await;
        client.post("/renew").await;
        tasks.gate.open();
        assert_eq!(outcomes.recv().await.unwrap().unwrap(), 1);
        assert_eq!(client.get("/attrs").await.body, r#"{"Done":1,"Started":true}"#);

        client.post("/work").await;
        client.post("/logout").await;
        tasks.gate.open();
        assert!(outcomes.recv().await.unwrap().unwrap_err().is_gone());
        assert!(sessions.sessions_of("ann").await.unwrap().is_empty());
    }
}

/// T22.
#[tokio::test]
async fn detaching_what_was_just_started_is_an_error_of_the_application() {
    for store in stores().await.each() {
        let (tasks, _outcomes) = Tasks::new();
        let sessions = SessionManager::new(store.clone());
        let mut client = signed_in(tasks.routes(), &sessions).await;
        assert_eq!(client.post("/too-early").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
