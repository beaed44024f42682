use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use session_axum::{Adoption, Authentication, Key, NewSession, Session, SessionLayer};
use session_core::Counters;
use workspace_tests::client::Client;

use crate::support::{DAY, MINUTE, OLD, OURS, World, app_of, count_of, in_memory, is, named, visitor};

/// P20, P38: a visitor of the other library stays signed in, under a fresh id, and the old session ends.
#[tokio::test]
async fn a_visitor_of_another_library_stays_signed_in_under_a_new_id() {
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        let (app, sessions) = world.app();
        let mut ann = visitor(&app, "old-ann");
        let answer = ann.get("/account").await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "ann"));
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(answer.all("vary"), ["cookie"]);
        let removal = answer.set_cookies().into_iter().find(|cookie| cookie.starts_with("id=")).unwrap().to_owned();
        assert!(removal.contains("Max-Age=0") && removal.contains("Path=/"), "{removal}");
        assert!(!ann.jar.contains_key(OLD) && ann.jar[OURS] != "old-ann");
        assert!(!world.old.has("old-ann"));
        assert_eq!(ann.get("/cart").await.body, "Some([\"ann\"])");

        is(&mut visitor(&app, "old-ann"), "nobody").await;
        is(&mut ann, "ann").await;
        assert_eq!(count_of(&sessions, "ann").await, 1);
        let Counters { adopted, created, .. } = sessions.counters();
        assert_eq!((adopted, created), (1, 0));
    }
}

/// P21: the stored end counts, and neither the take-over nor use moves it.
#[tokio::test]
async fn the_stored_end_is_kept() {
    let world = in_memory();
    world.old.put("old-bob", "bob", world.after(MINUTE * 90));
    let (app, sessions) = world.app();
    world.clock.advance(MINUTE * 30);
    let mut bob = visitor(&app, "old-bob");
    is(&mut bob, "bob").await;
    let stored = &sessions.sessions_of("bob").await.unwrap()[0];
    assert_eq!(stored.expires_at(), world.after(MINUTE * 60));
    // Longer than the idle timeout of other sessions.
    world.clock.advance(MINUTE * 45);
    is(&mut bob, "bob").await;
    bob.post("/renew").await;
    world.clock.advance(MINUTE * 15 - Duration::from_millis(1));
    is(&mut bob, "bob").await;
    world.clock.advance(Duration::from_millis(1));
    is(&mut bob, "nobody").await;
}

/// P21: an idle timeout that the application gives counts as well.
#[tokio::test]
async fn an_idle_timeout_can_be_given_beside_the_stored_end() {
    let world = in_memory();
    let ends_at = world.after(DAY);
    let load = move |_id: String| async move {
        Ok::<_, std::io::Error>(Some(NewSession::new().principal("ann").idle_timeout(MINUTE * 10).ends_at(ends_at)))
    };
    let adoption = Adoption::of_cookie(OLD, load, async |_id: String| Ok::<_, std::io::Error>(()));
    let (app, _) = world.app_with(adoption);
    let mut ann = visitor(&app, "old-ann");
    is(&mut ann, "ann").await;
    world.clock.advance(MINUTE * 9);
    is(&mut ann, "ann").await;
    world.clock.advance(MINUTE * 10);
    assert_eq!(ann.get("/").await.body, "nobody");
}

/// P21: what is over is not taken over, and nothing is written for it.
#[tokio::test]
async fn an_old_session_whose_time_is_over_is_none() {
    let world = in_memory();
    let (app, sessions) = world.app();
    world.clock.advance(DAY);
    let mut ann = visitor(&app, "old-ann");
    let answer = ann.get("/").await;
    assert_eq!(answer.body, "nobody");
    assert!(answer.set_cookies().is_empty());
    assert_eq!(sessions.counters().adopted, 0);
}

/// P22: the old store is asked only where somebody wants a session, has none of ours, and presents an old cookie.
#[tokio::test]
async fn the_old_store_is_asked_only_where_it_is_needed() {
    let world = in_memory();
    let (app, _) = world.app();
    let mut ann = visitor(&app, "old-ann");
    let answer = ann.get("/public").await;
    assert!(answer.set_cookies().is_empty() && answer.all("vary").is_empty());
    is(&mut Client::new(&app), "nobody").await;
    assert_eq!(world.old.loads(), 0);
    is(&mut ann, "ann").await;
    assert_eq!(world.old.loads(), 1);
    // As if the removal had been lost.
    ann.jar.insert(OLD.to_owned(), "old-ann".to_owned());
    for _ in 0..3 {
        is(&mut ann, "ann").await;
    }
    assert_eq!(world.old.loads(), 1);
}

/// P22: a request with a bearer token has no cookies.
#[tokio::test]
async fn a_bearer_token_takes_no_old_cookie_along() {
    let world = in_memory();
    let (app, _) = app_of(world.builder().cookie_or_bearer().adopt(world.old.adoption()).build().unwrap());
    let mut ann = visitor(&app, "old-ann");
    let answer = ann.send(Method::GET, "/", &[("authorization", "Bearer nothing")]).await;
    assert_eq!((&*answer.body, world.old.loads()), ("nobody", 0));
    let logout = ann.send(Method::POST, "/logout", &[("authorization", "Bearer nothing")]).await;
    assert_eq!((logout.status, world.old.loads()), (StatusCode::OK, 0));
    is(&mut ann, "ann").await;
}

/// P23: strangers with an old cookie of nobody leave nothing behind.
#[tokio::test]
async fn an_old_cookie_of_nobody_writes_nothing() {
    let world = in_memory();
    let (app, sessions) = world.app();
    for path in ["/", "/account", "/count"] {
        let answer = visitor(&app, "junk").get(path).await;
        assert!(answer.set_cookies().is_empty(), "{path}");
    }
    let logout = visitor(&app, "junk").post("/logout").await;
    assert!(logout.set_cookies().is_empty());
    assert_eq!(world.old.ends(), 0);
    assert!(sessions.list(10).await.unwrap().is_empty());
    assert_eq!(sessions.purge_expired(MINUTE).await.unwrap().expired, 0);
    world.clock.advance(MINUTE * 2);
    assert_eq!(sessions.purge_expired(MINUTE).await.unwrap().expired, 0, "not even a note");
}

/// P24: a session that was taken over is not fresh, unless the old one tells when the user was authenticated.
#[tokio::test]
async fn a_session_that_was_taken_over_is_not_fresh() {
    let world = in_memory();
    let (now, ends_at) = (world.after(Duration::ZERO), world.after(DAY));
    let load = move |id: String| async move {
        let new = NewSession::new().principal("ann").ends_at(ends_at);
        Ok::<_, std::io::Error>(Some(match &*id {
            "at" => new.authenticated(Authentication::by(["pwd"]).at(now)),
            "by" => new.authenticated(Authentication::by(["pwd"])),
            _ => new,
        }))
    };
    let adoption = Adoption::of_cookie(OLD, load, async |_id: String| Ok::<_, std::io::Error>(()));
    let show = async |sess: Session| format!("{} {:?}", sess.is_fresh(MINUTE), sess.authentication_methods());
    let routes = axum::Router::new().route("/fresh", axum::routing::get(show));
    let app = routes.layer(world.builder().adopt(adoption).build().unwrap());
    assert_eq!(visitor(&app, "unknown").get("/fresh").await.body, "false []");
    assert_eq!(visitor(&app, "by").get("/fresh").await.body, "false [\"pwd\"]");
    assert_eq!(visitor(&app, "at").get("/fresh").await.body, "true [\"pwd\"]");
}

/// P25: the old cookie may have the name of the new one.
#[tokio::test]
async fn both_cookies_may_have_one_name() {
    let world = in_memory();
    world.old.put("AAAAAAAAAAAAAAAAAAAAAA", "ann", world.after(DAY));
    let layer = world.builder().cookie(named(OLD)).allow_http().adopt(world.old.adoption()).build().unwrap();
    let (app, _) = app_of(layer);
    let mut ann = visitor(&app, "AAAAAAAAAAAAAAAAAAAAAA");
    is(&mut ann, "ann").await;
    assert!(!ann.jar[OLD].starts_with("AAAA"), "the client keeps the new id");
    is(&mut ann, "ann").await;
    is(&mut visitor(&app, "AAAAAAAAAAAAAAAAAAAAAA"), "nobody").await;
}

/// P25: values that are percent-encoded, signed or encrypted lead to the same old session.
#[tokio::test]
async fn old_cookies_may_be_encoded_signed_or_encrypted() {
    let key = Key::generate();
    let jar = || tower_cookies::cookie::CookieJar::new();
    let (mut signed, mut private) = (jar(), jar());
    signed.signed_mut(&key).add((OLD, "old+ann"));
    private.private_mut(&key).add((OLD, "old+ann"));
    let encoded = |jar: &tower_cookies::cookie::CookieJar| {
        let cookie = jar.get(OLD).unwrap().encoded().to_string();
        cookie.split_once('=').unwrap().1.to_owned()
    };
    type Setting = fn(Adoption, Key) -> Adoption;
    let settings: [(Setting, String); 3] = [
        (|adoption, _| adoption, "old%2Bann".to_owned()),
        (|adoption, key| adoption.signed(key), encoded(&signed)),
        (|adoption, key| adoption.private(key), encoded(&private)),
    ];
    for (at, (setting, value)) in settings.into_iter().enumerate() {
        let world = in_memory();
        world.old.put("old+ann", "ann", world.after(DAY));
        let (app, _) = world.app_with(setting(world.old.adoption(), key.clone()));
        if at > 0 {
            is(&mut visitor(&app, "old+ann"), "nobody").await;
            is(&mut visitor(&app, &format!("x{value}")), "nobody").await;
            assert_eq!(world.old.loads(), 0, "no value that does not open");
        }
        is(&mut visitor(&app, &value), "ann").await;
        assert!(!world.old.has("old+ann"));
    }
}

/// P25: of several old cookies, such as of two paths, the first that leads to a session counts.
#[tokio::test]
async fn of_several_old_cookies_the_first_with_a_session_counts() {
    let world = in_memory();
    let (app, _) = world.app();
    let mut ann = Client::new(&app);
    let answer = ann.send(Method::GET, "/", &[("cookie", "id=junk; id=old-ann; id=junk")]).await;
    assert_eq!((&*answer.body, world.old.loads()), ("ann", 2));
}

/// P26: it counts towards the limit of its user.
#[tokio::test]
async fn a_session_that_was_taken_over_counts_for_the_limit() {
    let world = in_memory();
    let (app, sessions) =
        app_of(world.builder().max_sessions_per_principal(1).adopt(world.old.adoption()).build().unwrap());
    let before = sessions.create(NewSession::new().principal("ann")).await.unwrap();
    world.clock.advance(MINUTE);
    is(&mut visitor(&app, "old-ann"), "ann").await;
    assert_eq!(count_of(&sessions, "ann").await, 1);
    assert!(sessions.get(before.id().as_str()).await.unwrap().is_none(), "the oldest has ended");
}

/// P27: settings that can't work are refused.
#[test]
fn an_adoption_that_can_not_work_is_refused() {
    let world = in_memory();
    let refusal = |adoption: Adoption, name: &str| {
        let layer = SessionLayer::builder(world.store.clone()).cookie(named(name)).allow_http().adopt(adoption);
        layer.build().unwrap_err().to_string()
    };
    let rolling = || world.old.adoption().rolling_until(world.after(DAY));
    assert!(refusal(rolling(), OLD).contains("`rolling_until`"));
    for name in ["", "a=b", "a b", "a;b"] {
        let load = async |_id: String| Ok::<_, std::io::Error>(None);
        let adoption = Adoption::of_cookie(name, load, async |_id: String| Ok::<_, std::io::Error>(()));
        assert!(refusal(adoption, "sessid").contains("`Adoption::of_cookie`"), "{name:?}");
    }
}
