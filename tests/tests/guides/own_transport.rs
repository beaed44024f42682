use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{ConfigError, EndSession, MemoryStore, Session, SessionLayer};
use workspace_tests::client::{Answer, Client};

use crate::code::own_transport::{app_session, two_ways};
use crate::with_login;

fn app(layer: Result<SessionLayer, ConfigError>) -> Client {
    async fn home(_: Session) {}
    async fn logout(ending: EndSession) {
        ending.end();
    }
    let routes = Router::new().route("/", get(home)).route("/logout", post(logout));
    Client::new(&with_login(routes).layer(layer.unwrap()))
}

/// A visit with these values of the header.
async fn visit(client: &mut Client, values: &[&str]) -> Answer {
    let headers: Vec<_> = values.iter().map(|value| ("app-session", *value)).collect();
    client.send(Method::GET, "/", &headers).await
}

/// P85.
#[tokio::test]
async fn an_id_travels_in_the_applications_own_header_from_login_to_logout() {
    let mut client = app(app_session::layer(MemoryStore::new()));
    let login = client.post("/login").await;
    assert_eq!(login.all("cache-control"), ["no-store"]);
    assert!(client.jar.is_empty());
    let told = login.all("app-session")[0].to_owned();
    assert!(!format!("{login:?}").contains(told.strip_prefix("v2 ").unwrap()));

    let home = visit(&mut client, &[&told]).await;
    assert_eq!((home.status, home.all("vary")), (StatusCode::OK, vec!["app-session"]));
    assert!(home.all("app-session").is_empty());

    let logout = client.send(Method::POST, "/logout", &[("app-session", &told)]).await;
    assert_eq!(logout.all("app-session"), [""]);
    assert_eq!(visit(&mut client, &[&told]).await.status, StatusCode::UNAUTHORIZED);
}

/// P85.
#[tokio::test]
async fn an_id_in_the_old_form_is_told_again_in_the_new_one() {
    let mut client = app(app_session::layer(MemoryStore::new()));
    let told = client.post("/login").await.all("app-session")[0].to_owned();
    let id = told.strip_prefix("v2 ").unwrap();
    let home = visit(&mut client, &[id]).await;
    assert_eq!((home.status, home.all("app-session")), (StatusCode::OK, vec![&*told]));
}

/// P85.
#[tokio::test]
async fn junk_hides_no_id_and_four_ids_are_looked_up() {
    let layer = app_session::layer(MemoryStore::new()).unwrap();
    let sessions = layer.manager().clone();
    let mut client = app(Ok(layer));
    let told = client.post("/login").await.all("app-session")[0].to_owned();
    let junk =
        ["", "v2", "v2 ", "v3 aaaaaaaaaaaaaaaaaaaaaaaa", "V2 aaaaaaaaaaaaaaaaaaaaaaaa", "v2  aaaaaaaaaaaaaaaaaaaaaaaa"];
    assert_eq!(visit(&mut client, &[&junk[..], &[&told, &told]].concat()).await.status, StatusCode::OK);
    let rejected = sessions.counters().rejected_ids;
    assert_eq!(visit(&mut client, &junk).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sessions.counters().rejected_ids, rejected + 1);

    let unknown = "v2 aaaaaaaaaaaaaaaaaaaaaaaa";
    assert_eq!(visit(&mut client, &[unknown, unknown, unknown, &told]).await.status, StatusCode::OK);
    let five = [unknown, unknown, unknown, unknown, &told];
    assert_eq!(visit(&mut client, &five).await.status, StatusCode::UNAUTHORIZED);
}

/// P85.
#[tokio::test]
async fn each_release_of_the_app_is_answered_in_its_own_form() {
    let mut client = app(two_ways::layer(MemoryStore::new()));
    let first = ("app-version", "1");
    let login = client.send(Method::POST, "/login", &[first]).await;
    let id = login.all("app-session")[0].to_owned();
    assert!(!id.contains(' '));
    assert_eq!(client.send(Method::GET, "/", &[first, ("app-session", &id)]).await.status, StatusCode::OK);

    let told = client.post("/login").await.all("app-session")[0].to_owned();
    assert!(told.starts_with("v2 "));
    assert_eq!(visit(&mut client, &[&told]).await.status, StatusCode::OK);
    // Neither form counts in the other way.
    assert_eq!(visit(&mut client, &[&id]).await.status, StatusCode::UNAUTHORIZED);
    let mixed = client.send(Method::GET, "/", &[first, ("app-session", &told)]).await;
    assert_eq!(mixed.status, StatusCode::UNAUTHORIZED);
}
