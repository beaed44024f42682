//! B76: the limit of a session. What counts is what is written.

use std::time::{Duration, Instant};

use session_core::{
    AttributeError, Envelope, Error, JsonCodec, MAX_SESSION_BYTES, NewSession, Record, RecordKey, Session, Time,
    Version,
};

use super::stores::{Managed, managers};

#[track_caller]
fn assert_too_large<T: std::fmt::Debug>(result: Result<T, Error>, name: &str) {
    match result {
        Err(Error::Attribute(AttributeError::TooLarge { name: named, limit: MAX_SESSION_BYTES })) => {
            assert_eq!(named, name);
        }
        other => panic!("{other:?}"),
    }
}

/// The bytes of the session's JSON, as the codec writes it.
fn written(session: &Session) -> usize {
    let now = Time::from_unix_millis(0);
    let mut record = Record::new(RecordKey::from_bytes([7; 32]), Version::from_number(1), now, Duration::from_secs(1));
    record.principal = session.principal();
    record.constants = session.constants();
    record.attributes = session.attrs();
    let head = 1 + 32 + 4;
    Envelope::seal(&record, &JsonCodec).expect("JSON").body.len() - head
}

/// Names, constants and a principal with characters that JSON writes as two, six or more.
fn with_escapes() -> NewSession {
    let new = NewSession::new().principal("Zoë \"\u{0}\u{1f}\\ 人");
    new.constant("role\t\u{7f}", "\u{8}admin\"").attr("\n\n", &vec!["\u{0}"; 100]).attr("ö", &(-1.5, [(), ()], "a"))
}

#[tokio::test]
async fn a_session_may_be_as_large_as_the_limit_and_no_byte_larger_on_each_store() {
    for Managed { store, sessions } in managers() {
        let session = sessions.create(with_escapes()).await.unwrap();
        session.set_attr("\"fill\"", "").unwrap();
        let room = MAX_SESSION_BYTES - written(&session);
        // Two bytes for each.
        let mut fill = "\n".repeat(room / 2);
        fill.push_str(&"x".repeat(room % 2));
        session.set_attr("\"fill\"", &fill).unwrap();
        assert_eq!(written(&session), MAX_SESSION_BYTES);
        session.save().await.unwrap_or_else(|error| panic!("{store}: {error}"));

        let more = format!("{fill}x");
        assert_too_large(session.set_attr("\"fill\"", &more), "\"fill\"");
        assert_too_large(session.set_attr("a", &1), "a");
        assert_too_large(session.update_attr("b", |_: Option<u8>| 1).await, "b");
        let found = sessions.get(session.id().as_str()).await.unwrap().expect("it was saved");
        assert_eq!(found.attr("\"fill\"").unwrap(), Some(fill));
        sessions.end(&session.handle()).await.unwrap();

        // Started as large, and a byte larger.
        let new = |bytes| NewSession::new().principal("\n").attr("text", &"x".repeat(bytes));
        let around = r#"{"p":"\n","a":{"text":""}}"#.len();
        let session = sessions.create(new(MAX_SESSION_BYTES - around)).await.unwrap();
        assert_eq!(written(&session), MAX_SESSION_BYTES);
        sessions.end(&session.handle()).await.unwrap();
        assert_too_large(sessions.create(new(MAX_SESSION_BYTES - around + 1)).await, "text");
    }
}

#[tokio::test]
async fn names_and_principals_count_with_their_escapes() {
    let sessions = &managers()[0].sessions;
    // A byte in memory, six in JSON.
    let long = "\u{1}".repeat(MAX_SESSION_BYTES / 6);
    let session = sessions.create(NewSession::new()).await.unwrap();
    assert_too_large(session.set_attr(&long, &1), &long);
    assert_too_large(session.set_attr("value", &long), "value");
    session.set_attr(&long[..long.len() - 10], &1).unwrap();

    let refused = sessions.create(NewSession::new().principal(&long)).await.map(drop);
    assert!(matches!(&refused, Err(Error::Config(error)) if error.to_string().contains("`principal`")), "{refused:?}");
    let new = |bytes| NewSession::new().principal(&long[..bytes]).attr("Count", &1);
    assert_too_large(sessions.create(new(long.len() - 1)).await, "Count");
    let session = sessions.create(new(long.len() - 10)).await.unwrap();
    assert_too_large(session.set_attr("more", &"x".repeat(60)), "more");
}

/// What is known of the size follows each way to change it.
#[tokio::test]
async fn the_size_is_right_after_each_way_to_change_a_session() {
    let sessions = &managers()[1].sessions;
    let session = sessions.create(with_escapes().attr("a", &"x".repeat(5000))).await.unwrap();
    let mut texts = [1_usize, 70_000, 300, 0].into_iter().cycle();
    let mut text = || "y".repeat(texts.next().expect("endless"));
    for round in 0..3 {
        session.set_attr("a", &text()).unwrap();
        session.remove_attr("a").unwrap();
        session.remove_attr("never there").unwrap();
        session.set_attr("b", &text()).unwrap();
        session.take_attr::<String>("b").unwrap();
        session.set_attr("c", &text()).unwrap();
        session.set_idle_timeout(Duration::from_secs(60 + round)).unwrap();
        session.update_attr("c", |_: Option<String>| text()).await.unwrap();
        session.set_attr("a", &text()).unwrap();
        if round == 1 {
            session.discard();
        }
        // What still fits, and a byte more. The name and its punctuation take ten bytes.
        let room = MAX_SESSION_BYTES - written(&session);
        assert_too_large(session.set_attr("fill", &"x".repeat(room - 9)), "fill");
        session.set_attr("fill", &"x".repeat(room - 10 + usize::from(session.attrs().is_empty()))).unwrap();
        assert_eq!(written(&session), MAX_SESSION_BYTES);
        session.remove_attr("fill").unwrap();
        session.save().await.unwrap();
    }
}

/// B77: each takes as long as the first. Adding up all others each time took minutes here.
#[tokio::test]
async fn a_hundred_thousand_attributes_take_no_longer_each_than_a_few() {
    const COUNT: usize = 100_000;
    let sessions = &managers()[0].sessions;
    // In an order that is none, so that each insertion is in the middle.
    let names = || (0..COUNT).map(|n| format!("{:05}", n * 7919 % COUNT));
    let stored = sessions.create(NewSession::new()).await.unwrap();
    let started = sessions.visit().start(NewSession::new()).unwrap();
    for session in [stored, started] {
        let start = Instant::now();
        for name in names() {
            session.set_attr(&name, &1).unwrap();
        }
        for name in names().step_by(2) {
            session.set_attr(&name, &2).unwrap();
            session.remove_attr(&name).unwrap();
        }
        assert_eq!(session.attrs().len(), COUNT / 2);
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    }
    let mut new = NewSession::new();
    for name in names() {
        new = new.attr(&name, &1);
    }
    let start = Instant::now();
    assert_eq!(sessions.create(new).await.unwrap().attrs().len(), COUNT);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
