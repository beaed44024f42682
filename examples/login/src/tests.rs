use std::time::{Duration, Instant};

use axum::http::{Request, Response, StatusCode, header};
use session_axum::SessionLayer;
use session_axum::testing::{SessionEffect, TestClient, TestSessions};
use tempfile::TempDir;

use super::*;

/// The application, with its users in a file of its own and the kit's sessions.
struct Shop {
    sessions: TestSessions,
    app: Router,
    _folder: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let (folder, sessions) = (tempfile::tempdir().unwrap(), TestSessions::new());
        let layer = session_layer(sessions.layer()).unwrap();
        let app = app(layer, users_in(&folder).await);
        Shop { sessions, app, _folder: folder }
    }

    fn stranger(&self) -> TestClient<Router> {
        self.sessions.client(self.app.clone())
    }

    /// A browser in which Ann has signed up.
    async fn ann(&self) -> TestClient<Router> {
        let mut ann = self.stranger();
        let response = ann.submit("/sign-up", &[("name", "ann"), ("password", "first password")]).await;
        assert_eq!(SessionEffect::of(&response), SessionEffect::Started);
        ann
    }

    /// Another browser, in which somebody tries to sign in as Ann.
    async fn sign_in(&self, password: &str, more: &[(&str, &str)]) -> (TestClient<Router>, Response<String>) {
        let mut client = self.stranger();
        let fields = [&[("name", "ann"), ("password", password)], more].concat();
        let response = client.submit("/sign-in", &fields).await;
        (client, response)
    }
}

async fn users_in(folder: &TempDir) -> Users {
    let file = folder.path().join("login.db");
    std::fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
    Users::open(&file).await.unwrap()
}

#[track_caller]
fn leads_to(response: &Response<String>, path: &str) {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], path);
}

/// P70.
#[tokio::test]
async fn a_user_signs_up_out_and_in_again_and_is_led_back() {
    let shop = Shop::open().await;
    let mut ann = shop.ann().await;
    assert!(ann.get("/").await.body().contains("Hello ann"));
    leads_to(&ann.post("/sign-out").await, "/sign-in");

    leads_to(&ann.get("/?page=2").await, "/sign-in?next=%2F%3Fpage%3D2");
    let form = "/sign-in?next=%2F%3Fpage%3D2";
    assert!(ann.get(form).await.body().contains("/sign-up?next=%2F%3Fpage%3D2"), "the other form leads back as well");
    leads_to(&ann.submit(form, &[("name", "ann"), ("password", "first password")]).await, "/?page=2");
    assert!(ann.get("/").await.body().contains("Hello ann"));
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_short_password_are_refused() {
    let shop = Shop::open().await;
    shop.ann().await;
    for (name, password, status) in [("ann", "another password", 409), ("bob", "short", 422), ("", "long enough", 422)]
    {
        let response = shop.stranger().submit("/sign-up", &[("name", name), ("password", password)]).await;
        assert_eq!(
            (response.status().as_u16(), SessionEffect::of(&response)),
            (status, SessionEffect::Nothing),
            "{name}"
        );
    }
}

/// P70.
#[tokio::test]
async fn a_wrong_name_is_answered_as_a_wrong_password_and_takes_as_long() {
    let shop = Shop::open().await;
    shop.ann().await;
    let (mut wrong_password, mut wrong_name) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        for (name, quickest) in [("ann", &mut wrong_password), ("nobody", &mut wrong_name)] {
            let begun = Instant::now();
            let response = shop.stranger().submit("/sign-in", &[("name", name), ("password", "wrong")]).await;
            *quickest = begun.elapsed().min(*quickest);
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert!(response.body().contains("Wrong name or password."));
        }
    }
    // Without a hash to compare with, it is many times as quick.
    assert!(wrong_name * 4 > wrong_password, "{wrong_name:?} and {wrong_password:?}");
}

/// P70.
#[tokio::test]
async fn after_five_wrong_passwords_a_name_has_to_wait() {
    let shop = Shop::open().await;
    shop.ann().await;
    for _ in 0..5 {
        assert_eq!(shop.sign_in("wrong", &[]).await.1.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(shop.sign_in("first password", &[]).await.1.status(), StatusCode::TOO_MANY_REQUESTS);
    let other = shop.stranger().submit("/sign-in", &[("name", "bob"), ("password", "wrong")]).await;
    assert_eq!(other.status(), StatusCode::UNAUTHORIZED, "other names are not closed");
}

#[tokio::test]
async fn the_right_password_ends_the_counting() {
    let shop = Shop::open().await;
    shop.ann().await;
    for password in ["wrong", "wrong", "wrong", "wrong", "first password", "wrong", "wrong"] {
        assert_ne!(shop.sign_in(password, &[]).await.1.status(), StatusCode::TOO_MANY_REQUESTS);
    }
}

/// P71.
#[tokio::test]
async fn a_remembered_user_comes_back_weeks_later_and_after_closing_the_browser() {
    let shop = Shop::open().await;
    shop.ann().await;
    let (mut remembered, _) = shop.sign_in("first password", &[("remember", "yes")]).await;
    let (mut other, _) = shop.sign_in("first password", &[]).await;
    for client in [&mut remembered, &mut other] {
        client.jar().close_browser();
    }
    shop.sessions.advance(Duration::from_secs(29 * 86_400));
    assert_eq!(remembered.get("/").await.status(), StatusCode::OK);
    leads_to(&other.get("/").await, "/sign-in?next=%2F");
    shop.sessions.advance(Duration::from_secs(86_400));
    leads_to(&remembered.get("/").await, "/sign-in?next=%2F");
}

/// P71.
#[tokio::test]
async fn a_changed_password_signs_out_everywhere_else() {
    let shop = Shop::open().await;
    let mut here = shop.ann().await;
    let (mut there, _) = shop.sign_in("first password", &[]).await;

    let wrong = here.submit("/password", &[("current", "wrong"), ("new", "second password")]).await;
    assert_eq!(SessionEffect::of(&wrong), SessionEffect::Nothing);
    assert!(here.get("/").await.body().contains("The current password is wrong."));
    assert_eq!(there.get("/").await.status(), StatusCode::OK);

    let changed = here.submit("/password", &[("current", "first password"), ("new", "second password")]).await;
    assert_eq!(SessionEffect::of(&changed), SessionEffect::Renewed);
    assert!(here.get("/").await.body().contains("Your password has changed."));
    let ended = there.get("/").await;
    leads_to(&ended, "/sign-in?next=%2F");
    assert_eq!(SessionEffect::of(&ended), SessionEffect::Ended);

    assert_eq!(shop.sign_in("first password", &[]).await.1.status(), StatusCode::UNAUTHORIZED);
    leads_to(&shop.sign_in("second password", &[]).await.1, "/");
}

/// P71.
#[tokio::test]
async fn the_sign_in_page_leads_on_whoever_is_signed_in_with_the_password_of_now() {
    let shop = Shop::open().await;
    let mut here = shop.ann().await;
    let (mut there, _) = shop.sign_in("first password", &[]).await;
    leads_to(&here.get("/sign-in").await, "/");
    assert_eq!(shop.stranger().get("/sign-in").await.status(), StatusCode::OK);

    here.submit("/password", &[("current", "first password"), ("new", "second password")]).await;
    let form = there.get("/sign-in").await;
    assert_eq!((form.status(), SessionEffect::of(&form)), (StatusCode::OK, SessionEffect::Ended));
    leads_to(&here.get("/sign-in").await, "/");
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_of_the_user() {
    let shop = Shop::open().await;
    let mut here = shop.ann().await;
    let (mut there, _) = shop.sign_in("first password", &[]).await;
    assert!(here.get("/").await.body().contains("on 2 devices"));
    leads_to(&here.post("/sign-out-everywhere").await, "/sign-in");
    assert!(here.jar().cookie_names().is_empty());
    leads_to(&there.get("/").await, "/sign-in?next=%2F");
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing_and_sign_nobody_in() {
    let shop = Shop::open().await;
    let mut ann = shop.ann().await;
    for path in ["/sign-in", "/sign-up", "/sign-out", "/sign-out-everywhere", "/password"] {
        let request = Request::post(path).body("name=ann&password=first+password").unwrap();
        assert_eq!(ann.send_cross_site(request).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(ann.get("/").await.status(), StatusCode::OK);
}

/// Sessions and users are in one file, so that whoever is signed in still is after a new start.
#[tokio::test]
async fn a_user_stays_signed_in_over_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let store = SqliteStore::open(folder.path().join("login.db")).await.unwrap();
        let layer = session_layer(SessionLayer::builder(store)).unwrap();
        (layer.manager().clone(), app(layer, users_in(&folder).await))
    };
    let (first, app) = start().await;
    let mut ann = TestSessions::new().client(app);
    ann.submit("/sign-up", &[("name", "ann"), ("password", "first password")]).await;
    first.close().await.unwrap();
    let (_, app) = start().await;
    let mut ann = ann.jar().clone().client(app);
    assert!(ann.get("/").await.body().contains("Hello ann"));
}

#[tokio::test]
async fn names_are_shown_as_text() {
    let shop = Shop::open().await;
    let mut client = shop.stranger();
    client.submit("/sign-up", &[("name", "<script>"), ("password", "long enough")]).await;
    let page = client.get("/").await.into_body();
    assert!(page.contains("Hello &#60;script&#62;") && !page.contains("<script>"), "{page}");
}
