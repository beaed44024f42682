use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::middleware::from_extractor_with_state;
use axum::routing::get;
use serde_json::json;
use session_axum::{Adoption, MemoryStore, NewSession, Session, SessionLayer};
use workspace_tests::client::Client;

use crate::PAGE;
use crate::code::from_axum_login::permissions::{Allowed, WritePosts};
use crate::code::from_axum_login::users::{User, Users};
use crate::code::from_axum_login::{app, take_over};

fn users() -> Users {
    let users = Users::default();
    for (name, permissions) in [("ann", vec!["posts.write".to_owned()]), ("bob", vec![])] {
        let user = User { name: name.to_owned(), password_hash: "hash of a".to_owned(), permissions };
        users.0.lock().unwrap().insert(name.to_owned(), user);
    }
    users
}

async fn signed_in(app: &Router, form: &str) -> Client {
    let mut client = Client::new(app);
    assert_eq!(client.submit("/login", form).await.status, StatusCode::SEE_OTHER);
    client
}

/// P87.
#[tokio::test]
async fn a_user_is_loaded_from_the_login_to_the_logout_and_led_back() {
    let app = app::app(users(), MemoryStore::new()).unwrap();
    let mut client = Client::new(&app);
    let led = client.send(Method::GET, "/?a=1", &[PAGE]).await;
    assert_eq!(led.all("location"), ["/login?next=%2F%3Fa%3D1"]);
    assert_eq!(client.submit("/login", "user=ann&password=b").await.status, StatusCode::UNAUTHORIZED);
    let back = client.submit("/login?next=%2F%3Fa%3D1", "user=ann&password=a").await;
    assert_eq!(back.all("location"), ["/?a=1"]);
    assert_eq!(client.get("/").await.body, "Hello ann");
    client.post("/logout").await;
    assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
}

/// P87.
#[tokio::test]
async fn a_permission_is_needed_and_counts_as_the_database_has_it_now() {
    let users = users();
    let app = app::app(users.clone(), MemoryStore::new()).unwrap();
    let (mut ann, mut bob) =
        (signed_in(&app, "user=ann&password=a").await, signed_in(&app, "user=bob&password=a").await);
    assert_eq!(ann.post("/posts").await.body, "ann writes");
    assert_eq!(bob.post("/posts").await.status, StatusCode::FORBIDDEN);
    users.0.lock().unwrap().get_mut("ann").unwrap().permissions.clear();
    assert_eq!(ann.post("/posts").await.status, StatusCode::FORBIDDEN);
    assert_eq!(ann.get("/").await.status, StatusCode::OK);
    let stranger = Client::new(&app).send(Method::POST, "/posts", &[PAGE]).await;
    assert_eq!(stranger.all("location"), ["/login"]);
}

/// The value is what axum-login 0.18 serializes.
#[tokio::test]
async fn a_session_of_axum_login_goes_on_until_the_password_changes() {
    async fn load(id: String) -> Result<Option<NewSession>, Infallible> {
        let hash = "hash of a".as_bytes();
        let data = match &*id {
            "text" => json!({"user_id": "ann", "auth_hash": hash}),
            "number" => json!({"user_id": 42, "auth_hash": hash}),
            "old" => json!({"user_id": "ann", "auth_hash": b"hash of before"}),
            _ => json!({"user_id": null, "auth_hash": null}),
        };
        Ok(Some(take_over::signed_in(NewSession::new(), &data).unwrap()))
    }
    async fn home(user: User, sess: Session) -> String {
        format!("{} {}", user.name, sess.is_fresh(Duration::from_secs(86_400)))
    }
    let users = users();
    let number = User { name: "42".to_owned(), ..users.find("ann").await.unwrap() };
    users.0.lock().unwrap().insert("42".to_owned(), number);
    let adoption = Adoption::of_cookie("id", load, async |_| Ok::<_, Infallible>(()));
    let layer = SessionLayer::builder(MemoryStore::new()).adopt(adoption).build().unwrap();
    let app = Router::new().route("/", get(home)).with_state(users).layer(layer);
    for (id, seen) in [("text", Some("ann false")), ("number", Some("42 false")), ("old", None), ("nobody", None)] {
        let mut client = Client::new(&app);
        client.jar.insert("id".to_owned(), id.to_owned());
        let answer = client.get("/").await;
        assert_eq!((answer.status == StatusCode::OK).then_some(&*answer.body), seen, "{id}");
        assert_eq!(client.get("/").await.status, answer.status);
    }
    for data in [json!({"user_id": [1], "auth_hash": b"hash"}), json!({"user_id": "ann", "auth_hash": "hash"})] {
        assert!(take_over::signed_in(NewSession::new(), &data).is_err(), "{data}");
    }
}

/// P87.
#[tokio::test]
async fn a_permission_can_guard_a_whole_router() {
    let (users, store) = (users(), MemoryStore::new());
    let guard = from_extractor_with_state::<Allowed<WritePosts>, _>(users.clone());
    let drafts = Router::new().route("/drafts", get(async || "drafts")).route_layer(guard);
    let (app, drafts) = (app::app(users, store.clone()).unwrap(), drafts.layer(SessionLayer::new(store)));
    assert_eq!(Client::new(&drafts).get("/drafts").await.status, StatusCode::UNAUTHORIZED);
    for (user, status) in [("ann", StatusCode::OK), ("bob", StatusCode::FORBIDDEN)] {
        let client = signed_in(&app, &format!("user={user}&password=a")).await;
        assert_eq!(client.moved_to(&drafts).get("/drafts").await.status, status);
    }
}

/// P87.
#[tokio::test]
async fn a_changed_password_ends_all_other_sessions_and_so_does_a_deleted_user() {
    let users = users();
    let app = app::app(users.clone(), MemoryStore::new()).unwrap();
    let [mut here, mut there] =
        [signed_in(&app, "user=ann&password=a").await, signed_in(&app, "user=ann&password=a").await];
    let mut old = here.clone();
    assert_eq!(here.submit("/password", "password=b").await.status, StatusCode::OK);
    assert_eq!(here.get("/").await.body, "Hello ann");
    for client in [&mut there, &mut old] {
        assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
    }
    assert!(there.jar.is_empty(), "the session has ended");
    assert_eq!(signed_in(&app, "user=ann&password=b").await.get("/").await.body, "Hello ann");
    users.0.lock().unwrap().remove("ann");
    assert_eq!(here.get("/").await.status, StatusCode::UNAUTHORIZED);
}
