//! G1: whatever a client sends as its cookies: reading them never panics, junk never hides the session of a cookie
//! that comes after it, and nothing but an id of ours opens a session.

#![no_main]

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, HeaderValue, Request, header};
use libfuzzer_sys::fuzz_target;
use session_axum::transport::{CookieTransport, Outgoing, Transport};
use session_axum::{Key, NewSession, SessionCookie, SessionManager};
use session_core::{IssuedId, ManualClock, MemoryStore, PresentedIds, SessionId, Visit};

/// The largest number of sealed values that are opened for one request.
const MAX_OPENED: usize = 16;

struct World {
    plain: CookieTransport,
    signed: CookieTransport,
    sessions: SessionManager,
    id: SessionId,
    /// The id as the signed cookie carries it.
    sealed: String,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    // The session must outlive a night of fuzzing.
    let builder = SessionManager::builder(MemoryStore::new()).clock(ManualClock::default());
    let sessions = builder.without_background_purge().build().expect("these settings can work");
    let id = at_once(sessions.create(NewSession::new())).expect("memory stores it").id();
    let plain = SessionCookie::new().build().expect("the defaults can work");
    let signed = SessionCookie::new().signed([Key::from(&[7; 64]), Key::from(&[8; 64])]).build().expect("it can work");
    let sealed = carried(&signed, &id);
    World { plain, signed, sessions, id, sealed }
});

/// The value of the cookie that carries an id.
fn carried(transport: &CookieTransport, id: &SessionId) -> String {
    let mut headers = HeaderMap::new();
    transport.issue(&IssuedId::new(id.clone(), None), &mut Outgoing::to(&mut headers));
    let cookie = headers[header::SET_COOKIE].to_str().expect("a cookie is ASCII");
    let (_, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a name and a value");
    value.to_owned()
}

/// A store in memory never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits"),
    }
}

fn opened(transport: &CookieTransport, cookies: &[u8]) -> Option<Visit> {
    let mut presented = PresentedIds::default();
    let cookies = HeaderValue::from_bytes(cookies).ok()?;
    let request = Request::builder().header(header::COOKIE, cookies).body(()).expect("a cookie is all that it has");
    transport.read(&request.into_parts().0, &mut presented);
    let visit = WORLD.sessions.visit();
    at_once(visit.open(&presented)).expect("memory answers");
    Some(visit)
}

/// The values of our cookie, in other words than the library's: one after the other, with `split`.
fn values<'a>(junk: &'a [u8], name: &str) -> Vec<&'a [u8]> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let name = [name, "="].concat();
    let cookies = junk.split(|byte| *byte == b';');
    let starts = cookies.map(|cookie| &cookie[cookie.iter().take_while(|byte| blank(byte)).count()..]);
    let of_name = starts.filter_map(|cookie| cookie.strip_prefix(name.as_bytes()));
    let trimmed = of_name.map(|mut value| {
        while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
            value = rest;
        }
        value
    });
    trimmed
        .map(|value| value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value))
        .collect()
}

fuzz_target!(|junk: &[u8]| {
    let World { plain, signed, id, sealed, .. } = &*WORLD;
    let values = values(junk, plain.name());
    let ids = values.iter().filter(|value| SessionId::parse(value).is_some());
    // What is no id takes no place among those that are looked up.
    let is_hidden = ids.count() >= PresentedIds::MAX;
    let is_opened_too_often = values.iter().filter(|value| (66..=96).contains(&value.len())).count() >= MAX_OPENED;
    // By old clients, in quotes.
    for quote in ["", "\""] {
        for (transport, value, is_hidden) in [(plain, id.as_str(), is_hidden), (signed, sealed, is_opened_too_often)] {
            let name = transport.name();
            let ours = format!(";{name}={quote}{value}{quote}");
            let Some(visit) = opened(transport, &[junk, ours.as_bytes()].concat()) else { return };
            assert_eq!(visit.session().is_some(), !is_hidden, "{name}");
        }
    }
    // Junk alone opens nothing, unless it knows the id.
    let known: BTreeSet<&[u8]> = values.iter().copied().collect();
    for (transport, value) in [(plain, id.as_str()), (signed, sealed)] {
        let Some(visit) = opened(transport, junk) else { return };
        assert!(visit.session().is_none() || known.contains(value.as_bytes()));
    }
});
