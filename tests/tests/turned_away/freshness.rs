//! T54, T55: what needs the password again, and no way around it.

use std::time::Duration;

use super::*;

const STALE: Duration = Duration::from_secs(10 * 60);

async fn pay(user: &mut Client, headers: &[(&str, &str)]) -> Answer {
    sent(user, Method::POST, "/pay", headers).await
}

#[tokio::test]
async fn a_stale_session_is_led_to_the_confirm_page_and_back_to_the_form() {
    for world in worlds(with_pages).await {
        let mut user = world.user().await;
        assert_eq!(pay(&mut user, &[PAGE]).await.body, "ann paid");
        world.clock.advance(STALE);
        let form = ("referer", "https://shop.example/pay");
        let led = pay(&mut user, &[PAGE, form]).await;
        assert_led(&led, "/confirm?next=%2Fpay");
        assert_problem(&pay(&mut user, &[SCRIPT]).await, StatusCode::FORBIDDEN, "not_fresh");
        assert_eq!(user.get("/home").await.body, "ann", "being signed in is enough for the rest");
        let confirmed = user.post(led.all("location")[0]).await;
        assert_eq!(confirmed.all("location"), ["/pay"]);
        assert_eq!(confirmed.set_cookies().len(), 1, "the id is new");
        assert_eq!(pay(&mut user, &[PAGE]).await.body, "ann paid");
    }
}

#[tokio::test]
async fn without_a_confirm_page_a_stale_session_is_403() {
    for world in worlds(|builder| builder.fresh_within(Duration::from_secs(60))).await {
        let mut user = world.user().await;
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(pay(&mut user, &[PAGE]).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn nothing_but_an_authentication_makes_fresh() {
    let change = |change: fn(&SignedIn) -> Result<(), session_core::Error>| {
        post(async move |user: SignedIn| -> Result<(), SessionError> { Ok(change(&user)?) })
    };
    let others = Router::new()
        .route("/renew", change(|user| user.renew_id()))
        .route("/remember", change(|user| user.remember(Duration::from_secs(86_400))))
        .route("/use", change(|user| user.set_attr("Used", &1)))
        .route("/check", get(async |user: SignedIn| user.check_fresh(STALE)));
    let clock = Arc::new(ManualClock::default());
    let layer = SessionLayer::builder(MemoryStore::new()).clock(Arc::clone(&clock)).build().unwrap();
    let app = routes().merge(others).layer(layer);
    let mut user = Client::new(&app);
    user.post("/login").await;
    assert_eq!(user.get("/check").await.status, StatusCode::OK);
    clock.advance(STALE);
    for path in ["/renew", "/remember", "/use"] {
        assert_eq!(user.post(path).await.status, StatusCode::OK);
        assert_eq!(pay(&mut user, &[]).await.status, StatusCode::FORBIDDEN, "after {path}");
        assert_eq!(user.get("/check").await.status, StatusCode::FORBIDDEN, "after {path}");
    }
}

#[tokio::test]
async fn an_id_from_before_the_password_is_worth_nothing_after_it() {
    for world in worlds(|builder| with_pages(builder).renewal_grace(Duration::from_secs(60))).await {
        let mut user = world.user().await;
        let mut thief = user.clone();
        world.clock.advance(STALE);
        user.post("/confirm").await;
        assert_led(&pay(&mut thief, &[PAGE]).await, "/login");
        assert_eq!(pay(&mut user, &[PAGE]).await.body, "ann paid");
    }
}

/// T62: the owner's second tab tries again a moment later. What its handler collected so far is dropped, as it is done again.
#[tokio::test]
async fn what_an_old_id_can_not_do_is_a_conflict_and_can_be_tried_again() {
    let renew = async |user: SignedIn| -> Result<(), SessionError> {
        user.set_attr("Renewals", &1)?;
        Ok(user.renew_id()?)
    };
    let renewals = async |user: SignedIn| format!("{:?}", user.attr::<u32>("Renewals"));
    for kind in kinds_of_stores().await {
        let builder = with_pages(SessionLayer::builder(kind.store.clone())).renewal_grace(Duration::from_secs(60));
        let others = Router::new()
            .route("/renew", post(renew))
            .route("/plainly-renew", post(async |user: SignedIn| Ok::<_, SessionError>(user.renew_id()?)))
            .route("/renewals", get(renewals));
        let mut user = Client::new(&routes().merge(others).layer(builder.build().unwrap()));
        user.post("/login").await;
        let mut second_tab = user.clone();
        user.post("/plainly-renew").await;
        let refused = second_tab.send(Method::POST, "/renew", &[SCRIPT]).await;
        assert_problem(&refused, StatusCode::CONFLICT, "old_id");
        assert_eq!(second_tab.post("/renew").await.status, StatusCode::CONFLICT);
        assert_eq!(user.get("/renewals").await.body, "Ok(None)");
        assert_eq!(user.post("/renew").await.status, StatusCode::OK);
        assert_eq!(user.get("/renewals").await.body, "Ok(Some(1))");
    }
}
