//! The README's program is the example, word for word, and does what the README says.

use axum::http::StatusCode;
use workspace_tests::client::Client;

// Its `main` is not called.
#[allow(dead_code, unreachable_pub)]
#[path = "../../session-axum/examples/login.rs"]
mod login;

#[test]
fn the_readme_shows_the_example() {
    let example = include_str!("../../session-axum/examples/login.rs");
    let (_, program) = example.split_once('\n').expect("a comment comes first");
    assert!(include_str!("../../README.md").contains(program), "README.md does not show examples/login.rs");
}

#[tokio::test]
async fn the_readmes_program_counts_from_login_to_logout() {
    let mut client = Client::new(&login::app().await.unwrap());
    assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.submit("/login", "user=ann&password=guess").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.submit("/login", "user=ann&password=secret").await.status, StatusCode::OK);
    assert_eq!(client.get("/").await.body, "Hello ann, visit 1\n");
    assert_eq!(client.get("/").await.body, "Hello ann, visit 2\n");
    client.post("/logout").await;
    assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
}
