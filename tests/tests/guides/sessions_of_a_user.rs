use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{MemoryStore, NewSession, Session, SessionLayer, SessionManager};
use workspace_tests::client::Client;

use crate::code::sessions_of_a_user::{devices, password, state};
use crate::with_login;

async fn two_devices(sessions: &SessionManager, routes: Router) -> (Client, Client) {
    let app = with_login(routes).layer(SessionLayer::new(sessions.clone()));
    let (mut phone, mut laptop) = (Client::new(&app), Client::new(&app));
    phone.post("/login").await;
    laptop.post("/login").await;
    (phone, laptop)
}

async fn log_in_with(device: &mut Client, browser: &str) {
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("user-agent", browser)];
    assert_eq!(device.request(Method::POST, "/login", &headers, "user=ann").await.status, StatusCode::OK);
}

fn handles(page: &str) -> Vec<(String, bool)> {
    let line = |line: &str| (line[..line.find(' ').unwrap()].to_owned(), line.ends_with(" (this device)"));
    page.lines().map(line).collect()
}

#[tokio::test]
async fn devices_are_listed_and_ended_by_their_user_alone() {
    let store = MemoryStore::new();
    let (sessions, app) = (SessionManager::new(store.clone()), devices::app(store).unwrap());
    let (mut phone, mut laptop) = (Client::new(&app), Client::new(&app));
    for (device, browser) in [(&mut phone, "Phone"), (&mut laptop, "Laptop")] {
        log_in_with(device, browser).await;
    }

    let page = phone.get("/devices").await.body;
    let listed = handles(&page);
    assert_eq!(listed.len(), 2);
    assert!(page.contains(" Phone, last used ") && page.contains(" Laptop, last used "), "{page}");
    let (other, _) = listed.iter().find(|(_, is_here)| !is_here).expect("one is elsewhere");

    let stranger = sessions.create(NewSession::new().principal("bob")).await.unwrap();
    let refused = phone.submit("/devices/end", &format!("handle={}", stranger.handle())).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(sessions.sessions_of("bob").await.unwrap().len(), 1);
    assert_eq!(phone.submit("/devices/end", "handle=junk").await.status, StatusCode::UNPROCESSABLE_ENTITY);

    let ended = phone.submit("/devices/end", &format!("handle={other}")).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(laptop.get("/devices").await.status, StatusCode::UNAUTHORIZED);

    log_in_with(&mut laptop, "Laptop").await;
    assert_eq!(phone.post("/devices/end-others").await.body, "1 sessions ended");
    assert_eq!(laptop.get("/devices").await.status, StatusCode::UNAUTHORIZED);

    let (here, _) = handles(&phone.get("/devices").await.body).remove(0);
    assert_eq!(phone.submit("/devices/end", &format!("handle={here}")).await.status, StatusCode::NO_CONTENT);
    assert!(phone.jar.is_empty());

    log_in_with(&mut phone, "Phone").await;
    log_in_with(&mut laptop, "Laptop").await;
    assert_eq!(phone.post("/logout-everywhere").await.body, "2 sessions ended");
    assert_eq!(laptop.get("/devices").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_state_of_ones_own_has_the_manager() {
    let sessions = SessionManager::new(MemoryStore::new());
    let app = state::App { shop: "Tea".to_owned(), sessions: sessions.clone() };
    let (mut phone, mut laptop) = two_devices(&sessions, state::routes(app)).await;
    assert_eq!(phone.get("/devices/count").await.body, "Tea: you are signed in 2 times");
    assert_eq!(phone.post("/logout-everywhere").await.status, StatusCode::OK);
    assert_eq!(laptop.get("/devices/count").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_new_password_logs_out_all_other_devices() {
    async fn home(sess: Session) -> String {
        format!("{:?} {}", sess.authentication_methods(), sess.has_credentials("$argon2id$…"))
    }
    let sessions = SessionManager::new(MemoryStore::new());
    let routes = Router::new()
        .route("/password", post(password::change_password))
        .with_state(sessions.clone())
        .route("/", get(home));
    let (mut phone, laptop) = two_devices(&sessions, routes).await;

    let stolen = phone.clone();
    assert_eq!(phone.post("/password").await.status, StatusCode::OK);
    assert_eq!(phone.get("/").await.body, r#"["pwd"] true"#);
    for mut other in [stolen, laptop] {
        assert_eq!(other.get("/").await.status, StatusCode::UNAUTHORIZED);
    }
}
