//! T43, T60, T61: visitors who have not signed in, messages for the next page, and what a logout leaves.

use axum::Router;
use axum::routing::{get, post};
use session_axum::{EndSession, Flash, FlashLevel, MaybeSession, NewSession, SessionError, SessionLayer};
use workspace_tests::client::Client;
use workspace_tests::{KindOfStore, kinds_of_stores};

async fn look(visitor: MaybeSession) -> Result<String, SessionError> {
    let cart: Option<u32> = visitor.session_or_start()?.attr("Cart")?;
    Ok(format!("{} articles", cart.unwrap_or_default()))
}

async fn add(visitor: MaybeSession) -> Result<(), SessionError> {
    let session = visitor.session_or_start()?;
    session.update_attr("Cart", |n: Option<u32>| n.unwrap_or(0) + 1).await?;
    Ok(())
}

async fn login(visitor: MaybeSession, flash: Flash) -> Result<(), SessionError> {
    let mut new = NewSession::new().principal("ann");
    if let Some(before) = visitor.session() {
        new = new.keep(&before);
    }
    visitor.start(new)?;
    flash.push(FlashLevel::Success, "Welcome <ann>")
}

async fn messages(flash: Flash) -> Result<String, SessionError> {
    Ok(flash.take()?.iter().map(|message| format!("{}: {}\n", message.level, message.text)).collect())
}

async fn many(flash: Flash) -> Result<(), SessionError> {
    (0..Flash::MAX + 2).try_for_each(|n| flash.push(FlashLevel::Info, n.to_string()))
}

fn routes() -> Router {
    Router::new()
        .route("/cart", get(look).post(add))
        .route("/login", post(login))
        .route("/messages", get(messages))
        .route("/many", post(many))
        .route("/logout", post(async |ending: EndSession| ending.end()))
}

async fn worlds() -> Vec<(Client, KindOfStore)> {
    let world = |kind: KindOfStore| {
        let layer = SessionLayer::builder(kind.store.clone()).clear_site_data(["cache", "storage"]);
        (Client::new(&routes().layer(layer.build().expect("these settings work"))), kind)
    };
    kinds_of_stores().await.into_iter().map(world).collect()
}

#[tokio::test]
async fn a_stranger_who_only_looks_leaves_nothing() {
    for (mut visitor, kind) in worlds().await {
        assert_eq!(visitor.get("/cart").await.body, "0 articles");
        assert_eq!(visitor.get("/messages").await.body, "");
        assert!(visitor.jar.is_empty());
        let sessions = session_axum::SessionManager::new(kind.store.clone());
        assert!(sessions.list(9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_strangers_cart_and_messages_survive_the_login() {
    for (mut visitor, _kept) in worlds().await {
        visitor.post("/cart").await;
        visitor.post("/cart").await;
        assert_eq!(visitor.get("/cart").await.body, "2 articles");
        visitor.post("/login").await;
        assert_eq!(visitor.get("/cart").await.body, "2 articles");
        assert_eq!(visitor.get("/messages").await.body, "success: Welcome <ann>\n");
        assert_eq!(visitor.get("/messages").await.body, "", "they are shown once");
    }
}

#[tokio::test]
async fn messages_have_an_end() {
    for (mut visitor, _kept) in worlds().await {
        visitor.post("/many").await;
        let shown = visitor.get("/messages").await.body;
        assert_eq!(shown.lines().count(), Flash::MAX);
        assert!(shown.starts_with("info: 2\n") && shown.ends_with("info: 21\n"));
    }
}

#[tokio::test]
async fn a_logout_clears_what_the_browser_keeps_and_nothing_else_does() {
    for (mut visitor, _kept) in worlds().await {
        let stranger = visitor.post("/logout").await;
        assert!(stranger.all("clear-site-data").is_empty());
        let login = visitor.post("/login").await;
        assert!(login.all("clear-site-data").is_empty());
        assert_eq!(visitor.post("/logout").await.all("clear-site-data"), [r#""cache", "storage""#]);
    }
}
