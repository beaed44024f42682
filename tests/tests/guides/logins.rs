use axum::http::{Method, StatusCode, header};
use axum::routing::{get, post};
use axum::{Form, Router};
use session_axum::{MaybeSession, MemoryStore, Session, SessionError, SessionLayer, SessionManager, SignedIn};
use workspace_tests::client::Client;

use crate::code::logins;
use crate::{PAGE, in_memory};

#[tokio::test]
async fn the_login_form_lets_in_whoever_has_the_password_until_the_logout() {
    let mut client = Client::new(&logins::login_form::app().unwrap());
    let led = client.send(Method::GET, "/", &[PAGE]).await;
    assert_eq!(led.all("location"), ["/login?next=%2F"]);
    assert!(client.get("/login").await.body.contains("name=password"));

    let refused = client.submit("/login", "user=ann&password=b").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(client.jar.is_empty());

    assert_eq!(client.submit("/login", "user=ann&password=a").await.all("location"), ["/"]);
    assert_eq!(client.get("/").await.body, "Hello ann");

    let mut other_window = client.clone();
    client.post("/logout").await;
    assert!(client.jar.is_empty());
    assert_eq!(other_window.get("/").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(other_window.post("/logout").await.status, StatusCode::SEE_OTHER);
}

#[derive(serde::Deserialize)]
struct User {
    user: String,
}

/// A shop whose login is `log_in`.
fn shop(log_in: fn(&MaybeSession, &str) -> Result<(), SessionError>) -> Client {
    async fn fill(visitor: MaybeSession) -> Result<(), SessionError> {
        logins::keep_cart::add(visitor.clone(), "a book".to_owned()).await?;
        Ok(visitor.session_or_start()?.set_attr("Theme", "dark")?)
    }
    async fn show(sess: Session) -> Result<String, SessionError> {
        let (cart, theme) = (sess.attr::<Vec<String>>("Cart")?, sess.attr::<String>("Theme")?);
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
    let anns = r#"Some("ann") Some(["a book"]) Some("dark")"#;
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
async fn a_remembered_session_lives_for_a_month() {
    let sessions = SessionManager::new(MemoryStore::new());
    let sess = sessions.create(logins::remember_me::remembered("ann")).await.unwrap();
    assert!(sess.persistent());
    assert_eq!(sess.expires_at().since(sess.created()).as_secs(), 30 * 86_400);
}

#[tokio::test]
async fn remembering_is_switched_on_and_off_later() {
    let change = |remember| post(async move |sess: Session| logins::remember_me::change(&sess, remember).await);
    let routes = Router::new().route("/on", change(true)).route("/off", change(false));
    let mut client = Client::new(&in_memory(routes));
    client.post("/login").await;
    assert!(client.post("/on").await.set_cookies()[0].contains("Max-Age="));
    assert!(!client.post("/off").await.set_cookies()[0].contains("Max-Age"));
}

#[tokio::test]
async fn a_changed_password_signs_out_all_other_browsers() {
    use logins::credentials::{User, change_password, check, start};

    fn ann(hash: &str) -> User {
        User { name: "ann".to_owned(), password_hash: hash.to_owned() }
    }
    let login = async |visitor: MaybeSession| start(&visitor, &ann("first"));
    let change = async |user: SignedIn| change_password(&user, &mut ann("first"), "second");
    let at = |hash: &'static str| get(async move |user: SignedIn| check(&user, &ann(hash)));
    let routes = Router::new().route("/login", post(login)).route("/change", post(change));
    let routes = routes.route("/before", at("first")).route("/after", at("second"));
    let app = routes.layer(SessionLayer::new(MemoryStore::new()));
    let (mut here, mut there) = (Client::new(&app), Client::new(&app));
    for client in [&mut here, &mut there] {
        client.post("/login").await;
        assert_eq!(client.get("/before").await.status, StatusCode::OK);
    }
    here.post("/change").await;
    assert_eq!(here.get("/after").await.status, StatusCode::OK);
    assert_eq!(there.get("/after").await.status, StatusCode::UNAUTHORIZED);
    assert!(there.jar.is_empty(), "the session has ended");
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
