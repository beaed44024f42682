use axum::http::{StatusCode, header};
use axum::routing::{get, post};
use axum::{Form, Router};
use session_axum::{MaybeSession, MemoryStore, NewSession, Session, SessionError, SessionLayer, SessionManager};
use workspace_tests::client::Client;

use crate::code::logins;
use crate::in_memory;

#[tokio::test]
async fn the_login_form_lets_in_whoever_has_the_password_until_the_logout() {
    let mut client = Client::new(&logins::login_form::app().unwrap());
    assert_eq!(client.get("/").await.all("location"), ["/login"]);
    assert!(client.get("/login").await.body.contains("name=password"));

    let refused = client.submit("/login", "user=ann&password=b").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(client.jar.is_empty());

    assert_eq!(client.submit("/login", "user=ann&password=a").await.all("location"), ["/"]);
    assert_eq!(client.get("/").await.body, "Hello ann");

    let mut other_window = client.clone();
    client.post("/logout").await;
    assert!(client.jar.is_empty());
    assert_eq!(other_window.get("/").await.all("location"), ["/login"]);
    assert_eq!(other_window.post("/logout").await.status, StatusCode::SEE_OTHER);
}

#[derive(serde::Deserialize)]
struct User {
    user: String,
}

/// A shop whose login is `log_in`.
fn shop(log_in: fn(&MaybeSession, &str) -> Result<(), SessionError>) -> Client {
    async fn fill(visitor: MaybeSession) -> Result<(), SessionError> {
        let sess = match visitor.session() {
            Some(sess) => sess,
            None => visitor.start(NewSession::new())?,
        };
        sess.set_attr("Cart", "a book")?;
        Ok(sess.set_attr("Theme", "dark")?)
    }
    async fn show(sess: Session) -> Result<String, SessionError> {
        let (cart, theme) = (sess.attr::<String>("Cart")?, sess.attr::<String>("Theme")?);
        Ok(format!("{:?} {cart:?} {theme:?}", sess.principal()))
    }
    let login = async move |visitor: MaybeSession, Form(form): Form<User>| log_in(&visitor, &form.user);
    let routes = Router::new().route("/fill", post(fill)).route("/login", post(login)).route("/", get(show));
    Client::new(&routes.layer(SessionLayer::new(MemoryStore::new())))
}

/// R50.
#[tokio::test]
async fn a_cart_survives_the_login_and_never_reaches_another_user() {
    let mut client = shop(logins::keep_cart::start);
    client.post("/fill").await;
    client.submit("/login", "user=ann").await;
    let anns = r#"Some("ann") Some("a book") Some("dark")"#;
    assert_eq!(client.get("/").await.body, anns);
    client.submit("/login", "user=ann").await;
    assert_eq!(client.get("/").await.body, anns);
    client.submit("/login", "user=bob").await;
    assert_eq!(client.get("/").await.body, r#"Some("bob") None None"#);
}

#[tokio::test]
async fn what_is_named_travels_from_one_user_to_the_next() {
    let mut client = shop(logins::keep_only::start);
    client.submit("/login", "user=ann").await;
    client.post("/fill").await;
    client.submit("/login", "user=bob").await;
    assert_eq!(client.get("/").await.body, r#"Some("bob") None Some("dark")"#);
}

#[tokio::test]
async fn the_extractor_takes_only_whoever_is_signed_in() {
    async fn name(logins::user::User(user): logins::user::User) -> String {
        user.to_string()
    }
    async fn anonymous(visitor: MaybeSession) -> Result<(), SessionError> {
        visitor.start(NewSession::new()).map(drop)
    }
    let mut client = Client::new(&in_memory(Router::new().route("/", get(name)).route("/visit", post(anonymous))));
    assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
    client.post("/visit").await;
    assert_eq!(client.get("/").await.all("location"), ["/login"]);
    client.post("/login").await;
    assert_eq!(client.get("/").await.body, "ann");
}

#[tokio::test]
async fn a_remembered_session_lives_for_a_month() {
    let sessions = SessionManager::new(MemoryStore::new());
    let sess = sessions.create(logins::remember_me::remembered("ann")).await.unwrap();
    assert!(sess.persistent());
    assert_eq!(sess.expires_at().since(sess.created()).as_secs(), 30 * 86_400);
}

#[tokio::test]
async fn a_change_of_privilege_changes_the_id() {
    async fn is_admin(sess: Session) -> Result<String, SessionError> {
        Ok(format!("{:?}", sess.attr::<bool>("Admin")?))
    }
    let routes = Router::new().route("/admin", post(logins::renew::enter_admin_mode)).route("/", get(is_admin));
    let mut client = Client::new(&in_memory(routes));
    client.post("/login").await;
    let mut old = client.clone();
    let answer = client.post("/admin").await;
    assert!(answer.headers.contains_key(header::SET_COOKIE));
    assert_eq!(client.get("/").await.body, "Some(true)");
    assert_eq!(old.get("/").await.status, StatusCode::UNAUTHORIZED);
}
