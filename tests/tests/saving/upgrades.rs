use std::error::Error;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_axum::{
    AnyStore, AttributeUpgrade, EndSession, MaybeSession, NewSession, Session, SessionError, SessionLayer,
};
use workspace_tests::client::Client;

use crate::support::{stores, with_login};

/// The old release has `Name`, the new one `First` and `Last`. Repeatable: it looks only at what is there.
fn split_name(session: &mut AttributeUpgrade<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
    if let Some(name) = session.attr::<String>("Name")? {
        let (first, last) = name.split_once('-').ok_or("the name has no hyphen")?;
        session.set_attr("First", first)?;
        session.set_attr("Last", last)?;
        session.remove_attr("Name");
    }
    Ok(())
}

/// The attribute `Note` is of no release's business.
fn app(layer: SessionLayer) -> Router {
    with_login(Router::new())
        .route("/logout", post(async |ending: EndSession| ending.end()))
        .route(
            "/set/{name}/{value}",
            post(async |sess: Session, Path((name, value)): Path<(String, String)>| {
                sess.set_attr(&name, &value).map_err(SessionError::from)
            }),
        )
        .route("/maybe", get(async |sess: Option<Session>| if sess.is_some() { "a session" } else { "none" }))
        .route(
            "/start",
            post(async |visitor: MaybeSession| visitor.start(NewSession::new().attr("First", "Cy")).map(drop)),
        )
        .layer(layer)
}

fn old_release(store: &AnyStore) -> Router {
    app(SessionLayer::new(store.clone()))
}

fn new_release(store: &AnyStore) -> Router {
    app(SessionLayer::builder(store.clone()).attributes_version(1, split_name).build().expect("these settings work"))
}

/// T26, T27. A visitor is sent to processes of both releases, back and forth, as while they are replaced one by one.
#[tokio::test]
async fn two_releases_side_by_side_serve_one_session_back_and_forth() {
    for store in stores().await.each() {
        let mut old = Client::new(&old_release(store));
        let new_app = new_release(store);
        old.post("/login").await;
        for (name, first, last) in [("Ann-Lee", "Ann", "Lee"), ("Bob-Ray", "Bob", "Ray"), ("Cy-Fox", "Cy", "Fox")] {
            // The old release writes in the old shape.
            old.post(&format!("/set/Name/{name}")).await;
            let mut new = old.moved_to(&new_app);
            assert_eq!(shown(&mut new, "First").await.as_deref(), Some(first));
            assert_eq!(shown(&mut new, "Last").await.as_deref(), Some(last));
            assert_eq!(shown(&mut new, "Name").await, None);
            // What only was read is as it was.
            assert_eq!(shown(&mut old, "Name").await.as_deref(), Some(name));

            // The new one writes: the old one finds what it does not know, and no more of what it knew.
            new.post("/set/Note/new").await;
            assert_eq!(shown(&mut old, "First").await.as_deref(), Some(first));
            assert_eq!(shown(&mut old, "Name").await, None);
            // The old one writes what has no shape; the new one goes on with it.
            old.post("/set/Note/old").await;
            assert_eq!(shown(&mut new, "First").await.as_deref(), Some(first));
            assert_eq!(shown(&mut new, "Note").await.as_deref(), Some("old"));
        }
    }
}

async fn shown(client: &mut Client, name: &str) -> Option<String> {
    let answer = client.get("/attrs").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let attributes: serde_json::Value = serde_json::from_str(&answer.body).expect("it is JSON");
    attributes.get(name).map(|value| value.as_str().expect("it is a text").to_owned())
}

/// T28.
#[tokio::test]
async fn a_session_that_cannot_be_upgraded_is_a_500_that_keeps_the_cookie_and_loses_nothing() {
    for store in stores().await.each() {
        let mut old = Client::new(&old_release(store));
        let new_app = new_release(store);
        old.post("/login").await;
        old.post("/set/Name/Ann").await;
        let mut new = old.moved_to(&new_app);
        for path in ["/attrs", "/maybe", "/attrs"] {
            let answer = new.get(path).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            assert!(answer.set_cookies().is_empty() && !answer.body.contains("hyphen"), "{}", answer.body);
        }
        assert_eq!(new.post("/start").await.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(new.jar, old.jar);

        assert_eq!(shown(&mut old, "Name").await.as_deref(), Some("Ann"));
        old.post("/set/Name/Ann-Lee").await;
        assert_eq!(shown(&mut new, "Last").await.as_deref(), Some("Lee"));

        // Whoever can't be served can log out.
        old.post("/set/Name/Ann").await;
        assert_eq!(new.post("/logout").await.status, StatusCode::OK);
        assert_eq!(old.get("/attrs").await.status, StatusCode::UNAUTHORIZED);
    }
}
