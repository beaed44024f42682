use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_axum::{
    Adoption, Clock, EndSession, MaybeSession, Session, SessionError, SessionLayer, SessionManager, Store, SystemClock,
    Time,
};
use workspace_tests::client::Client;

pub const OURS: &str = "__Host-sessid";

/// An application on another library, with the routes `/login/{user}`, `/` and `/logout`, and its rows.
pub struct OldApp {
    pub app: Router,
    pub cookie: &'static str,
}

pub async fn who(visitor: MaybeSession) -> Result<String, SessionError> {
    let Some(sess) = visitor.session() else { return Ok("nobody".to_owned()) };
    let cart: Vec<String> = sess.attr("cart")?.unwrap_or_default();
    Ok(format!("{} {}", sess.principal().unwrap_or_default(), cart.join(",")))
}

async fn count(sess: Session) -> Result<String, SessionError> {
    Ok(sess.update_attr("visits", |n: Option<u32>| n.unwrap_or(0) + 1).await?.to_string())
}

async fn logout(ending: EndSession) {
    ending.end();
}

/// Until when the old version goes on beside the new one.
pub fn end_date() -> Time {
    SystemClock.now().saturating_add(Duration::from_secs(14 * 86_400))
}

/// The same application on this library.
pub fn new_app(store: impl Store, adoption: Adoption) -> (Router, SessionManager) {
    let layer = SessionLayer::builder(store).adopt(adoption).build().unwrap();
    let sessions = layer.manager().clone();
    let routes = Router::new().route("/", get(who)).route("/count", get(count)).route("/logout", post(logout));
    (routes.layer(layer), sessions)
}

impl OldApp {
    /// A visitor who has signed in.
    pub async fn signed_in(&self, user: &str) -> Client {
        let mut client = Client::new(&self.app);
        assert_eq!(client.post(&format!("/login/{user}")).await.status, StatusCode::OK);
        assert!(client.jar.contains_key(self.cookie), "{:?}", client.jar);
        self.knows(&mut client, user).await;
        client
    }

    pub async fn knows(&self, client: &mut Client, user: &str) {
        assert_eq!(client.moved_to(&self.app).get("/").await.body, user);
    }

    /// A client with the old cookie alone.
    pub fn replay(&self, client: &Client, app: &Router) -> Client {
        let mut thief = Client::new(app);
        thief.jar.insert(self.cookie.to_owned(), client.jar[self.cookie].clone());
        thief
    }
}

pub async fn is(client: &mut Client, seen: &str) {
    let answer = client.get("/").await;
    assert_eq!((answer.status, answer.body.trim_end()), (StatusCode::OK, seen));
}

/// P43: everybody stays signed in, under a new id, until the stored date. The old row ends, and a replay gets nothing.
pub async fn everybody_stays_signed_in(
    old: &OldApp,
    new: &(Router, SessionManager),
    expiry: impl AsyncFn(&Client) -> Option<Time>,
) {
    let (app, sessions) = new;
    let mut signed_in = Vec::new();
    for user in ["ann", "bob", "eve"] {
        signed_in.push((user, old.signed_in(user).await));
    }
    for (user, before) in signed_in {
        let others = sessions.sessions_of(user).await.unwrap().len();
        let stored = expiry(&before).await.expect("there is a row");
        let mut visitor = before.moved_to(app);
        is(&mut visitor, &format!("{user} apple,{user}")).await;
        let id = visitor.jar[OURS].clone();
        assert_ne!(id, before.jar[old.cookie]);
        assert!(!visitor.jar.contains_key(old.cookie), "{:?}", visitor.jar);
        assert_eq!(sessions.sessions_of(user).await.unwrap()[0].expires_at(), stored);
        assert!(expiry(&before).await.is_none(), "the row has ended");

        is(&mut visitor, &format!("{user} apple,{user}")).await;
        is(&mut old.replay(&before, app), "nobody").await;
        assert_ne!(old.replay(&before, &old.app).get("/").await.body, user);
        assert_eq!(sessions.sessions_of(user).await.unwrap().len(), others + 1);
    }
}

/// P44: a hundred parallel first requests get one session.
pub async fn a_hundred_first_requests_get_one_session(old: &OldApp, new: &(Router, SessionManager)) {
    let (app, sessions) = new;
    let before = old.signed_in("many").await;
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let mut window = before.moved_to(app);
            tokio::spawn(async move {
                let answer = window.get("/count").await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
                (window.jar[OURS].clone(), answer.body)
            })
        })
        .collect();
    let (mut ids, mut counts) = (BTreeSet::new(), BTreeSet::new());
    for request in requests {
        let (id, count) = request.await.unwrap();
        ids.insert(id);
        counts.insert(count);
    }
    assert_eq!((ids.len(), counts.len()), (1, 100));
    assert_eq!(sessions.sessions_of("many").await.unwrap().len(), 1);
}

/// P45: logging out ends old and new, before and after the old session was taken over.
pub async fn a_logout_ends_both(old: &OldApp, new: &(Router, SessionManager)) {
    let (app, sessions) = new;
    for is_taken_over in [false, true] {
        let before = old.signed_in("gone").await;
        let mut visitor = before.moved_to(app);
        if is_taken_over {
            is(&mut visitor, "gone apple,gone").await;
        }
        let after = visitor.clone();
        assert_eq!(visitor.post("/logout").await.status, StatusCode::OK);
        assert!(visitor.jar.is_empty(), "{:?}", visitor.jar);
        for mut thief in [after, old.replay(&before, app)] {
            is(&mut thief, "nobody").await;
        }
        assert_ne!(old.replay(&before, &old.app).get("/").await.body, "gone");
        assert!(sessions.sessions_of("gone").await.unwrap().is_empty());
    }
}

/// P46: while both versions run, nobody is signed out at either.
pub async fn both_versions_run_side_by_side(old: &OldApp, rolling: &(Router, SessionManager)) {
    let (app, sessions) = rolling;
    let mut visitor = old.signed_in("both").await.moved_to(app);
    for round in 0..5 {
        is(&mut visitor, "both apple,both").await;
        old.knows(&mut visitor, "both").await;
        if round % 2 == 1 {
            visitor.jar.remove(OURS);
        }
    }
    assert_eq!(sessions.sessions_of("both").await.unwrap().len(), 1);
    is(&mut visitor, "both apple,both").await;
    let before = visitor.clone();
    visitor.post("/logout").await;
    assert!(visitor.jar.is_empty(), "{:?}", visitor.jar);
    is(&mut old.replay(&before, app), "nobody").await;
    assert_ne!(old.replay(&before, &old.app).get("/").await.body, "both");
}

/// P47: an old store that fails is 503, and nothing is lost.
pub async fn a_failing_old_store_is_503(old: &OldApp, new: &(Router, SessionManager), before: &Client) {
    let mut visitor = before.moved_to(&new.0);
    for _ in 0..2 {
        let answer = visitor.get("/").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.set_cookies().is_empty() && visitor.jar.contains_key(old.cookie));
    }
}
