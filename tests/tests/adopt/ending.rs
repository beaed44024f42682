use std::sync::{Arc, Mutex};

use axum::http::{Method, StatusCode};
use session_axum::{Event, NewSession};
use workspace_tests::client::Client;

use crate::support::{DAY, MINUTE, OLD, OURS, World, app_of, count_of, in_memory, is, visitor};

/// P34: a logout ends the session and the old one, whichever of both ids it comes with, and whatever is replayed.
#[tokio::test]
async fn a_logout_ends_both_whatever_is_replayed() {
    for rolling in [false, true] {
        for (path, was_taken_over) in [("/logout", true), ("/logout", false), ("/remove", true), ("/remove", false)] {
            for kind in workspace_tests::kinds_of_stores().await {
                let world = World::new(kind.store.clone());
                let adoption = world.old.adoption();
                let adoption = if rolling { adoption.rolling_until(world.after(DAY)) } else { adoption };
                let (app, sessions) = world.app_with(adoption);
                let mut ann = visitor(&app, "old-ann");
                if was_taken_over {
                    is(&mut ann, "ann").await;
                }
                let before = ann.clone();
                let answer = ann.post(path).await;
                assert_eq!(answer.status, StatusCode::OK, "{path} {was_taken_over}");
                assert!(ann.jar.is_empty(), "{:?}", ann.jar);
                assert!(!world.old.has("old-ann"));
                assert_eq!(count_of(&sessions, "ann").await, 0);
                for old in [true, false] {
                    let mut thief = before.clone();
                    thief.jar.insert(OLD.to_owned(), "old-ann".to_owned());
                    if old {
                        thief.jar.remove(OURS);
                    }
                    is(&mut thief, "nobody").await;
                }
                // A request of the old version was under way, and has written its session again.
                world.old.put("old-ann", "ann", world.after(DAY / 2));
                is(&mut visitor(&app, "old-ann"), "nobody").await;
                assert_eq!(count_of(&sessions, "ann").await, 0);
            }
        }
    }
}

/// P34: a request that has asked the old store before the logout gets nothing after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_first_request_does_not_bring_back_what_a_logout_ended() {
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        let (app, sessions) = world.app();
        world.old.hold();
        let slow: Vec<_> = (0..10)
            .map(|_| {
                let mut window = visitor(&app, "old-ann");
                tokio::spawn(async move { window.get("/").await.body })
            })
            .collect();
        while world.old.loads() < 10 {
            tokio::task::yield_now().await;
        }
        // By another layer, whose old store is not held.
        let other = World { old: world.old.clone(), clock: world.clock.clone(), store: kind.store.clone() };
        let ends = other.old.clone();
        let ends_at = other.after(DAY);
        let load = move |_id: String| async move {
            Ok::<_, std::io::Error>(Some(NewSession::new().principal("ann").ends_at(ends_at)))
        };
        let end = move |_id: String| {
            let _counted = ends.ends();
            async { Ok::<_, std::io::Error>(()) }
        };
        let (unheld, _) = other.app_with(session_axum::Adoption::of_cookie(OLD, load, end));
        assert_eq!(visitor(&unheld, "old-ann").post("/logout").await.status, StatusCode::OK);
        world.old.let_go();
        for request in slow {
            assert_eq!(request.await.unwrap(), "nobody");
        }
        assert_eq!(count_of(&sessions, "ann").await, 0);
    }
}

/// P34: first requests and logouts at the same moment, again and again: once a logout has answered, nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn first_requests_against_a_logout_leave_nothing() {
    for kind in workspace_tests::kinds_of_stores().await {
        for round in 0..10 {
            let world = World::new(kind.store.clone());
            let old = format!("old-{round}");
            world.old.put(&old, "ann", world.after(DAY));
            let (app, sessions) = world.app();
            let first: Vec<_> = (0..8)
                .map(|_| {
                    let mut window = visitor(&app, &old);
                    tokio::spawn(async move {
                        window.get("/").await;
                        window
                    })
                })
                .collect();
            let mut logout = visitor(&app, &old);
            let logout = tokio::spawn(async move { logout.post("/logout").await.status });
            assert_eq!(logout.await.unwrap(), StatusCode::OK);
            for request in first {
                let mut window = request.await.unwrap();
                is(&mut window, "nobody").await;
            }
            assert_eq!(count_of(&sessions, "ann").await, 0);
            is(&mut visitor(&app, &old), "nobody").await;
        }
    }
}

/// P34: a logout by the old cookie alone is told as a logout, and HEAD ends nothing.
#[tokio::test]
async fn head_ends_no_old_session() {
    let world = in_memory();
    let (app, _) = world.app();
    let mut ann = visitor(&app, "old-ann");
    let routes =
        axum::Router::new().route("/bye", axum::routing::get(async |ending: session_axum::EndSession| ending.end()));
    let (bye, _) = (routes.layer(world.builder().adopt(world.old.adoption()).build().unwrap()), ());
    let answer = visitor(&bye, "old-ann").send(Method::HEAD, "/bye", &[]).await;
    assert!(answer.set_cookies().is_empty() && world.old.has("old-ann"));
    is(&mut ann, "ann").await;
}

/// P35: a login over a session that was taken over ends the old one too.
#[tokio::test]
async fn a_login_ends_the_old_session_that_it_replaces() {
    for rolling in [false, true] {
        let world = in_memory();
        let adoption = world.old.adoption();
        let adoption = if rolling { adoption.rolling_until(world.after(DAY)) } else { adoption };
        let (app, sessions) = world.app_with(adoption);
        let mut shared = visitor(&app, "old-ann");
        assert_eq!(shared.post("/login").await.status, StatusCode::OK);
        is(&mut shared, "bob").await;
        assert!(!shared.jar.contains_key(OLD) && !world.old.has("old-ann"));
        is(&mut visitor(&app, "old-ann"), "nobody").await;
        world.old.put("old-ann", "ann", world.after(DAY));
        is(&mut visitor(&app, "old-ann"), "nobody").await;
        assert_eq!((count_of(&sessions, "ann").await, count_of(&sessions, "bob").await), (0, 1));
    }
}

/// P36: ending all sessions of a user also refuses the old ones that nobody has presented yet, and one that is just being
/// taken over.
#[tokio::test(flavor = "multi_thread")]
async fn ending_all_sessions_of_a_user_refuses_old_ones() {
    for kind in workspace_tests::kinds_of_stores().await {
        let world = World::new(kind.store.clone());
        world.old.put("old-ann-2", "ann", world.after(DAY));
        world.old.put("old-bob", "bob", world.after(DAY));
        let (app, sessions) = world.app();
        let mut laptop = visitor(&app, "old-ann");
        is(&mut laptop, "ann").await;
        world.old.hold();
        let slow = tokio::spawn({
            let mut phone = visitor(&app, "old-ann-2");
            async move { phone.get("/").await.body }
        });
        while world.old.loads() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(sessions.end_all_of("ann").await.unwrap(), 1);
        world.old.let_go();
        assert_eq!(slow.await.unwrap(), "nobody");
        is(&mut laptop, "nobody").await;
        is(&mut visitor(&app, "old-ann-2"), "nobody").await;
        is(&mut visitor(&app, "old-bob"), "bob").await;
        assert_eq!(count_of(&sessions, "ann").await, 0);
        // Once more, as somebody presses the button again.
        assert_eq!(sessions.end_all_of("ann").await.unwrap(), 0);
        world.clock.advance(DAY / 2);
        is(&mut visitor(&app, "old-ann-2"), "nobody").await;
    }
}

/// P36: one whose user was authenticated after that is taken over, if the old one says so.
#[tokio::test]
async fn an_old_session_of_a_later_login_is_not_refused() {
    let world = in_memory();
    let (ended_at, ends_at) = (world.after(MINUTE), world.after(DAY));
    let later = world.after(MINUTE * 2);
    let load = move |id: String| async move {
        let at = if id == "later" { later } else { ended_at };
        let proof = session_axum::Authentication::by(["pwd"]).at(at);
        Ok::<_, std::io::Error>(Some(NewSession::new().principal("ann").authenticated(proof).ends_at(ends_at)))
    };
    let adoption = session_axum::Adoption::of_cookie(OLD, load, async |_id: String| Ok::<_, std::io::Error>(()));
    let (app, sessions) = world.app_with(adoption);
    world.clock.advance(MINUTE);
    sessions.end_all_of("ann").await.unwrap();
    world.clock.advance(MINUTE * 2);
    is(&mut visitor(&app, "earlier"), "nobody").await;
    is(&mut visitor(&app, "later"), "ann").await;
}

/// P36: "end all others" refuses old ones as well, and spares the session that asks.
#[tokio::test]
async fn ending_all_others_refuses_old_ones() {
    let world = in_memory();
    world.old.put("old-ann-2", "ann", world.after(DAY));
    let (app, sessions) = world.app();
    let mut laptop = visitor(&app, "old-ann");
    is(&mut laptop, "ann").await;
    let session = sessions.get(&laptop.jar[OURS]).await.unwrap().unwrap();
    sessions.end_others(&session).await.unwrap();
    is(&mut laptop, "ann").await;
    is(&mut visitor(&app, "old-ann-2"), "nobody").await;
}

/// P36: a manager without a layer refuses them if it is told until when they are taken over.
#[tokio::test]
async fn an_admin_tool_refuses_old_sessions_if_it_is_told_of_them() {
    for (is_told, user) in [(true, "nobody"), (false, "ann")] {
        let world = in_memory();
        let (app, _) = world.app();
        let builder = session_axum::SessionManager::builder(world.store.clone()).clock(world.clock.clone());
        let builder = if is_told { builder.old_sessions_until(world.after(DAY)) } else { builder };
        builder.without_background_purge().build().unwrap().end_all_of("ann").await.unwrap();
        is(&mut visitor(&app, "old-ann"), user).await;
    }
}

/// P37: observers are told of each take-over and each end.
#[tokio::test]
async fn observers_are_told_of_take_overs_and_endings() {
    let world = in_memory();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let layer = world.builder().adopt(world.old.adoption()).observer(move |event: Event<'_>| {
        let line = match event {
            Event::Adopted { principal, .. } => format!("adopted {}", principal.unwrap_or("-")),
            Event::Created { .. } => "created".to_owned(),
            Event::Ended { .. } => "ended".to_owned(),
            _ => return,
        };
        telling.lock().unwrap().push(line);
    });
    let (app, _) = app_of(layer.build().unwrap());
    let mut ann = visitor(&app, "old-ann");
    is(&mut ann, "ann").await;
    is(&mut Client::new(&app), "nobody").await;
    ann.post("/logout").await;
    assert_eq!(*told.lock().unwrap(), ["adopted ann", "ended"]);
}
