//! Cookies as they come: junk before the real one, old clients, keys that change, and cookies that lapse.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::routing::{get, post};
use session_axum::transport::{PresentedIds, Transport};
use session_axum::{
    Key, ManualClock, MaybeSession, MemoryStore, NewSession, Session, SessionCookie, SessionError, SessionLayer,
    SessionManager,
};
use session_core::conformance::faulty::{FaultyStore, Operation};
use workspace_tests::client::{Answer, Client};

const COOKIE: &str = "__Host-sessid";
const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAAAA";
const DAY: Duration = Duration::from_secs(86_400);

async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal("ann")).map(drop)
}

async fn user(sess: Option<Session>) -> String {
    sess.and_then(|sess| sess.principal()).map_or("nobody".to_owned(), |user| user.to_string())
}

fn routes() -> Router {
    Router::new().route("/login", post(login)).route("/user", get(user))
}

fn with_cookie(manager: &SessionManager, cookie: SessionCookie) -> Router {
    routes().layer(SessionLayer::builder(manager.clone()).cookie(cookie).build().unwrap())
}

/// The cookie's value of a visitor who signed in.
async fn signed_in(app: &Router) -> String {
    let mut client = Client::new(app);
    assert_eq!(client.post("/login").await.status, StatusCode::OK);
    client.jar.into_values().next().expect("a cookie")
}

/// What a request with this `Cookie` header gets.
async fn ask(app: &Router, cookies: &str) -> Answer {
    let mut client = Client::new(app);
    client.send(Method::GET, "/user", &[("cookie", cookies)]).await
}

async fn user_of(app: &Router, cookies: &str) -> String {
    ask(app, cookies).await.body
}

fn pair(value: &str) -> String {
    format!("{COOKIE}={value}; ")
}

#[tokio::test]
async fn what_is_no_id_hides_no_session_however_much_of_it_comes_first() {
    let app = routes().layer(SessionLayer::new(MemoryStore::new()));
    let id = signed_in(&app).await;
    for junk in ["", "\"\"", "\"", "short", "deleted", "null", "%41AAAAAAAAAAAAAAAAAAAAAAA", &"x".repeat(44)] {
        for times in [4, 5, 1000] {
            let cookies = pair(junk).repeat(times) + &pair(&id);
            assert_eq!(user_of(&app, &cookies).await, "ann", "{junk:?} {times} times");
        }
    }
}

#[tokio::test]
async fn up_to_three_unknown_ids_hide_no_session_and_four_are_looked_up_at_most() {
    let store = FaultyStore::new(MemoryStore::new());
    let app = routes().layer(SessionLayer::new(store.clone()));
    let id = signed_in(&app).await;
    for (unknown, user) in [(3, "ann"), (4, "nobody"), (1000, "nobody")] {
        store.faults().forget_calls();
        let junk = pair("junk");
        let cookies = format!("{junk}{}{junk}{}", pair(UNKNOWN).repeat(unknown), pair(&id));
        assert_eq!(user_of(&app, &cookies).await, user, "after {unknown}");
        assert_eq!(store.faults().calls(Operation::Load), 4);
    }
}

#[tokio::test]
async fn the_cookies_of_old_clients_sign_nobody_out() {
    let manager = SessionManager::new(MemoryStore::new());
    let plain = with_cookie(&manager, SessionCookie::new());
    let signed = with_cookie(&manager, SessionCookie::new().signed([Key::generate()]));
    for app in [plain, signed] {
        let id = signed_in(&app).await;
        let quoted = format!("$Version=\"1\"; {COOKIE}=\"{id}\"; $Path=\"/\"; $Domain=\"example.com\"");
        assert_eq!(user_of(&app, &quoted).await, "ann");
        assert_eq!(user_of(&app, &format!("$Version=0; {COOKIE}={id}; $Path=/")).await, "ann");
        // A part of another cookie's value is none of ours.
        for forged in
            [format!("$Version=1, {COOKIE}={id}"), format!("a=\"1,{COOKIE}={id}\""), format!("${COOKIE}={id}")]
        {
            assert_eq!(user_of(&app, &forged).await, "nobody", "{forged}");
        }
    }
}

#[tokio::test]
async fn what_no_key_sealed_hides_no_session_and_is_opened_for_a_bounded_time() {
    let store = FaultyStore::new(MemoryStore::new());
    let manager = SessionManager::new(store.clone());
    for cookie in [SessionCookie::new().signed([Key::generate()]), SessionCookie::new().private([Key::generate()])] {
        let app = with_cookie(&manager, cookie);
        let value = signed_in(&app).await;
        store.faults().forget_calls();
        let forged = format!("{}{}", &value[1..], &value[..1]);
        for junk in ["", UNKNOWN, "junk", &forged[1..65], &"x".repeat(97)] {
            let cookies = pair(junk).repeat(1000) + &pair(&value);
            assert_eq!(user_of(&app, &cookies).await, "ann", "{junk:?}");
        }
        for (times, user) in [(15, "ann"), (16, "nobody")] {
            let cookies = pair(&forged).repeat(times) + &pair(&value);
            assert_eq!(user_of(&app, &cookies).await, user, "{times} forged ones");
        }
        // No forged one reached the store.
        assert_eq!(store.faults().calls(Operation::Load), 6);
    }
}

/// A cookie that another host of the domain has planted can sign the visitor out, and no more. The browser keeps
/// none of a name that begins with `__Host-`.
#[tokio::test]
async fn an_id_that_was_ended_and_planted_before_the_real_one_hides_it_only_in_fours() {
    let manager = SessionManager::new(MemoryStore::new());
    let app = with_cookie(&manager, SessionCookie::new().domain("example.com"));
    let mut planted = String::new();
    for _ in 0..3 {
        let id = signed_in(&app).await;
        manager.end(&manager.list(1).await.unwrap()[0].key).await.unwrap();
        planted += &format!("__Secure-sessid={id}; ");
    }
    let id = format!("__Secure-sessid={}", signed_in(&app).await);
    assert_eq!(user_of(&app, &(planted.clone() + &id)).await, "ann");
    assert_eq!(user_of(&app, &format!("{planted}__Secure-sessid={UNKNOWN}; {id}")).await, "nobody");
}

/// 32 times the cookies take about 32 times as long. Comparing each with each would take 1,024 times as long.
#[test]
fn a_long_header_is_read_in_linear_time() {
    let plain = SessionCookie::new().build().unwrap();
    let signed = SessionCookie::new().signed([Key::generate()]).build().unwrap();
    for transport in [plain, signed] {
        let time = |cookies: usize| {
            let value = HeaderValue::try_from(pair("no id at all").repeat(cookies)).unwrap();
            let request = Request::builder().header(header::COOKIE, value).body(()).unwrap().into_parts().0;
            // The fastest of many, and each short, as others use the machine too.
            let times = (0..100).map(|_| {
                let start = std::time::Instant::now();
                let mut presented = PresentedIds::default();
                transport.read(&request, &mut presented);
                start.elapsed()
            });
            times.min().unwrap()
        };
        let (short, long) = (time(250), time(8_000));
        assert!(long < short * 32 * 8, "{short:?} for 250 cookies, {long:?} for 8,000");
    }
}

fn kinds() -> [fn(Vec<Key>) -> SessionCookie; 2] {
    [|keys| SessionCookie::new().signed(keys), |keys| SessionCookie::new().private(keys)]
}

/// CVE-2020-28483 and its like: a value that is valid under one name is none under another.
#[tokio::test]
async fn a_sealed_value_counts_under_its_own_cookie_name_alone() {
    use tower_cookies::Cookie;
    use tower_cookies::cookie::CookieJar;
    let key = Key::generate();
    for cookie in kinds() {
        // Both layers open the same sessions.
        let manager = SessionManager::builder(MemoryStore::new()).audience("all").build().unwrap();
        let [shop, staff] = ["shop", "staff"].map(|name| with_cookie(&manager, cookie(vec![key.clone()]).name(name)));
        let value = signed_in(&shop).await;
        assert_eq!(user_of(&shop, &format!("__Host-shop={value}")).await, "ann");
        assert_eq!(user_of(&staff, &format!("__Host-staff={value}")).await, "nobody");
    }
    // What the application itself signs with the key is no session cookie either.
    let manager = SessionManager::new(MemoryStore::new());
    let id = signed_in(&with_cookie(&manager, SessionCookie::new())).await;
    let mut jar = CookieJar::new();
    jar.signed_mut(&key).add(Cookie::new(COOKIE, id.clone()));
    let theirs = jar.get(COOKIE).unwrap().value().to_owned();
    let app = with_cookie(&manager, SessionCookie::new().signed([key]));
    assert_eq!(user_of(&app, &pair(&theirs)).await, "nobody");
}

#[tokio::test]
async fn a_cookie_under_an_old_key_is_sent_anew_under_the_new_one() {
    let (old, new) = (Key::generate(), Key::generate());
    for cookie in kinds() {
        let store = FaultyStore::new(MemoryStore::new());
        let manager = SessionManager::new(store.clone());
        let with = |keys: &[&Key]| with_cookie(&manager, cookie(keys.iter().map(|key| (*key).clone()).collect()));
        let value = signed_in(&with(&[&old])).await;
        store.faults().forget_calls();
        let rotated = with(&[&new, &old]);
        let mut client = Client::new(&rotated);
        client.jar.insert(COOKIE.into(), value.clone());
        let answer = client.get("/user").await;
        assert_eq!((answer.body.as_str(), answer.set_cookies().len()), ("ann", 1));
        assert_eq!(answer.all("cache-control"), ["no-store"]);
        // From then on the old key is not needed, and nothing more is sent.
        let again = client.get("/user").await;
        assert_eq!((again.body.as_str(), again.set_cookies().len()), ("ann", 0));
        assert_eq!(client.moved_to(&with(&[&new])).get("/user").await.body, "ann");
        assert_eq!(user_of(&with(&[&new]), &pair(&value)).await, "nobody");
        // Nothing was written for it.
        assert_eq!(store.faults().calls(Operation::Load), store.faults().all_calls());
    }
}

/// A removed session is not sent again in its new form.
#[tokio::test]
async fn a_logout_wins_over_a_cookie_that_is_sent_anew() {
    let (old, new) = (Key::generate(), Key::generate());
    let manager = SessionManager::new(MemoryStore::new());
    let before = with_cookie(&manager, SessionCookie::new().signed([old.clone()]));
    let leave = async |sess: Session| sess.remove();
    let layer = SessionLayer::builder(manager).cookie(SessionCookie::new().signed([new, old]));
    let after = routes().route("/leave", post(leave)).layer(layer.build().unwrap());
    let mut client = Client::new(&after);
    client.jar.insert(COOKIE.into(), signed_in(&before).await);
    let answer = client.post("/leave").await;
    assert_eq!(answer.set_cookies().len(), 1);
    assert!(client.jar.is_empty());
}

#[tokio::test]
async fn sealing_is_switched_on_and_off_without_a_logout() {
    let key = Key::generate();
    for cookie in kinds() {
        let manager = SessionManager::new(MemoryStore::new());
        let sealed = || cookie(vec![key.clone()]);
        let [off, ready, on, strict] =
            [SessionCookie::new(), sealed().insecure_send_plain_ids(), sealed().insecure_accept_plain_ids(), sealed()]
                .map(|cookie| with_cookie(&manager, cookie));
        let mut client = Client::new(&off);
        client.post("/login").await;
        let plain = client.jar.clone();
        // Two processes of neighbouring steps serve one visitor by turns.
        for (step, now, before) in
            [("ready", &ready, &off), ("on", &on, &ready), ("strict", &strict, &on), ("on", &on, &strict)]
        {
            for app in [now, before, now, before, now] {
                client = client.moved_to(app);
                assert_eq!(client.get("/user").await.body, "ann", "{step}");
            }
        }
        assert_ne!(client.jar, plain);
        for (step, now, before) in [("ready", &ready, &on), ("off", &off, &ready)] {
            for app in [now, before, now, before, now] {
                client = client.moved_to(app);
                assert_eq!(client.get("/user").await.body, "ann", "back to {step}");
            }
        }
        assert_eq!(client.jar, plain);
        // Without the danger, a plain id opens nothing, and the other way round.
        assert_eq!(client.moved_to(&strict).get("/user").await.body, "nobody");
        let value = signed_in(&strict).await;
        assert_eq!(user_of(&off, &pair(&value)).await, "nobody");
    }
}

#[test]
fn plain_ids_without_keys_and_keys_of_padded_text_are_refused() {
    let text = "0123456789abcdef".repeat(4);
    for cookie in [
        SessionCookie::new().insecure_accept_plain_ids(),
        SessionCookie::new().insecure_send_plain_ids(),
        SessionCookie::new().signed([]),
        SessionCookie::new().signed([Key::from(format!("{}\n", &text[..63]).as_bytes())]),
        SessionCookie::new().private([Key::generate(), Key::from(format!(" {text}").as_bytes())]),
    ] {
        let shown = format!("{cookie:?}");
        let error = cookie.build().err().unwrap_or_else(|| panic!("accepted {shown}"));
        assert!(error.to_string().contains("key"), "{error}");
    }
    assert!(SessionCookie::new().signed([Key::from(text.as_bytes())]).build().is_ok());
}

#[tokio::test]
async fn the_cookie_of_a_session_without_end_is_sent_again_before_a_browser_drops_it() {
    let clock = Arc::new(ManualClock::default());
    let store = FaultyStore::new(MemoryStore::new());
    let manager = SessionManager::builder(store.clone()).clock(Arc::clone(&clock)).persistent(true);
    let manager = manager.idle_timeout(500 * DAY).without_absolute_timeout().build().unwrap();
    let app = routes().layer(SessionLayer::new(manager));
    let mut client = Client::new(&app);
    let login = client.post("/login").await;
    let lapses = "; Max-Age=34560000";
    assert!(login.set_cookies()[0].ends_with(lapses), "{:?}", login.set_cookies());
    store.faults().forget_calls();
    let mut sent = 0;
    for _ in 0..4 * 30 {
        clock.advance(DAY / 4);
        let answer = client.get("/user").await;
        assert_eq!(answer.body, "ann");
        // The touch runs beside the request.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        for cookie in answer.set_cookies() {
            assert!(cookie.ends_with(lapses), "{cookie}");
            assert_eq!(answer.all("cache-control"), ["no-store"]);
            sent += 1;
        }
    }
    // Once a day, and each write is one of the touches that are due anyway.
    assert_eq!(sent, 30);
    assert_eq!(store.faults().calls(Operation::Touch), 4 * 30);
    assert_eq!(store.faults().calls(Operation::Load), 4 * 30 + sent);
    assert_eq!(store.faults().all_calls(), 2 * 4 * 30 + sent);
    // Whoever comes back just before it lapses gets it again.
    clock.advance(400 * DAY - Duration::from_secs(1));
    assert_eq!(client.get("/user").await.set_cookies().len(), 1);
}

#[tokio::test]
async fn a_remember_me_that_would_be_cut_to_a_day_is_an_error() {
    let remember = async |visitor: MaybeSession| {
        visitor.start(NewSession::new().persistent(true).idle_timeout(30 * DAY)).map(drop)
    };
    let app = routes().route("/remember", post(remember)).layer(SessionLayer::new(MemoryStore::new()));
    let answer = Client::new(&app).post("/remember").await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    let error = SessionLayer::builder(MemoryStore::new()).idle_timeout(30 * DAY).build().unwrap_err();
    assert!(error.to_string().contains("`absolute_timeout`"), "{error}");
}
