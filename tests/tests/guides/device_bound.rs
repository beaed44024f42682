//! docs/guides/device-bound.md

use workspace_tests::client::Client;

use super::code::device_bound;

#[tokio::test]
async fn the_layer_asks_a_browser_to_register_a_key() {
    for (app, login, register) in [(device_bound::layer::app().unwrap(), "/login", "/dbsc/sessid/register")] {
        let mut client = Client::new(&app);
        let answer = client.post(login).await;
        let offer = answer.headers["secure-session-registration"].to_str().unwrap();
        assert!(offer.contains(&format!("path=\"{register}\"")), "{offer}");
        assert_eq!(client.get("/").await.body, "not bound");
    }
    assert!(device_bound::settings::layer().is_ok());
}

#[tokio::test]
async fn a_nested_layer_is_asked_at_its_routes() {
    let app = device_bound::nested::app().unwrap();
    let answer = Client::new(&app).post("/shop/dbsc/sessid/refresh").await;
    assert!(answer.body.contains("\"continue\":false"), "{}", answer.body);
}
