//! G1: whatever a client sends as its cookies: reading them never panics, and junk never hides the
//! session of a cookie that comes after it.

#![no_main]

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use session_axum::transport::{CookieTransport, Transport};
use session_axum::{NewSession, SessionCookie, SessionManager};
use session_core::{ManualClock, MemoryStore, PresentedIds, SessionId};

static COOKIE: LazyLock<CookieTransport> =
    LazyLock::new(|| SessionCookie::new().build().expect("the defaults can work"));

static SESSIONS: LazyLock<(SessionManager, SessionId)> = LazyLock::new(|| {
    // The session must outlive a night of fuzzing.
    let builder = SessionManager::builder(MemoryStore::new()).clock(ManualClock::default());
    let sessions = builder.without_background_purge().build().expect("these settings can work");
    let id = at_once(sessions.create(NewSession::new())).expect("memory stores it").id();
    (sessions, id)
});

/// A store in memory never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits"),
    }
}

fuzz_target!(|junk: &[u8]| {
    let (sessions, id) = &*SESSIONS;
    let pair = [COOKIE.name(), "="].concat();
    let cookies = [junk, b";", pair.as_bytes(), id.as_str().as_bytes()].concat();
    let Ok(cookies) = HeaderValue::from_bytes(&cookies) else { return };
    let mut presented = PresentedIds::default();
    COOKIE.read(&HeaderMap::from_iter([(header::COOKIE, cookies)]), &mut presented);
    let visit = sessions.visit();
    at_once(visit.open(&presented)).expect("memory answers");
    let tried_before = junk.windows(pair.len()).filter(|window| *window == pair.as_bytes()).count();
    assert!(visit.session().is_some() || tried_before >= PresentedIds::MAX);
});
