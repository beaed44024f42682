use std::time::Duration;

use axum::Router;
use session_axum::SessionManager;

use crate::support::{DAY, MINUTE, OLD, OURS, World, count_of, is, visitor};

fn rolling(world: &World, until: Duration) -> (Router, SessionManager) {
    world.app_with(world.old.adoption().rolling_until(world.after(until)))
}

/// P39: while both versions run, the old session and its cookie stay, and nobody is signed out at either.
#[tokio::test]
async fn in_rolling_mode_the_old_session_stays() {
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        let (app, sessions) = rolling(&world, DAY * 2);
        let mut ann = visitor(&app, "old-ann");
        for _ in 0..3 {
            is(&mut ann, "ann").await;
            assert!(world.old.has("old-ann") && ann.jar.contains_key(OLD));
            world.clock.advance(MINUTE * 10);
        }
        assert_eq!((count_of(&sessions, "ann").await, world.old.ends()), (1, 0));
    }
}

/// P39: a client that has lost its new cookie gets its session by the old one, whatever became of it meanwhile.
#[tokio::test]
async fn in_rolling_mode_the_old_cookie_can_be_presented_again() {
    for renews in [false, true] {
        for kind in workspace_tests::kinds_of_stores().await {
            let world = World::new(kind.store.clone());
            let (app, sessions) = rolling(&world, DAY * 2);
            let mut ann = visitor(&app, "old-ann");
            assert_eq!(ann.get("/count").await.body, "1");
            for expected in 2..6 {
                if renews {
                    ann.post("/renew").await;
                }
                world.clock.advance(MINUTE * 7);
                let lost = ann.jar.remove(OURS).unwrap();
                assert_eq!(ann.get("/count").await.body, expected.to_string());
                assert_ne!(ann.jar[OURS], lost);
                assert_eq!(count_of(&sessions, "ann").await, 1);
            }
        }
    }
}

/// P39: an old session that the old version has prolonged is taken over again when ours has ended.
#[tokio::test]
async fn in_rolling_mode_a_prolonged_old_session_is_taken_over_again() {
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        let (app, sessions) = rolling(&world, DAY * 3);
        let mut ann = visitor(&app, "old-ann");
        is(&mut ann, "ann").await;
        world.clock.advance(DAY / 2);
        world.old.put("old-ann", "ann", world.after(DAY));
        world.clock.advance(DAY / 2);
        is(&mut ann, "ann").await;
        assert_eq!(sessions.sessions_of("ann").await.unwrap()[0].expires_at(), world.after(DAY / 2));
        assert_eq!((count_of(&sessions, "ann").await, sessions.counters().adopted), (1, 2));
    }
}

/// P40: from the end date on, old cookies are ignored, and marks of ended users are over.
#[tokio::test]
async fn from_the_end_date_on_old_cookies_are_ignored() {
    let world = World::new(session_axum::MemoryStore::new());
    world.old.put("old-ann", "ann", world.after(DAY * 9));
    let (app, sessions) = rolling(&world, DAY);
    world.old.put("old-bob", "bob", world.after(DAY * 9));
    sessions.end_all_of("bob").await.unwrap();
    world.clock.advance(DAY - Duration::from_millis(1));
    is(&mut visitor(&app, "old-bob"), "nobody").await;
    let mut ann = visitor(&app, "old-ann");
    is(&mut ann, "ann").await;
    let loads = world.old.loads();
    world.clock.advance(Duration::from_millis(1));
    is(&mut visitor(&app, "old-ann"), "nobody").await;
    assert_eq!(world.old.loads(), loads);
    is(&mut ann, "ann").await;
}

/// P40: a new proof of who somebody is, and a login, are not for whoever has the old cookie.
#[tokio::test]
async fn in_rolling_mode_an_old_cookie_gains_nothing_from_a_new_authentication() {
    use axum::routing::post;
    use session_axum::{Authentication, Session, SessionError};

    let world = World::new(session_axum::MemoryStore::new());
    let prove = async |sess: Session| sess.reauthenticate(Authentication::by(["otp"])).map_err(SessionError::from);
    let layer = world.builder().adopt(world.old.adoption().rolling_until(world.after(DAY))).build().unwrap();
    let app = crate::support::routes().route("/prove", post(prove)).layer(layer);
    let mut ann = visitor(&app, "old-ann");
    is(&mut ann, "ann").await;
    ann.post("/prove").await;
    is(&mut visitor(&app, "old-ann"), "nobody").await;
    is(&mut ann, "ann").await;
}
