use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use session_axum::{AttrKey, Session, SessionError, SessionManager};

use crate::support::{signed_in, stores};

const TICKETS: AttrKey<u32> = AttrKey::new("Tickets");

#[derive(Debug)]
struct SoldOut;

/// Takes a ticket, or tells that there is none.
async fn take(sess: Session) -> Result<(StatusCode, String), SessionError> {
    sess.set_attr("Asked", &true)?;
    let taken = sess.try_update_attr(TICKETS, |left| left.unwrap_or(2).checked_sub(1).ok_or(SoldOut)).await?;
    Ok(match taken {
        Ok(left) => (StatusCode::OK, format!("{left} left")),
        Err(SoldOut) => (StatusCode::CONFLICT, "sold out".to_owned()),
    })
}

/// T20.
#[tokio::test]
async fn a_handler_takes_tickets_until_its_update_refuses() {
    for store in stores().await.each() {
        let sessions = SessionManager::new(store.clone());
        let mut client = signed_in(Router::new().route("/take", post(take)), &sessions).await;
        for (status, body) in [(200, "1 left"), (200, "0 left"), (409, "sold out"), (409, "sold out")] {
            let answer = client.post("/take").await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, body));
        }
        assert_eq!(client.get("/attrs").await.body, r#"{"Asked":true,"Tickets":0}"#);
    }
}

/// T20. Each of two windows asks at the same moment: nobody gets a ticket that is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_at_once_take_no_ticket_twice() {
    for store in stores().await.each() {
        let sessions = SessionManager::new(store.clone());
        let mut client = signed_in(Router::new().route("/take", post(take)), &sessions).await;
        let takers = (0..8).map(|_| {
            let mut window = client.clone();
            tokio::spawn(async move { window.post("/take").await.status })
        });
        let mut taken = 0;
        for taker in takers.collect::<Vec<_>>() {
            taken += usize::from(taker.await.unwrap() == StatusCode::OK);
        }
        assert_eq!(taken, 2);
        assert_eq!(client.get("/attrs").await.body, r#"{"Asked":true,"Tickets":0}"#);
    }
}
